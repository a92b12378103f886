"""`img2prompt eval REFERENCES`: how good the answers are, on pictures whose tags, prompt or caption are known."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..prompts.errors import Img2PromptError
from .console import Format, put, put_json, say, status_console
from .options import (
    DEFAULT_FAMILY,
    LOOK_AT,
    UNKNOWN_TAGS,
    FamilyOption,
    LookAtOption,
    SeedOption,
    TokenBudgetOption,
    UnknownTagsOption,
)

if TYPE_CHECKING:
    from ..evaluation.comparison import Comparison
    from ..evaluation.contenders import Asking, Contender
    from ..evaluation.references import Reference, TextIs
    from ..evaluation.run import Run

AGAINST = (
    "Compare with the same but for this, such as model=NAME or 'endpoint=URL temperature=0', once for each other side. "
    "Keys: endpoint, engine, model, precision, temperature, max_pixels, max_in_flight, family, preset, look_at, "
    "unknown_tags, closed_vocabulary, token_budget, seed."
)


def evaluate(
    references: Annotated[
        Path,
        typer.Argument(
            help='JSONL, a picture a line: {"image": "1.png", "tags": "a, b", "prompt": "…", "caption": "…"}; or a '
            "folder with metadata.jsonl.",
            show_default=False,
        ),
    ],
    against: Annotated[list[str] | None, typer.Option(help=AGAINST, show_default=False)] = None,
    family: FamilyOption = DEFAULT_FAMILY,
    preset: Annotated[
        str, typer.Option(help="Measure this text preset's texts as captions, such as detailed-caption.")
    ] = "",
    look_at: LookAtOption = LOOK_AT[0],
    token_budget: TokenBudgetOption = 0,
    seed: SeedOption = 0,
    unknown_tags: UnknownTagsOption = UNKNOWN_TAGS[0],
    closed_vocabulary: Annotated[
        bool, typer.Option(help="For families that want Danbooru's tags: let the model write no others.")
    ] = False,
    text_is: Annotated[str, typer.Option(help="What a line's text is: caption, prompt or tags.")] = "caption",
    limit: Annotated[int, typer.Option(min=0, help="The first so many pictures; 0: all.")] = 0,
    cached: Annotated[bool, typer.Option("--cached", help="Take answers that are kept on disk, too.")] = False,
    page: Annotated[
        Path | None, typer.Option(help="Write an HTML page with pictures to this file.", dir_okay=False, writable=True)
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="text: a table; json: everything.")] = Format.text,
) -> None:
    """Measure prompts, tags and captions on your own pictures, and compare engines, models or settings."""
    from ..evaluation.comparison import as_json
    from ..evaluation.contenders import Asking
    from ..evaluation.references import TEXT_IS, read_references

    if text_is not in TEXT_IS:
        raise typer.BadParameter(f"choose one of {', '.join(TEXT_IS)}.", param_hint="--text-is")
    _check_page(page)
    asking = Asking(family, preset, look_at, unknown_tags, closed_vocabulary, token_budget, seed)
    asking.check()
    sides = _sides(asking, against or [])
    known = read_references(references, cast("TextIs", text_is), limit)
    made = _measured(sides, known, cached)
    lost = len(sides) - len(made.runs)
    if output is Format.json:
        put_json(as_json(made, str(references)))
    else:
        _put_tables(made)
    if page is not None:
        _write_page(made, references, page)
    if lost:
        raise typer.Exit(1)


def _sides(asking: Asking, against: list[str]) -> list[Contender]:
    """The settings' own, and each that it is compared with. Raises typer.BadParameter."""
    from ..engine import Settings
    from ..evaluation.comparison import MOST_SIDES
    from ..evaluation.contenders import OWN, Contender
    from ..evaluation.errors import BadComparison

    if len(against) >= MOST_SIDES:
        raise typer.BadParameter(f"{MOST_SIDES - 1} other sides at most.", param_hint="--against")
    own = Contender(OWN, Settings.load(), asking)
    try:
        return [own, *(own.but(text) for text in against)]
    except BadComparison as error:
        raise typer.BadParameter(str(error), param_hint="--against") from error


def _measured(sides: list[Contender], known: list[Reference], cached: bool) -> Comparison:
    """Side after side, so that each has the engine and the GPU for itself. What ends one after the first is told, and
    what was measured before it is kept. Raises Img2PromptError."""
    from ..evaluation.comparison import LETTERS, Comparison
    from ..evaluation.run import reach, run
    from ..evaluation.tag_sets import TagSets

    for side in sides:
        reach(side)
    tag_sets = TagSets([side.family for side in sides])
    runs: list[Run] = []
    for number, side in enumerate(sides):
        name, more = f"{LETTERS[len(runs)]} {side.label}", number + 1 < len(sides)
        try:
            with _told(name, len(known)) as (report, progress):
                done = run(side, known, tag_sets, cached=cached, more_follow=more, report=report, progress=progress)
        except Img2PromptError as error:
            if not runs:
                raise
            say(f"{name}: {error}")
            continue
        say(f"{name}: {done.detail}")
        runs.append(done)
    return Comparison(known, runs)


@contextlib.contextmanager
def _told(name: str, total: int) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """What hears of a start, and of each picture: a progress bar on a terminal; elsewhere lines tell of the start."""
    if not status_console().is_terminal:
        yield say, lambda: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=status_console(), transient=True
    ) as bar:
        task = bar.add_task(name, total=total)
        yield lambda line: bar.update(task, description=line or name), lambda: bar.advance(task)


def _put_tables(made: Comparison) -> None:
    """Who took part, a table for each comparison, and what else is to be known."""
    from rich.console import Console
    from rich.table import Table

    from ..evaluation.comparison import LETTERS
    from ..evaluation.lines import notes, rows, side_line

    for side in range(len(made.runs)):
        put(side_line(made, side))
    put(f"{len(made.references)} pictures")
    console = Console(file=sys.stdout, highlight=False, markup=False)
    for side in range(1, len(made.runs)) if len(made.runs) > 1 else (0,):
        table = Table("measure", *(LETTERS[number] for number in sorted({0, side})))
        for name in [f"{LETTERS[side]} - A [95 %]", f"{LETTERS[side]} is"] if side else []:
            table.add_column(name)
        for row in rows(made, side):
            table.add_row(*row[: len(table.columns)])
        console.print(table)
    for note in notes(made):
        put(note)


def _check_page(page: Path | None) -> None:
    """Find out before anything is asked whether the page can be written. Raises typer.BadParameter."""
    if page is None:
        return
    why = ""
    if not page.parent.is_dir():
        why = f"there is no folder {page.parent}; make it first."
    elif not os.access(page.parent, os.W_OK):
        why = f"the folder {page.parent} cannot be written to; name another."
    elif page.suffix.lower() not in (".html", ".htm"):
        why = f"{page.name} is no name of an HTML page; let it end in .html."
    if why:
        raise typer.BadParameter(why, param_hint="--page")


def _write_page(made: Comparison, references: Path, page: Path) -> None:
    from ..evaluation.page import as_html

    document = as_html(made, references.name)
    try:
        page.write_text(document, encoding="utf-8", newline="\n")
    except OSError as error:
        raise Img2PromptError(f"{page} cannot be written ({error.strerror}); name another file.") from error
    say(f"Wrote {page}.")
