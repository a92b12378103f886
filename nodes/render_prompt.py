"""The node `Render Prompt`: what was found in a picture, as a prompt for another model family. It asks no model."""

from __future__ import annotations

from . import inputs
from .comfy import io, schema
from .shown import shown_prompts


class RenderPrompt(io.ComfyNode):
    """Renders one analysis; ComfyUI calls it for each of a list, so its outputs line up with the pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it."""
        return schema(
            node_id="Img2Prompt_RenderPrompt",
            display_name="Render Prompt",
            category="img2prompt",
            description="Writes what Image → Prompt found as a prompt for another model family, or with other options, "
            "without looking at the picture again.",
            search_aliases=["model family", "convert prompt", "reformat", "img2prompt"],
            inputs=[
                inputs.analysis(),
                inputs.family(),
                inputs.look_at(),
                inputs.emphasis(),
                inputs.unknown_tags(),
                inputs.prefix(),
                inputs.leave_out(),
                inputs.token_budget(),
            ],
            outputs=[
                io.String.Output("prompt", display_name="prompt", tooltip="Ready for a text encoder."),
                io.String.Output("negative", display_name="negative", tooltip="Empty where the family takes none."),
                io.String.Output("art_style", display_name="art_style", tooltip="The art-style analysis, to read."),
                io.String.Output("caption", display_name="caption", tooltip="What is to be seen, in sentences."),
            ],
            is_output_node=True,  # so that it runs, and shows its text, with nothing connected after it
        )

    @classmethod
    def validate_inputs(cls, family: str | None = None) -> bool | str:
        """Whether there is such a family: ComfyUI does not check a V3 combo's value. It would say of each input that is
        named here what is wrong with one, so the other choices are checked when the node runs."""
        return inputs.bad_family(family) or True

    @classmethod
    def fingerprint_inputs(cls, family: str | None = None, **_: object) -> str:
        """What, besides the inputs, changes the prompt: the user's own families and vocabulary."""
        return inputs.version_of(family)

    @classmethod
    def execute(
        cls,
        analysis: str,
        family: str,
        look_at: str,
        emphasis: str,
        unknown_tags: str,
        prefix: str,
        leave_out: str,
        token_budget: int,
    ) -> io.NodeOutput:
        """Render it. Raises PromptError: an error is never a text."""
        from ..prompts import RenderOptions, read_analysis, render

        options = RenderOptions.from_texts(
            look_at, prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
        )
        found = render(read_analysis(analysis), family, options)
        return io.NodeOutput(
            found.positive,
            found.negative,
            found.style,
            found.caption,
            ui={
                "text": [found.positive],
                "negative": [found.negative],
                "art_style": [found.style],
                "shown": shown_prompts([found], family),
            },
        )
