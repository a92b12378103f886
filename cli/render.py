"""`img2prompt render ANALYSES…`: what was found in pictures, as prompts for other model families. It asks no model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..prompts.options import RenderOptions
from .analyses import read_analyses
from .console import Format, put, put_json
from .options import (
    DEFAULT_FAMILY,
    EMPHASIS,
    LOOK_AT,
    UNKNOWN_TAGS,
    EmphasisOption,
    LeaveOutOption,
    LookAtOption,
    PrefixOption,
    TokenBudgetOption,
    UnknownTagsOption,
)

if TYPE_CHECKING:
    from ..prompts import ImageAnalysis, Prompt


def render(
    analyses: Annotated[
        list[Path],
        typer.Argument(
            help="JSON files as `img2prompt prompt --format json` or Image → Prompt writes them; - is stdin.",
            show_default=False,
        ),
    ],
    family: Annotated[
        list[str] | None, typer.Option(help=f"A model family, as often as you like. By default {DEFAULT_FAMILY}.")
    ] = None,
    look_at: LookAtOption = LOOK_AT[0],
    emphasis: EmphasisOption = EMPHASIS[0],
    unknown_tags: UnknownTagsOption = UNKNOWN_TAGS[0],
    prefix: PrefixOption = "",
    leave_out: LeaveOutOption = "",
    token_budget: TokenBudgetOption = 0,
    output: Annotated[Format, typer.Option("--format", help="text: one line per prompt; json: everything.")] = (
        Format.text
    ),
) -> None:
    """Print the prompt for each analysis and family, one line each: all families of the first analysis first."""
    from ..prompts import render_all

    options = RenderOptions.from_texts(
        look_at, prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
    )
    families = family or [DEFAULT_FAMILY]
    for name in families:
        options.check(name)
    found = [one for path in analyses for one in read_analyses(path)]
    names = [name for name, _ in found]
    by_family = [render_all([analysis for _, analysis in found], names, name, options) for name in families]
    rows = [
        _row(name, family, prompt, analysis)
        for (name, analysis), prompts in zip(found, zip(*by_family, strict=True), strict=True)
        for family, prompt in zip(families, prompts, strict=True)
    ]
    if output is Format.json:
        put_json(rows)
    else:
        for row in rows:
            put(str(row["prompt"]))


def _row(name: str, family: str, found: Prompt, analysis: ImageAnalysis) -> dict[str, object]:
    """What `--format json` tells of one prompt: the keys of `img2prompt prompt` less those that say who answered, so
    `image` is the picture's file or, where the analysis does not tell it, the analysis's."""
    return {
        "image": name,
        "family": family,
        "prompt": found.positive,
        "negative": found.negative,
        "art_style": found.style,
        "caption": found.caption,
        "tokens": found.tokens,
        "token_budget": found.budget,
        "analysis": analysis.model_dump(mode="json"),
    }
