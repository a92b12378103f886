"""`img2prompt eval REFERENCES`: how good the answers are, on pictures whose tags, prompt or caption are known."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
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
    from ..evaluation.saved import Saved
    from ..evaluation.tag_sets import TagSets

AGAINST = (
    "Compare with the same but for this, such as model=NAME or 'endpoint=URL temperature=0', once for each other side. "
    "Keys: endpoint, engine, model, precision, temperature, max_pixels, max_in_flight, family, preset, look_at, "
    "unknown_tags, closed_vocabulary, token_budget, seed. Or saved=FILE: what --save wrote before."
)
BASELINE = (
    "Compare the others with this, in place of your settings; as --against. Without --against, yours are the other."
)
SAVE = "Write everything to this new JSON file, for a later --against saved=FILE."


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
    baseline: Annotated[str, typer.Option(help=BASELINE, show_default=False)] = "",
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
    save: Annotated[Path | None, typer.Option(help=SAVE, dir_okay=False, writable=True)] = None,
    output: Annotated[Format, typer.Option("--format", help="text: a table; json: everything.")] = Format.text,
) -> None:
    """Measure prompts, tags and captions on your own pictures, and compare engines, models or settings."""
    from ..evaluation.contenders import Asking
    from ..evaluation.document import as_json, write, write_whole
    from ..evaluation.references import TEXT_IS, read_references

    if text_is not in TEXT_IS:
        raise typer.BadParameter(f"choose one of {', '.join(TEXT_IS)}.", param_hint="--text-is")
    _check_file(page, "--page", "an HTML page", (".html", ".htm"))
    _check_file(save, "--save", "a JSON file", (".json",))
    if save is not None and save.exists():
        raise typer.BadParameter(f"{save} is there already; name a new file, or remove it.", param_hint="--save")
    asking = Asking(family, preset, look_at, unknown_tags, closed_vocabulary, token_budget, seed)
    asking.check()
    sides = _sides(asking, against or [], baseline)
    known = read_references(references, cast("TextIs", text_is), limit)
    keep = None if save is None else partial(write_whole, save, str(references))
    made = _measured(sides, known, cached, keep)
    if keep is not None:
        keep(made)
        say(f"Wrote {save}.")
    lost = len(sides) - len(made.runs)
    if output is Format.json:
        put_json(as_json(made, str(references)))
    else:
        _put_tables(made)
    if page is not None:
        from ..evaluation.page import as_html

        write(page, as_html(made, references.name))
        say(f"Wrote {page}.")
    if lost:
        raise typer.Exit(1)


def _sides(asking: Asking, against: list[str], baseline: str) -> list[Contender | Saved]:
    """The settings' own, or the baseline, and each that it is compared with. Raises typer.BadParameter."""
    from ..engine import Settings
    from ..evaluation.comparison import MOST_SIDES
    from ..evaluation.contenders import OWN, Contender
    from ..evaluation.errors import BadComparison
    from ..evaluation.lines import plain
    from ..evaluation.saved import read_saved

    if len(against) >= MOST_SIDES:
        raise typer.BadParameter(f"{MOST_SIDES - 1} other sides at most.", param_hint="--against")
    own = Contender(OWN, Settings.load(), asking)
    sides: list[Contender | Saved] = [] if baseline else [own]
    for option, text in [*([("--baseline", baseline)] if baseline else []), *(("--against", text) for text in against)]:
        try:
            sides.append(read_saved(text) or own.but(text))
        except BadComparison as error:
            raise typer.BadParameter(plain(str(error)), param_hint=option) from error
    return sides if against or not baseline else [*sides, own]


def _measured(
    sides: list[Contender | Saved], known: list[Reference], cached: bool, keep: Callable[[Comparison], None] | None
) -> Comparison:
    """Side after side, so that each has the engine and the GPU for itself. What ends one after the first is told, and
    what was measured before it is kept: `keep` is called after each that was asked. Raises Img2PromptError."""
    from ..evaluation.comparison import LETTERS, Comparison
    from ..evaluation.lines import plain
    from ..evaluation.run import reach
    from ..evaluation.saved import Saved, in_common
    from ..evaluation.tag_sets import TagSets

    known, remarks = in_common(known, [side for side in sides if isinstance(side, Saved)])
    for remark in remarks:
        say(plain(remark))
    tag_sets = TagSets([side.family for side in sides])
    saved = {number: side.run(known, tag_sets) for number, side in enumerate(sides) if isinstance(side, Saved)}
    for side in sides:
        if not isinstance(side, Saved):
            reach(side)
    runs: list[Run] = []
    for number, side in enumerate(sides):
        if isinstance(side, Saved):
            runs.append(saved[number])
            continue
        name = f"{LETTERS[len(runs)]} {side.label}"
        more = any(not isinstance(later, Saved) for later in sides[number + 1 :])
        try:
            done = _asked(side, name, known, tag_sets, cached, more)
        except Img2PromptError as error:
            if not runs:
                raise
            say(f"{name}: {error}")
            continue
        say(f"{name}: {done.detail}")
        runs.append(done)
        if keep is not None and more:
            keep(Comparison(known, runs, remarks=remarks))
    return Comparison(known, runs, remarks=remarks)


def _asked(
    side: Contender, name: str, known: list[Reference], tag_sets: TagSets, cached: bool, more_follow: bool
) -> Run:
    from ..evaluation.run import run

    with _told(name, len(known)) as (report, progress):
        return run(side, known, tag_sets, cached=cached, more_follow=more_follow, report=report, progress=progress)


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


def _check_file(file: Path | None, option: str, kind: str, endings: tuple[str, ...]) -> None:
    """Find out before anything is asked whether it can be written. Raises typer.BadParameter."""
    if file is None:
        return
    why = ""
    if not file.parent.is_dir():
        why = f"there is no folder {file.parent}; make it first."
    elif not os.access(file.parent, os.W_OK):
        why = f"the folder {file.parent} cannot be written to; name another."
    elif file.suffix.lower() not in endings:
        why = f"{file.name} is no name of {kind}; let it end in {endings[0]}."
    else:
        try:
            file.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            why = f"it cannot be written ({error.strerror}); name another."
    if why:
        raise typer.BadParameter(why, param_hint=option)
