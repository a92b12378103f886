"""A run: pictures through the engine into the outputs, any number of them, and gone on with after whatever ended it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

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
from .errors import CaptionError
from .find import Found, find
from .outputs import Output, Sidecars, check_suffix
from .task import Carried, Task

if TYPE_CHECKING:
    from ..engine import Engine
    from ..engine.stream import Step
    from ..prompts import ImageAnalysis, RenderOptions, Request

PATIENCE_S = 300.0
"""How long an engine may be gone before a run ends."""
ENDING = (
    *(Asleep, Busy, CacheError, NoEngine, NoVision, SettingsError, StartFailed, UnknownModel, Unreachable, WrongKey),
)
"""What would be every further picture's failure, too."""
MOST_TOLD = 1000
"""Failures that a summary holds; all of them are told as they happen."""
FAILED_ALIKE = 20
"""So many failures of the engine, and nothing else, from the start: then it is the engine and not the pictures."""


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
    engine: Engine | None = None,
    *,
    limit: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Summary:
    """As `caption`, with outputs that are closed at the end."""
    task.check()
    began = time.monotonic()
    one = _Run(task, outputs, limit, on_progress or _ignore, on_failure or _ignore)
    with ExitStack() as stack:
        if engine is None:
            from ..engine.shared import bulk_engine

            engine = stack.enter_context(closing(bulk_engine()))
        for output in outputs:
            stack.callback(output.close)
            output.open()
        try:
            one.follow(engine, iter(pictures))
        finally:
            one.summary.seconds = time.monotonic() - began
        one.summary.model = engine.status().model if one.asked else ""
    return one.summary


class _Run:
    """One run. `_jobs` is read on a worker thread, ahead of all else."""

    def __init__(
        self,
        task: Task,
        outputs: Sequence[Output],
        limit: int | None,
        on_progress: Callable[[Progress], None],
        on_failure: Callable[[Failure], None],
    ) -> None:
        self._task = task
        self._outputs = outputs
        self._limit = limit
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._on_way: deque[Found] = deque()
        self._engine_failed = 0
        self.summary = Summary()
        self.asked = False
        """Whether a model has answered."""

    def follow(self, engine: Engine, pictures: Iterator[Found]) -> None:
        """Put all pictures through the engine and write what comes out, in their order."""
        with closing(engine.stream(self._jobs(pictures), patience_s=PATIENCE_S)) as answers:
            for answer in answers:
                self._take(self._on_way.popleft(), answer)
                self._on_progress(self.summary)

    def _jobs(
        self, pictures: Iterator[Found]
    ) -> Iterator[Callable[[], Request[ImageAnalysis] | Step[ImageAnalysis] | Carried]]:
        """What is to be done about each picture that an output lacks, each picture once."""
        for found, why in islice(self._wanted(pictures), self._limit):
            self._on_way.append(found)
            yield partial(self._request, found, why)

    def _wanted(self, pictures: Iterator[Found]) -> Iterator[tuple[Found, str]]:
        """Those pictures, each with why it can have no caption, or ""."""
        for found, why in once_each(pictures, self._outputs):
            if why or not all(output.has(found) for output in self._outputs):
                yield found, why
            else:
                self.summary.skipped += 1

    def _request(self, found: Found, why: str) -> Request[ImageAnalysis] | Step[ImageAnalysis] | Carried:
        if why:
            raise CaptionError(why)
        return self._task.request(found)

    def _take(self, found: Found, answer: ImageAnalysis | Carried | Img2PromptError) -> None:
        summary = self.summary
        if isinstance(answer, Img2PromptError):
            self._fail(found, answer)
            return
        try:
            rows = self._task.rows(found, answer)
        except PromptError as error:
            self._fail(found, error)
            return
        for output in self._outputs:
            if not output.has(found):
                output.write(found, rows)
        summary.done += 1
        summary.embedded += isinstance(answer, Carried)
        self.asked = self.asked or not isinstance(answer, Carried)

    def _fail(self, found: Found, error: Img2PromptError) -> None:
        """Note it. Raises the error where it is not about this picture."""
        if isinstance(error, ENDING):
            raise error
        self._engine_failed += isinstance(error, EngineError)
        if self._engine_failed == self.summary.failed + 1 == FAILED_ALIKE and not self.asked:
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
