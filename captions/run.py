"""A run: pictures through the engine into the outputs, any number of them, and gone on with after whatever ended it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..engine.errors import (
    Asleep,
    Busy,
    CacheError,
    EngineError,
    NoEngine,
    NoVision,
    SettingsError,
    StartFailed,
    UnknownModel,
    Unreachable,
    WrongKey,
)
from ..prompts.errors import Img2PromptError, PromptError
from .done import Names
from .find import Found, find
from .on_engine import OnEngine
from .outputs import Output, Sidecars, check_suffix
from .task import Outcome, Task

if TYPE_CHECKING:
    from ..engine import Engine
    from ..prompts import RenderOptions

ENDING = (
    *(Asleep, Busy, CacheError, NoEngine, NoVision, SettingsError, StartFailed, UnknownModel, Unreachable, WrongKey),
)
"""What would be every further picture's failure, too."""
MOST_TOLD = 1000
"""Failures that a summary holds; all of them are told as they happen."""
FAILED_ALIKE = 20
"""So many failures of the engine in a row: then it is the engine and not the pictures, where it has not answered at all
or says so itself."""
OF_SERVERS = (404, *range(500, 600))
"""HTTP statuses that say so."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that has no caption."""

    name: str
    why: str
    """One sentence: the cause and the next step."""


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    done: int = 0
    """Pictures that this run has written, embedded ones among them."""
    embedded: int = 0
    """Of these, the ones whose own prompt was taken."""
    skipped: int = 0
    """Pictures that every output had already."""
    failed: int = 0


@dataclass(slots=True)
class Summary(Progress):
    """What a run has done."""

    failures: list[Failure] = field(default_factory=list)
    """The first MOST_TOLD of them."""
    seconds: float = 0.0
    model: str = ""
    """Who was asked; "" where nobody was."""

    @property
    def pictures_per_s(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0

    def price(self, per_hour: float) -> float:
        """What 1,000 pictures cost on a machine that costs so much an hour; 0 where none was done."""
        return per_hour * self.seconds / 3600 * 1000 / self.done if self.done else 0.0

    def __str__(self) -> str:
        skipped = f", {self.skipped:,} were there already" if self.skipped else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.done:,} pictures in {self.seconds:,.1f} s ({self.pictures_per_s:.2f} a second){skipped}{failed}"


def caption(
    *sources: str | Path | Iterable[str | Path],
    families: Sequence[str] = ("sdxl",),
    sidecars: bool | None = None,
    into: str | Path | None = None,
    suffix: str = ".txt",
    jsonl: str | Path | None = None,
    csv: str | Path | None = None,
    parquet: str | Path | None = None,
    template: str = "{prompt}",
    options: RenderOptions | None = None,
    extra: str = "",
    seed: int = 0,
    min_confidence: float = 0.0,
    ignore_embedded: bool = False,
    overwrite: bool = False,
    limit: int | None = None,
    engine: Engine | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Summary:
    """Caption the pictures of folders, patterns, files or lists (see `find`), and write what is told.

    `sidecars` None: where no table is told, or `into` is. What an output has is left alone and not asked again, so the
    same call goes on where another ended; `overwrite` begins anew. A picture that cannot be captioned is a failure in
    the summary and ends nothing. `engine` None: the one of the settings.

    Raises CaptionError, PromptError for options that cannot be used, and EngineError when the engine cannot answer; all
    that was written until then stays.
    """
    from ..prompts.options import RenderOptions

    task = Task(
        tuple(families),
        options or RenderOptions(),
        template,
        extra=extra,
        seed=seed,
        min_confidence=min_confidence,
        ignore_embedded=ignore_embedded,
    )
    outputs = make_outputs(
        task, sidecars=sidecars, into=into, suffix=suffix, jsonl=jsonl, csv=csv, parquet=parquet, overwrite=overwrite
    )
    return run(find(*sources), task, outputs, engine, limit=limit, on_progress=on_progress, on_failure=on_failure)


def make_outputs(
    task: Task,
    *,
    sidecars: bool | None = None,
    into: str | Path | None = None,
    suffix: str = ".txt",
    jsonl: str | Path | None = None,
    csv: str | Path | None = None,
    parquet: str | Path | None = None,
    overwrite: bool = False,
) -> list[Output]:
    """The outputs that are told, none open yet. Parameters as in `caption`. Raises PromptError where there are none."""
    from .parquet import Parquet
    from .tables import Csv, JsonLines

    if sidecars is None:
        sidecars = into is not None or not (jsonl or csv or parquet)
    check_suffix(suffix)
    made: list[Output] = []
    if jsonl:
        made.append(JsonLines(Path(jsonl), task.families, overwrite=overwrite))
    if csv:
        made.append(Csv(Path(csv), task.families, overwrite=overwrite))
    if parquet:
        made.append(Parquet(Path(parquet), task.families, overwrite=overwrite))
    if sidecars:
        made.append(Sidecars(task.families, into=Path(into) if into else None, suffix=suffix, overwrite=overwrite))
    if not made:
        raise PromptError("Nothing would be written; leave out --no-sidecars, or name a table such as --jsonl FILE.")
    return made


def run(
    pictures: Iterable[Found],
    task: Task,
    outputs: Sequence[Output],
    engine: Engine | Captioner | None = None,
    *,
    limit: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Summary:
    """As `caption`, with outputs that are closed at the end, and by whatever captions where no engine is given."""
    task.check()
    began = time.monotonic()
    one = _Run(outputs, limit, on_progress or _ignore, on_failure or _ignore)
    with ExitStack() as stack:
        if engine is None:
            from ..engine.shared import bulk_engine

            engine = stack.enter_context(closing(bulk_engine()))
        for output in outputs:
            stack.callback(output.close)
            output.open()
        try:
            captioner = engine if isinstance(engine, Captioner) else OnEngine(engine)
            one.follow(captioner, task, iter(pictures))
        finally:
            one.summary.seconds = time.monotonic() - began
        one.summary.model = captioner.model if one.asked else ""
    return one.summary


@runtime_checkable
class Captioner(Protocol):
    """Who looks at the pictures: an engine here, or workers elsewhere."""

    def outcomes(self, task: Task, pictures: Iterator[tuple[Found, str]]) -> Generator[tuple[Found, Outcome]]:
        """What becomes of each picture, in their order; each comes with why it can have no caption, or "". They are
        read ahead, from any thread. Raises EngineError where nobody can answer."""
        ...

    @property
    def model(self) -> str:
        """Who was asked; "" where that is not known."""
        ...


class _Run:
    """One run. `_wanted` is read ahead of all else, on another thread perhaps."""

    def __init__(
        self,
        outputs: Sequence[Output],
        limit: int | None,
        on_progress: Callable[[Progress], None],
        on_failure: Callable[[Failure], None],
    ) -> None:
        self._outputs = outputs
        self._limit = limit
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._engine_failed = 0
        """Failures of the engine since it last answered."""
        self.summary = Summary()
        self.asked = False
        """Whether a model has answered."""

    def follow(self, captioner: Captioner, task: Task, pictures: Iterator[Found]) -> None:
        """Have all pictures captioned that an output lacks, and write what comes out, in their order."""
        with closing(captioner.outcomes(task, islice(self._wanted(pictures), self._limit))) as outcomes:
            for found, outcome in outcomes:
                self._take(found, outcome)
                self._on_progress(self.summary)

    def _wanted(self, pictures: Iterator[Found]) -> Iterator[tuple[Found, str]]:
        """Those pictures, each with why it can have no caption, or ""."""
        for found, why in once_each(pictures, self._outputs):
            if why or not all(output.has(found) for output in self._outputs):
                yield found, why
            else:
                self.summary.skipped += 1

    def _take(self, found: Found, outcome: Outcome) -> None:
        if isinstance(outcome, Img2PromptError):
            self._fail(found, outcome)
            return
        for output in self._outputs:
            if not output.has(found):
                output.write(found, outcome)
        embedded = outcome[0].source == "embedded"
        self.summary.done += 1
        self.summary.embedded += embedded
        if not embedded:
            self.asked, self._engine_failed = True, 0

    def _fail(self, found: Found, error: Img2PromptError) -> None:
        """Note it. Raises the error where it is not about this picture."""
        if isinstance(error, ENDING):
            raise error
        self._engine_failed += isinstance(error, EngineError)
        servers = (error.status or 0) in OF_SERVERS if isinstance(error, EngineError) else False
        if self._engine_failed >= FAILED_ALIKE and (servers or not self.asked):
            raise error
        failure = Failure(found.name, str(error))
        self.summary.failed += 1
        if len(self.summary.failures) < MOST_TOLD:
            self.summary.failures.append(failure)
        self._on_failure(failure)


def once_each(pictures: Iterable[Found], outputs: Sequence[Output]) -> Iterator[tuple[Found, str]]:
    """The pictures, each once however often it was found, with why it can have no caption, or ""."""
    with closing(Names()) as paths, closing(Names()) as names:
        for found in pictures:
            if not paths.add(str(found.path)):
                continue
            why = found.problem
            if not names.add(found.name):
                why = why or "Another picture is called so in the outputs; rename one of them."
            yield found, why or next(filter(None, [output.claim(found) for output in outputs]), "")


def _ignore(_: object) -> None:
    """What hears nothing."""
