"""The node `Image → Text`: pictures in, a text about each out, in any language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import inputs
from .asking import OF_THE_SETTINGS, Answers, ChosenEngine, ask_each
from .comfy import Progress, io, schema
from .images import Pictures, check_batches
from .shown import shown_texts, the_first

if TYPE_CHECKING:
    import torch

    from ..prompts import ImageText, Request


class ImageToText(io.ComfyNode):
    """Writes a text about each picture of a batch or a list, as a preset says. Takes inputs as lists: all pictures of a
    list are one stream of requests."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it; built anew at each refresh, so that it lists the user's presets as they are."""
        return schema(
            node_id="Img2Prompt_ImageToText",
            display_name="Image → Text",
            category="img2prompt",
            description="Looks at each picture and writes a text about it, in the language you name: selling points, a "
            "social media post, alt text, a documentary or literary passage, a detailed caption, or what a preset of "
            "your own asks for.",
            search_aliases=["caption", "alt text", "selling points", "social media", "describe", "img2prompt"],
            inputs=[
                inputs.image(gets="text"),
                inputs.text_preset(),
                inputs.language(),
                inputs.extra_instruction(),
                inputs.seed(),
                inputs.engine(),
            ],
            outputs=[
                io.String.Output(
                    "text",
                    display_name="text",
                    is_output_list=True,
                    tooltip="One per picture, to read. It is no prompt: parentheses in it would act as weights.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            is_input_list=True,
            is_output_node=True,  # so that it runs, and shows its text, with nothing connected after it
        )

    @classmethod
    def validate_inputs(cls, preset: Sequence[str | None] = (None,)) -> bool | str:
        """Whether there is such a preset: ComfyUI does not check a V3 combo's value. A linked input is [None]."""
        return inputs.bad_text_preset(preset[0]) or True

    @classmethod
    def fingerprint_inputs(cls, preset: Sequence[str | None] = (None,), **_: object) -> str:
        """What, besides the inputs, changes the answer: the preset's file, and which engine the settings choose."""
        from ..engine.settings import Settings
        from ..prompts.presets import text_preset_version

        return f"{text_preset_version(preset[0])} {Settings.load().fingerprint()}"

    @classmethod
    async def execute(
        cls, engine: Sequence[ChosenEngine] = (OF_THE_SETTINGS,), **given: Sequence[Any]
    ) -> io.NodeOutput:
        """Ask about all pictures at once. `given` are the inputs by name. Raises Img2PromptError: an error is never a
        text."""
        chosen = inputs.only("engine", engine)
        wishes = [_Wish(**one) for one in inputs.each(given)]
        pictures = [wish.image for wish in wishes]
        progress = Progress(sum(check_batches(pictures)), cls.hidden.unique_id)
        written = await ask_each(chosen, pictures, lambda item, shown: wishes[item].requests(shown), progress)
        return _output(written)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the user asks for of one batch of pictures: one value of each input."""

    image: torch.Tensor
    preset: str
    language: str
    extra_instruction: str
    seed: int

    def requests(self, pictures: Pictures) -> Iterator[Request[ImageText]]:
        """What the model is asked about each. Raises PresetError or PromptError, at once."""
        from ..prompts import text_requests

        return text_requests(
            pictures,
            preset=self.preset,
            language=self.language,
            extra=self.extra_instruction,
            seed=self.seed & inputs.MAX_SEED,
        )


def _output(written: Sequence[Answers[ImageText]]) -> io.NodeOutput:
    """The list, and the texts for the node's own display. Raises NothingToSay, which names the picture."""
    from ..prompts import finished_texts

    texts = [text for answers in written for text in finished_texts(answers.answers, answers.names)]
    how = [how for answers in written for how in answers.how]
    return io.NodeOutput(texts, ui={"text": texts, "shown": the_first(shown_texts(texts, how))})
