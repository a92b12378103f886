"""`img2prompt prompt IMAGES…`: the prompt of each picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..prompts.options import RenderOptions
from .asking import analysis_requests, ask, chosen_engine, who_answered
from .console import Format, put, put_json, say
from .options import (
    DEFAULT_FAMILY,
    EMPHASIS,
    LOOK_AT,
    UNKNOWN_TAGS,
    EmphasisOption,
    FamilyOption,
    LeaveOutOption,
    LookAtOption,
    PrefixOption,
    SeedOption,
    TokenBudgetOption,
    UnknownTagsOption,
)

if TYPE_CHECKING:
    from ..prompts import ImageAnalysis, Prompt


def prompt(
    images: Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)],
    family: FamilyOption = DEFAULT_FAMILY,
    look_at: LookAtOption = LOOK_AT[0],
    extra: Annotated[str, typer.Option(help="Anything the model should pay attention to.")] = "",
    prefix: PrefixOption = "",
    leave_out: LeaveOutOption = "",
    token_budget: TokenBudgetOption = 0,
    seed: SeedOption = 0,
    emphasis: EmphasisOption = EMPHASIS[0],
    unknown_tags: UnknownTagsOption = UNKNOWN_TAGS[0],
    closed_vocabulary: Annotated[
        bool, typer.Option(help="For families that want Danbooru's tags: let the model write no others.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="text: one line per picture; json: everything.")] = (
        Format.text
    ),
) -> None:
    """Print the prompt that would draw each picture, one line per picture in their order."""
    from ..prompts import load_family, render_all

    options = RenderOptions.from_texts(
        look_at, prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
    )
    options.check(family)
    engine = chosen_engine()
    requests = analysis_requests(
        images,
        look_at=options.look_at,
        extra=extra,
        seed=seed,
        closed_vocabulary=closed_vocabulary and load_family(family).vocabulary == "danbooru",
    )
    analyses = ask(engine, requests, len(images))
    prompts = render_all(analyses, [str(image) for image in images], family, options)
    say(who_answered(engine))
    if output is Format.json:
        name = engine.status().engine
        rows = zip(images, prompts, analyses, strict=True)
        put_json([_row(image, family, name, found, analysis) for image, found, analysis in rows])
    else:
        for found in prompts:
            put(found.positive)


def _row(image: Path, family: str, engine: str, found: Prompt, analysis: ImageAnalysis) -> dict[str, object]:
    """What `--format json` tells of one picture; its keys are stable."""
    return {
        "image": str(image),
        "family": family,
        "engine": engine,
        "prompt": found.positive,
        "negative": found.negative,
        "art_style": found.style,
        "caption": found.caption,
        "tokens": found.tokens,
        "token_budget": found.budget,
        "analysis": analysis.model_dump(mode="json"),
    }
