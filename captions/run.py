"""A run: pictures through the engine into the outputs, any number of them, and gone on with after whatever ended it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
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
from ..prompts.errors import Img2PromptError
from .done import Names
from .errors import StoreError
from .find import Found, find
from .making import make_outputs
from .on_engine import OnEngine
from .outputs import Output
from .summary import Failure, Progress, Summary
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
or says so itself. So it is with a store."""
OF_SERVERS = (404, *range(500, 600))
"""HTTP statuses that say so."""


def caption(
    *sources: str | Path | Iterable[str | Path],
    families: Sequence[str] = ("sdxl",),
    sidecars: bool | None = None,
    into: str | Path | None = None,
    suffix: str = ".txt",
    jsonl: str | Path | None = None,
    csv: str | Path | None = None,
    parquet: str | Path | None = None,
    column: str | None = None,
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
    """Caption the pictures of folders, patterns, files or lists (see `find`, also for `column`), here or in stores, and
    write what is told.

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
    places = {"into": into, "jsonl": jsonl, "csv": csv, "parquet": parquet}
    outputs = make_outputs(task, sources, sidecars=sidecars, suffix=suffix, overwrite=overwrite, **places)
    pictures = find(*sources, column=column)
    return run(pictures, task, outputs, engine, limit=limit, on_progress=on_progress, on_failure=on_failure)


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
        stack.callback(one.take_back)  # after all are closed
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
        self._writing = ""
        """The name of the picture that is being written."""
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
        self._writing = found.name
        for output in self._outputs:
            if not output.has(found):
                output.write(found, outcome)
        self._writing = ""
        embedded = outcome[0].source == "embedded"
        self.summary.done += 1
        self.summary.embedded += embedded
        if not embedded:
            self.asked, self._engine_failed = True, 0

    def take_back(self) -> None:
        """Count no picture as done that an output could not write in the end."""
        lost = frozenset[str]().union(*(output.lost for output in self._outputs))
        self.summary.lost = len(lost)
        self.summary.done -= len(lost - {self._writing})

    def _fail(self, found: Found, error: Img2PromptError) -> None:
        """Note it. Raises the error where it is not about this picture."""
        if isinstance(error, ENDING):
            raise error
        self._engine_failed += isinstance(error, EngineError | StoreError)
        servers = (error.status or 0) in OF_SERVERS if isinstance(error, EngineError) else isinstance(error, StoreError)
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
            if not paths.add(found.key):
                continue
            why = found.problem
            if not names.add(found.name):
                why = why or "Another picture is called so in the outputs; rename one of them."
            yield found, why or next(filter(None, [output.claim(found) for output in outputs]), "")


def _ignore(_: object) -> None:
    """What hears nothing."""
