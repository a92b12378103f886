"""`img2prompt prompt IMAGES…`: the prompt of each picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from ..prompts.catalogue import family_names
from ..prompts.options import Emphasis, LookAt, RenderOptions, UnknownTags
from .asking import analysis_requests, ask, chosen_engine, who_answered
from .console import Format, put, put_json, say

if TYPE_CHECKING:
    from ..prompts import ImageAnalysis, Prompt

LOOK_AT = get_args(LookAt)
EMPHASIS = get_args(Emphasis)
UNKNOWN_TAGS = get_args(UnknownTags)


def prompt(
    images: Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)],
    family: Annotated[
        str, typer.Option(help=f"The model family that will draw it: {', '.join(family_names())}.")
    ] = "sdxl",
    look_at: Annotated[str, typer.Option(help=f"What goes into the prompt: {', '.join(LOOK_AT)}.")] = LOOK_AT[0],
    extra: Annotated[str, typer.Option(help="Anything the model should pay attention to.")] = "",
    prefix: Annotated[str, typer.Option(help="Put first, exactly as written: trigger words.")] = "",
    leave_out: Annotated[str, typer.Option(help="Words that must not appear, separated by commas.")] = "",
    token_budget: Annotated[int, typer.Option(min=0, help="The longest prompt, in tokens; 0: the family's.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=0xFFFF_FFFF, help="Another seed looks again.")] = 0,
    emphasis: Annotated[str, typer.Option(help=f"What to stress: {', '.join(EMPHASIS)}.")] = EMPHASIS[0],
    unknown_tags: Annotated[
        str, typer.Option(help=f"For families that want Danbooru's tags: {' or '.join(UNKNOWN_TAGS)} what is none.")
    ] = UNKNOWN_TAGS[0],
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
