"""The node `Image → Prompt`: pictures in, prompts for a model family out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from . import inputs
from .asking import OF_THE_SETTINGS, Answers, ChosenEngine, ask_each
from .comfy import Progress, in_thread, io, schema
from .images import Pictures, check_batches
from .shown import Shown, shown_prompts, the_first

if TYPE_CHECKING:
    import torch

    from ..engine.stream import Step
    from ..prompts import ImageAnalysis, Prompt, RenderOptions, Request


class ImageToPrompt(io.ComfyNode):
    """Looks at each picture of a batch or a list and renders what it found for one model family. Takes inputs as lists:
    all pictures of a list are one stream of requests."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it; its outputs are lists, one item per picture."""
        return schema(
            node_id="Img2Prompt_ImageToPrompt",
            display_name="Image → Prompt",
            category="img2prompt",
            description="Looks at each picture and writes the prompt that would draw it, in the form that the chosen "
            "model family wants, with its negative prompt, an art-style analysis and a caption.",
            search_aliases=["caption", "interrogate", "describe", "reverse prompt", "反推", "Qwen3-VL", "img2prompt"],
            inputs=[
                inputs.image(),
                inputs.family(),
                inputs.look_at(),
                inputs.extra_instruction(),
                inputs.prefix(),
                inputs.leave_out(),
                inputs.token_budget(),
                inputs.seed(),
                inputs.emphasis(),
                inputs.unknown_tags(),
                inputs.closed_vocabulary(),
                inputs.engine(),
                inputs.known_prompt(),
                inputs.min_confidence(),
            ],
            outputs=[
                io.String.Output(
                    "prompt",
                    display_name="prompt",
                    is_output_list=True,
                    tooltip="One per picture, ready for a text encoder.",
                ),
                io.String.Output(
                    "negative",
                    display_name="negative",
                    is_output_list=True,
                    tooltip="Empty where the family takes none.",
                ),
                io.String.Output(
                    "art_style",
                    display_name="art_style",
                    is_output_list=True,
                    tooltip="The art-style analysis, to read.",
                ),
                io.String.Output(
                    "caption", display_name="caption", is_output_list=True, tooltip="What is to be seen, in sentences."
                ),
                io.String.Output(
                    "analysis",
                    display_name="analysis",
                    is_output_list=True,
                    tooltip="Everything that was found, as JSON.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            is_input_list=True,
            is_output_node=True,  # so that it runs, and shows its text, with nothing connected after it
        )

    @classmethod
    def validate_inputs(cls, family: Sequence[str | None] = (None,)) -> bool | str:
        """Whether there is such a family: ComfyUI does not check a V3 combo's value. It would say of each input that is
        named here what is wrong with one, so the other choices are checked when the node runs. A linked input is
        [None]."""
        return inputs.bad_family(family[0]) or True

    @classmethod
    def fingerprint_inputs(cls, family: Sequence[str | None] = (None,), **_: object) -> str:
        """What, besides the inputs, changes the answer: the engine that the settings choose, and the user's files."""
        from ..engine.settings import Settings

        return f"{Settings.load().fingerprint()} {inputs.version_of(family[0])}"

    @classmethod
    async def execute(
        cls, engine: Sequence[ChosenEngine] = (OF_THE_SETTINGS,), **given: Sequence[Any]
    ) -> io.NodeOutput:
        """Ask about all pictures at once and render each answer. `given` are the inputs by name. Raises
        Img2PromptError: an error is never a text."""
        chosen = inputs.only("engine", engine)
        wishes = [_Wish(**one) for one in inputs.each(given)]
        for wish in wishes:
            wish.check()
        pictures = [wish.image for wish in wishes]
        progress = Progress(sum(check_batches(pictures)), cls.hidden.unique_id)
        found = await ask_each(chosen, pictures, lambda item, shown: wishes[item].requests(shown), progress)
        return await in_thread(lambda: _output(wishes, found), progress)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the user asks for of one batch of pictures: one value of each input."""

    image: torch.Tensor
    family: str
    look_at: str
    extra_instruction: str
    prefix: str
    leave_out: str
    token_budget: int
    seed: int
    emphasis: str
    unknown_tags: str
    closed_vocabulary: bool
    known_prompt: str = ""
    min_confidence: float = 0.0

    @property
    def options(self) -> RenderOptions:
        """How to render. Raises PromptError."""
        from ..prompts import RenderOptions

        return RenderOptions.from_texts(
            self.look_at,
            self.prefix,
            self.leave_out,
            self.token_budget,
            emphasis=self.emphasis,
            unknown_tags=self.unknown_tags,
        )

    def check(self) -> None:
        """Raises PromptError for what cannot be done, before the model is asked."""
        from ..prompts import check_threshold

        check_threshold(self.min_confidence)
        self.options.check(self.family)

    def requests(self, pictures: Pictures) -> Iterator[Request[ImageAnalysis] | Step[ImageAnalysis]]:
        """What the model is asked about each."""
        from ..engine.rated import rated_request
        from ..prompts import analysis_request, load_family

        look_at = self.options.look_at
        closed = self.closed_vocabulary and load_family(self.family).vocabulary == "danbooru"
        for index, picture in enumerate(pictures):
            request = analysis_request(
                picture,
                look_at=look_at,
                extra=self.extra_instruction,
                seed=self.seed & inputs.MAX_SEED,
                closed_vocabulary=closed,
                known=self.known_prompt,
            )
            yield rated_request(request, partial(pictures.picture, index), self.min_confidence)

    def rendered(self, found: Answers[ImageAnalysis]) -> list[Prompt]:
        """The prompt of each. Raises PromptError, which names the picture."""
        from ..prompts import render_all

        return render_all(found.answers, found.names, self.family, self.options, known=self.known_prompt)


def _note(known_prompt: str, look_at: str) -> list[str]:
    """What the node says of the known prompt; nothing where there is none."""
    from ..prompts.recover.values import as_text

    if not as_text(known_prompt):
        return []
    if look_at == inputs.LOOK_AT[0]:
        return ["The known prompt was used, not the model's words."]
    return ["The model was told the known prompt, and wrote this."]


def _output(wishes: Sequence[_Wish], found: Sequence[Answers[ImageAnalysis]]) -> io.NodeOutput:
    """The five lists, and the prompts for the node's own display."""
    prompts: list[Prompt] = []
    notes: list[str] = []
    shown: list[Shown] = []
    for wish, answers in zip(wishes, found, strict=True):
        rendered, note = wish.rendered(answers), _note(wish.known_prompt, wish.look_at)
        prompts += rendered
        notes += note
        shown += shown_prompts(rendered, wish.family, answers.how, note)
    return io.NodeOutput(
        [prompt.positive for prompt in prompts],
        [prompt.negative for prompt in prompts],
        [prompt.style for prompt in prompts],
        [prompt.caption for prompt in prompts],
        [analysis.model_dump_json() for answers in found for analysis in answers.answers],
        ui={
            "text": [prompt.positive for prompt in prompts],
            "negative": [prompt.negative for prompt in prompts],
            "art_style": [prompt.style for prompt in prompts],
            "note": list(dict.fromkeys(notes)),
            "shown": the_first(shown),
        },
    )
