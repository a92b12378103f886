"""`img2prompt mix A B`: the prompt for the subject of one picture in the style, light or composition of another."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..prompts.errors import AnalysisError, NothingToSay
from ..prompts.mix import ASPECTS, SOURCES, Recipe
from ..prompts.options import RenderOptions
from .analyses import STDIN, read_analyses
from .asking import analysis_requests, ask, chosen_engine, who_answered
from .console import Format, put, put_json, say
from .options import (
    DEFAULT_FAMILY,
    EMPHASIS,
    UNKNOWN_TAGS,
    EmphasisOption,
    FamilyOption,
    LeaveOutOption,
    PrefixOption,
    SeedOption,
    TokenBudgetOption,
    UnknownTagsOption,
)

if TYPE_CHECKING:
    from ..prompts import ImageAnalysis

_DEFAULT = Recipe()


def _file(picture: str) -> Any:
    help_text = f"Picture {picture}: a picture file, or a .json file (- is stdin) with its analysis."
    return typer.Argument(help=help_text, show_default=False)


def _aspect(name: str) -> Any:
    return typer.Option(help=f"{ASPECTS[name]} From {', '.join(SOURCES[:-1])} or {SOURCES[-1]}.")


def mix(
    a: Annotated[Path, _file("A")],
    b: Annotated[Path, _file("B")],
    subject: Annotated[str, _aspect("subject")] = _DEFAULT.subject,
    setting: Annotated[str, _aspect("setting")] = _DEFAULT.setting,
    composition: Annotated[str, _aspect("composition")] = _DEFAULT.composition,
    light: Annotated[str, _aspect("light")] = _DEFAULT.light,
    color: Annotated[str, _aspect("color")] = _DEFAULT.color,
    style: Annotated[str, _aspect("style")] = _DEFAULT.style,
    family: FamilyOption = DEFAULT_FAMILY,
    emphasis: EmphasisOption = EMPHASIS[0],
    unknown_tags: UnknownTagsOption = UNKNOWN_TAGS[0],
    prefix: PrefixOption = "",
    leave_out: LeaveOutOption = "",
    token_budget: TokenBudgetOption = 0,
    seed: SeedOption = 0,
    output: Annotated[Format, typer.Option("--format", help="text: the prompt; json: everything.")] = Format.text,
) -> None:
    """Print the prompt for a picture that takes each aspect from A or from B: what is in A, made as B was."""
    from ..prompts import mix as mixed
    from ..prompts import render

    recipe = Recipe.from_texts(
        subject=subject, setting=setting, composition=composition, light=light, color=color, style=style
    )
    options = RenderOptions.from_texts(
        "everything", prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
    )
    options.check(family)
    seen_a, seen_b = _analyses([a, b], seed)
    analysis = mixed(seen_a, seen_b, recipe)
    try:
        found = render(analysis, family, options)
    except NothingToSay as error:
        raise NothingToSay("The mix of A and B says nothing; take other aspects, or more of them.") from error
    if output is Format.text:
        put(found.positive)
        return
    put_json(
        {
            "a": str(a),
            "b": str(b),
            **asdict(recipe),
            "family": family,
            "prompt": found.positive,
            "negative": found.negative,
            "art_style": found.style,
            "tokens": found.tokens,
            "token_budget": found.budget,
            "analysis": analysis.model_dump(mode="json"),
        }
    )


def _analyses(files: list[Path], seed: int) -> list[ImageAnalysis]:
    """What was found in each of these pictures. Only picture files are asked about, all at once."""
    read = {file: _only(file) for file in files if file == STDIN or file.suffix.lower() == ".json"}
    pictures = [file for file in dict.fromkeys(files) if file not in read]
    if pictures:
        engine = chosen_engine()
        answers = ask(engine, analysis_requests(pictures, seed=seed), len(pictures))
        read |= zip(pictures, answers, strict=True)
        say(who_answered(engine))
    return [read[file] for file in files]


def _only(file: Path) -> ImageAnalysis:
    """The one analysis in a file. Raises AnalysisError where there are more or none."""
    found = read_analyses(file)
    if len(found) != 1:
        raise AnalysisError(f"{file} holds {len(found)} analyses; name a file that holds one.")
    return found[0][1]
