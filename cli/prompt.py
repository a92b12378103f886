"""`img2prompt prompt IMAGES…`: the prompt of each picture, from its own file or from a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..prompts.options import RenderOptions
from .asking import analysis_requests, ask, chosen_engine, who_answered
from .console import Format, put, put_json, say
from .embedded import as_json, carried_by, render_one, tell_of
from .options import (
    DEFAULT_FAMILY,
    EMPHASIS,
    LOOK_AT,
    UNKNOWN_TAGS,
    EmphasisOption,
    FamilyOption,
    LeaveOutOption,
    LookAtOption,
    MinConfidenceOption,
    PrefixOption,
    SeedOption,
    TokenBudgetOption,
    UnknownTagsOption,
)

if TYPE_CHECKING:
    from ..prompts import ImageAnalysis, Prompt, Recovered

LINE_END = re.compile(r"\s*\n\s*")


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
    min_confidence: MinConfidenceOption = 0.0,
    ignore_embedded: Annotated[
        bool, typer.Option("--ignore-embedded", help="Ask the model also where a file carries the prompt that drew it.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="text: one line per picture; json: everything.")] = (
        Format.text
    ),
) -> None:
    """Print the prompt that would draw each picture, one line per picture in their order.

    Where a file carries the prompt that drew it, that is the one, and no model is asked; looking at one aspect only,
    the model is told it.
    """
    from ..prompts import check_threshold, load_family

    check_threshold(min_confidence)
    options = RenderOptions.from_texts(
        look_at, prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
    )
    options.check(family)
    carried = [None] * len(images) if ignore_embedded else carried_by(images)
    use = options.look_at == "everything"
    tell_of(images, carried, used=use)
    seen, engine = _seen(
        images,
        [None if found and use else (found.positive if found else "") for found in carried],
        min_confidence=min_confidence,
        look_at=options.look_at,
        extra=extra,
        seed=seed,
        closed_vocabulary=closed_vocabulary and load_family(family).vocabulary == "danbooru",
    )
    rows = [
        _Row(image, found, analysis, render_one(image, found, analysis, family, options))
        for image, found, analysis in zip(images, carried, seen, strict=True)
    ]
    if output is Format.json:
        put_json([row.as_json(family, engine) for row in rows])
    else:
        for row in rows:
            put(LINE_END.sub(" ", row.prompt.positive))


def _seen(images: list[Path], known: list[str | None], **asked: Any) -> tuple[list[ImageAnalysis | None], str]:
    """What the model sees in each picture, told what is `known` of it; None, and no picture is asked about. With the
    engine's name, "" where none was needed."""
    about = [(image, told) for image, told in zip(images, known, strict=True) if told is not None]
    if not about:
        return [None] * len(images), ""
    engine = chosen_engine()
    requests = analysis_requests([image for image, _ in about], [told for _, told in about], **asked)
    answers = iter(ask(engine, requests, len(about)))
    say(who_answered(engine))
    return [None if told is None else next(answers) for told in known], engine.status().engine


class _Row(NamedTuple):
    """One picture's."""

    image: Path
    found: Recovered | None
    analysis: ImageAnalysis | None
    prompt: Prompt

    def as_json(self, family: str, engine: str) -> dict[str, object]:
        """What `--format json` tells of one picture; its keys are stable."""
        return {
            "image": str(self.image),
            "family": family,
            "source": "model" if self.analysis else "embedded",
            "engine": engine if self.analysis else "",
            "prompt": self.prompt.positive,
            "negative": self.prompt.negative,
            "art_style": self.prompt.style,
            "caption": self.prompt.caption,
            "tokens": self.prompt.tokens,
            "token_budget": self.prompt.budget,
            "recovered": as_json(self.found),
            "analysis": self.analysis.model_dump(mode="json") if self.analysis else None,
        }
