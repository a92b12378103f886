"""The node `Image → Text`: pictures in, a text about each out, in any language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import inputs
from .asking import OF_THE_SETTINGS, ChosenEngine, ask_all
from .comfy import Progress, io, schema
from .images import check_batch, to_pictures
from .shown import shown_texts

if TYPE_CHECKING:
    import torch


class ImageToText(io.ComfyNode):
    """Writes a text about each picture of a batch, as a preset says."""

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
            is_output_node=True,  # so that it runs, and shows its text, with nothing connected after it
        )

    @classmethod
    def validate_inputs(cls, preset: str | None = None) -> bool | str:
        """Whether there is such a preset: ComfyUI does not check a V3 combo's value."""
        return inputs.bad_text_preset(preset) or True

    @classmethod
    def fingerprint_inputs(cls, preset: str | None = None, **_: object) -> str:
        """What, besides the inputs, changes the answer: the preset's file, and which engine the settings choose."""
        from ..engine.settings import Settings
        from ..prompts.presets import text_preset_version

        return f"{text_preset_version(preset)} {Settings.load().fingerprint()}"

    @classmethod
    async def execute(
        cls,
        image: torch.Tensor,
        preset: str,
        language: str,
        extra_instruction: str,
        seed: int,
        engine: ChosenEngine = OF_THE_SETTINGS,
    ) -> io.NodeOutput:
        """Ask about all pictures at once. Raises Img2PromptError: an error is never a text."""
        from ..prompts import finished_texts, text_requests

        total = check_batch(image)
        asked = engine.open()
        requests = text_requests(
            to_pictures(image, asked.settings.max_pixels),
            preset=preset,
            language=language,
            extra=extra_instruction,
            seed=seed & inputs.MAX_SEED,
        )
        written = await ask_all(asked, engine.release, requests, Progress(total, cls.hidden.unique_id))
        names = [f"Picture {number} of {total}" for number in range(1, total + 1)]
        texts = finished_texts(written.answers, names)
        return io.NodeOutput(texts, ui={"text": texts, "shown": shown_texts(texts, written.how)})
