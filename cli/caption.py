"""`img2prompt caption FOLDER…`: captions for whole folders of pictures, as files beside them or as tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..prompts.errors import Img2PromptError
from ..prompts.options import RenderOptions
from .console import Format, put_json, say, status_console
from .embedded import safe
from .listed import Listed
from .many import captioner, table_at
from .options import (
    DEFAULT_FAMILY,
    EMPHASIS,
    LOOK_AT,
    UNKNOWN_TAGS,
    EmphasisOption,
    LeaveOutOption,
    LookAtOption,
    MinConfidenceOption,
    PrefixOption,
    SeedOption,
    TokenBudgetOption,
    UnknownTagsOption,
)

if TYPE_CHECKING:
    from ..captions import Failure, Progress, Summary
    from ..captions.find import Found

STDIN = "-"
TOLD = 20
"""Failures that the summary repeats; each was told when it happened."""
LINE_EVERY_S = 30.0
"""Where nobody watches, so often a line tells how far it is."""
SHOWN = 10
"""Pictures that --dry-run names."""
INTERRUPTED = 130


def caption(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Folders (with all below them), patterns in quotes, pictures, Parquet files, each here or at a URL "
            "(s3://bucket/folder); - for a list on stdin."
        ),
    ],
    family: Annotated[
        list[str] | None, typer.Option(help=f"The model family; several times: a caption for each. [{DEFAULT_FAMILY}]")
    ] = None,
    sidecars: Annotated[
        bool | None,
        typer.Option("--sidecars/--no-sidecars", help="A text file beside each picture. [where no table is told]"),
    ] = None,
    into: Annotated[Path | None, typer.Option(help="A folder for these files instead, under the same names.")] = None,
    suffix: Annotated[str, typer.Option(help="Their ending.")] = ".txt",
    jsonl: Annotated[Path | None, typer.Option(help="A file with a JSON object a line, analyses with it.")] = None,
    csv: Annotated[Path | None, typer.Option(help="A table of comma-separated values.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="A folder of Parquet files (needs pyarrow).")] = None,
    column: Annotated[
        str | None,
        typer.Option(help="With the pictures, or their paths, in Parquet files that are read. [the only one]"),
    ] = None,
    template: Annotated[
        str, typer.Option(help="What is written, of {prompt}, {caption}, {tags} and {name}.")
    ] = "{prompt}",
    look_at: LookAtOption = LOOK_AT[0],
    extra: Annotated[str, typer.Option(help="Anything the model should pay attention to.")] = "",
    prefix: PrefixOption = "",
    leave_out: LeaveOutOption = "",
    token_budget: TokenBudgetOption = 0,
    seed: SeedOption = 0,
    emphasis: EmphasisOption = EMPHASIS[0],
    unknown_tags: UnknownTagsOption = UNKNOWN_TAGS[0],
    min_confidence: MinConfidenceOption = 0.0,
    ignore_embedded: Annotated[
        bool, typer.Option("--ignore-embedded", help="Ask the model also where a file carries the prompt that drew it.")
    ] = False,
    endpoint: Annotated[
        list[str] | None, typer.Option(help="Base URL of a server; several times: all are asked at one time.")
    ] = None,
    max_in_flight: Annotated[
        int, typer.Option(min=0, max=256, help="The most requests at one time for each server; 0: as many as pay.")
    ] = 0,
    ray: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Many machines: a Ray cluster's address, auto, or local (docs/scale.md)."),
    ] = "",
    table_url: Annotated[
        str, typer.Option("--output", metavar="URL", help="Parquet files that Ray writes there.")
    ] = "",
    workers: Annotated[int, typer.Option(min=0, help="Of --ray; 0: one for each machine.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew instead of going on.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run ended: what is always done.")] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many pictures.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    price_per_hour: Annotated[float, typer.Option(min=0, help="What the machine costs; tells the price.")] = 0.0,
    output: Annotated[Format, typer.Option("--format", help="Of the summary on stdout: text (none) or json.")] = (
        Format.text
    ),
) -> None:
    """Write a caption for each picture, thousands as well as ten.

    What is there already is left alone, so the same command goes on where another ended, however it ended. A picture
    that cannot be captioned is told and skipped; the exit code is 1 then.
    """
    from ..captions.run import make_outputs, run
    from ..captions.task import Task

    options = RenderOptions.from_texts(
        look_at, prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
    )
    families = tuple(family or [DEFAULT_FAMILY])
    task = Task(
        families,
        options,
        template,
        extra=extra,
        seed=seed,
        min_confidence=min_confidence,
        ignore_embedded=ignore_embedded,
    )
    task.check()
    places: dict[str, Any] = {"into": into, "suffix": suffix, "jsonl": jsonl, "csv": csv, "parquet": parquet}
    told = sidecars or any((into, jsonl, csv, parquet))
    outputs = []
    if told or not table_url:
        named = [source for source in sources if source != STDIN]
        outputs = make_outputs(task, named, sidecars=sidecars, overwrite=overwrite, **places)
    if table_url:
        outputs.append(table_at(table_url, task.families, ray, overwrite))
    if dry_run:
        _tell_dry(_pictures(sources, column, Listed()), outputs, limit)
        return
    engine = captioner(ray, workers, endpoint or (), max_in_flight)
    total = None if STDIN in sources or limit else _count(sources, column)
    last: list[Progress] = []
    with ExitStack() as stack:
        listed = stack.enter_context(closing(Listed()))
        stack.enter_context(closing(engine))
        on_progress = stack.enter_context(_watched(total, last))
        stack.enter_context(redirect_stdout(sys.stderr))  # Ray tells there of workers that die
        try:
            summary = run(
                _pictures(sources, column, listed),
                task,
                outputs,
                engine,
                limit=limit,
                on_progress=on_progress,
                on_failure=_tell,
            )
        except KeyboardInterrupt:
            again = f"Run the same again{', without --overwrite,' if overwrite else ''} to go on."
            say(" ".join(filter(None, ["Interrupted.", _so_far(last), again])))
            sys.exit(INTERRUPTED)
        except Img2PromptError:
            say(_so_far(last))
            raise
    _tell_summary(summary, price_per_hour, output)
    if summary.failed:
        sys.exit(1)


def _pictures(sources: list[str], column: str | None, listed: Listed) -> Iterator[Found]:
    from ..captions.find import find

    return find(*(listed if source == STDIN else source for source in sources), column=column)


def _count(sources: list[str], column: str | None) -> int:
    """How many pictures there are, for the bar."""
    return sum(1 for _ in _pictures(sources, column, Listed()))


def _watched(total: int | None, last: list[Progress]) -> AbstractContextManager[Callable[[Progress], None]]:
    """Tells how far a run is: a bar on a terminal, elsewhere a line now and then; `last` has the newest."""
    return _bar(total, last) if status_console().is_terminal else _lines(total, last)


@contextmanager
def _lines(total: int | None, last: list[Progress]) -> Iterator[Callable[[Progress], None]]:
    began = told = time.monotonic()

    def on_progress(progress: Progress) -> None:
        nonlocal told
        last[:] = [progress]
        now = time.monotonic()
        if now - told >= LINE_EVERY_S:
            told = now
            rate = progress.done / (now - began)
            left = f", {(total - _ended(progress)) / rate / 60:,.0f} min left" if total and rate else ""
            say(f"{_of(progress, total)}, {rate:.2f} a second{left}")

    yield on_progress


@contextmanager
def _bar(total: int | None, last: list[Progress]) -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=status_console(), transient=True) as bar:
        task = bar.add_task("pictures", total=total, rate="")

        def on_progress(progress: Progress) -> None:
            last[:] = [progress]
            speed = bar.tasks[0].speed
            bar.update(task, completed=_ended(progress), rate=f"{speed:.1f}/s" if speed else "")

        yield on_progress


def _ended(progress: Progress) -> int:
    return progress.done + progress.failed + progress.skipped


def _of(progress: Progress, total: int | None) -> str:
    return f"{_ended(progress):,}" + (f" of {total:,}" if total is not None else "") + " pictures"


def _so_far(last: list[Progress]) -> str:
    if not last:
        return ""
    said = f"{last[0].done:,} pictures have their captions; they stay."
    if last[0].lost:
        said += (
            f" {last[0].lost:,} more were answered and could not be written; where answers are kept "
            "(IMG2PROMPT_CACHE), the model is not asked about them again."
        )
    return said


def _tell(failure: Failure) -> None:
    say(safe(f"{failure.name}: {failure.why}"))


def _tell_summary(summary: Summary, price_per_hour: float, output: Format) -> None:
    say(f"{summary}.")
    if summary.embedded:
        say(f"{summary.embedded:,} of them carry their prompt, which was taken; --ignore-embedded asks the model.")
    if price_per_hour:
        say(f"1,000 pictures cost {summary.price(price_per_hour):.2f} at {price_per_hour:g} an hour.")
    if summary.failed:
        say(f"{summary.failed:,} have no caption:")
        for failure in summary.failures[:TOLD]:
            _tell(failure)
        if summary.failed > TOLD:
            say(f"… and {summary.failed - TOLD:,} more, told above.")
    if output is Format.json:
        put_json(
            {
                "done": summary.done,
                "embedded": summary.embedded,
                "skipped": summary.skipped,
                "failed": summary.failed,
                "failures": [{"name": one.name, "why": one.why} for one in summary.failures],
                "seconds": round(summary.seconds, 3),
                "pictures_per_s": round(summary.pictures_per_s, 3),
                "model": summary.model,
                "price_per_1000": round(summary.price(price_per_hour), 6) if price_per_hour else None,
            }
        )


def _tell_dry(pictures: Iterator[Found], outputs: list[Any], limit: int | None) -> None:
    """What a run would do: how many pictures it would ask about, and the first of them."""
    from ..captions.run import once_each

    wanted = there = cannot = 0
    for output in outputs:
        output.look()
    for found, why in once_each(pictures, outputs):
        if why:
            cannot += 1
            say(safe(f"{found.name}: {why}"))
        elif all(output.has(found) for output in outputs):
            there += 1
            continue
        else:
            wanted += 1
            if wanted <= SHOWN:
                say(safe(found.name))
        if wanted + cannot == limit:
            break
    more = f", of which {SHOWN} are named" if wanted > SHOWN else ""
    failed = f" {cannot:,} cannot be." if cannot else ""
    say(f"{wanted:,} pictures would be captioned{more}; {there:,} are there already.{failed} Nothing was done.")
