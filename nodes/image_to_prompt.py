"""The node `Image → Prompt`: pictures in, prompts for a model family out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import inputs
from .asking import OF_THE_SETTINGS, Answers, ChosenEngine, ask_all
from .comfy import Progress, io, schema
from .images import check_batch, to_pictures
from .shown import shown_prompts

if TYPE_CHECKING:
    import torch

    from ..prompts import ImageAnalysis, Prompt


class ImageToPrompt(io.ComfyNode):
    """Looks at each picture of a batch and renders what it found for one model family."""

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
            is_output_node=True,  # so that it runs, and shows its text, with nothing connected after it
        )

    @classmethod
    def validate_inputs(cls, family: str | None = None) -> bool | str:
        """Whether there is such a family: ComfyUI does not check a V3 combo's value. It would say of each input that is
        named here what is wrong with one, so the other choices are checked when the node runs."""
        return inputs.bad_family(family) or True

    @classmethod
    def fingerprint_inputs(cls, family: str | None = None, **_: object) -> str:
        """What, besides the inputs, changes the answer: the engine that the settings choose, and the user's files."""
        from ..engine.settings import Settings

        return f"{Settings.load().fingerprint()} {inputs.version_of(family)}"

    @classmethod
    async def execute(
        cls,
        image: torch.Tensor,
        family: str,
        look_at: str,
        extra_instruction: str,
        prefix: str,
        leave_out: str,
        token_budget: int,
        seed: int,
        emphasis: str,
        unknown_tags: str,
        closed_vocabulary: bool,
        engine: ChosenEngine = OF_THE_SETTINGS,
        known_prompt: str = "",
    ) -> io.NodeOutput:
        """Ask about all pictures at once and render each answer. Raises Img2PromptError: an error is never a text."""
        from ..prompts import RenderOptions, analysis_request, load_family, render_all

        options = RenderOptions.from_texts(
            look_at, prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
        )
        options.check(family)
        total = check_batch(image)
        asked = engine.open()
        requests = (
            analysis_request(
                picture,
                look_at=options.look_at,
                extra=extra_instruction,
                seed=seed & inputs.MAX_SEED,
                closed_vocabulary=closed_vocabulary and load_family(family).vocabulary == "danbooru",
                known=known_prompt,
            )
            for picture in to_pictures(image, asked.settings.max_pixels)
        )
        found = await ask_all(asked, engine.release, requests, Progress(total, cls.hidden.unique_id))
        names = [f"Picture {number} of {total}" for number in range(1, total + 1)]
        prompts = render_all(found.answers, names, family, options, known=known_prompt)
        return _output(prompts, found, family, _note(known_prompt, look_at))


def _note(known_prompt: str, look_at: str) -> list[str]:
    """What the node says of the known prompt; nothing where there is none."""
    from ..prompts.recover.values import as_text

    if not as_text(known_prompt):
        return []
    if look_at == inputs.LOOK_AT[0]:
        return ["The known prompt was used, not the model's words."]
    return ["The model was told the known prompt, and wrote this."]


def _output(prompts: list[Prompt], found: Answers[ImageAnalysis], family: str, note: list[str]) -> io.NodeOutput:
    """The five lists, and the prompts for the node's own display."""
    return io.NodeOutput(
        [prompt.positive for prompt in prompts],
        [prompt.negative for prompt in prompts],
        [prompt.style for prompt in prompts],
        [prompt.caption for prompt in prompts],
        [analysis.model_dump_json() for analysis in found.answers],
        ui={
            "text": [prompt.positive for prompt in prompts],
            "negative": [prompt.negative for prompt in prompts],
            "art_style": [prompt.style for prompt in prompts],
            "note": note,
            "shown": shown_prompts(prompts, family, found.how, note),
        },
    )
