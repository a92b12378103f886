"""The node `Mix Prompt`: the subject of one picture in the style, the light or the composition of another."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ..prompts.errors import AnalysisError, NothingToSay
from ..prompts.mix import ASPECTS, SOURCES, Recipe
from . import inputs
from .comfy import io, schema
from .shown import shown_prompts

if TYPE_CHECKING:
    from ..prompts import ImageAnalysis

_DEFAULTS = asdict(Recipe())


class MixPrompt(io.ComfyNode):
    """Takes each aspect from one of two analyses and renders the mix; of lists ComfyUI mixes one pair at a time."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it."""
        return schema(
            node_id="Img2Prompt_MixPrompt",
            display_name="Mix Prompt",
            category="img2prompt",
            description="Writes the prompt for a picture that is in neither: the subject of picture A in the style, "
            "light or composition of picture B, chosen aspect by aspect. It looks at no picture again.",
            search_aliases=["style transfer", "combine", "blend prompts", "img2prompt"],
            inputs=[
                inputs.analysis("analysis_a", "Picture A. "),
                inputs.analysis("analysis_b", "Picture B. "),
                *(_aspect(name) for name in ASPECTS),
                inputs.family(),
                inputs.emphasis(),
                inputs.unknown_tags(),
                inputs.prefix(),
                inputs.leave_out(),
                inputs.token_budget(),
            ],
            outputs=[
                io.String.Output("prompt", display_name="prompt", tooltip="Ready for a text encoder."),
                io.String.Output("negative", display_name="negative", tooltip="Empty where the family takes none."),
                io.String.Output("art_style", display_name="art_style", tooltip="The art style of the mix, to read."),
                io.String.Output("analysis", display_name="analysis", tooltip="The mix as JSON, for Render Prompt."),
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
        analysis_a: str,
        analysis_b: str,
        family: str,
        emphasis: str,
        unknown_tags: str,
        prefix: str,
        leave_out: str,
        token_budget: int,
        **sources: str,
    ) -> io.NodeOutput:
        """Mix and render. `sources` are the six aspects. Raises PromptError: an error is never a text."""
        from ..prompts import RenderOptions, mix, render

        recipe = Recipe.from_texts(**sources)
        options = RenderOptions.from_texts(
            "everything", prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
        )
        mixed = mix(_read("A", analysis_a), _read("B", analysis_b), recipe)
        try:
            found = render(mixed, family, options)
        except NothingToSay as error:
            raise NothingToSay("The mix of A and B says nothing; take other aspects, or more of them.") from error
        return io.NodeOutput(
            found.positive,
            found.negative,
            found.style,
            mixed.model_dump_json(),
            ui={
                "text": [found.positive],
                "negative": [found.negative],
                "art_style": [found.style],
                "shown": shown_prompts([found], family),
            },
        )


def _aspect(name: str) -> io.Combo.Input:
    """Which picture one aspect is taken from."""
    return io.Combo.Input(
        name,
        options=list(SOURCES),
        default=_DEFAULTS[name],
        tooltip=f"{ASPECTS[name]} From picture A, from picture B, or left open.",
    )


def _read(picture: str, text: str) -> ImageAnalysis:
    """One of the two analyses. Raises AnalysisError that names which."""
    from ..prompts import read_analysis

    try:
        return read_analysis(text)
    except AnalysisError as error:
        raise AnalysisError(f"Picture {picture}: {error}") from error
