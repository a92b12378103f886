"""One side of an evaluation: every picture is asked about, and what comes is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ..engine.backend import Report, Watch
from ..engine.errors import EngineError
from ..engine.shared import choose_backend
from ..prompts.errors import Img2PromptError
from .contenders import Contender, Side
from .errors import EvaluationError
from .references import Reference
from .scores import Outcome, Written, lost, measured
from .tag_sets import TagSets

if TYPE_CHECKING:
    from ..engine import Engine

HANDED_OVER = 64
"""Requests at most that the engine has; it opens their pictures when their turn comes."""
HOPELESS = 32
"""So many failures, and nothing else from the start, end a run."""
LOOK_S = 0.2
"""Between two looks for Ctrl-C."""

Progress = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What one side did, picture by picture in the references' order."""

    side: Side
    engine: str
    model: str
    detail: str
    """One sentence: who answered."""
    outcomes: tuple[Outcome, ...]
    wall_s: float
    """From the first picture to the last, without the engine's start."""
    pictures: int
    """So many the time was for; a saved run may have had others, too."""

    @property
    def pictures_per_s(self) -> float | None:
        return self.pictures / self.wall_s if self.wall_s else None

    @property
    def failures(self) -> dict[str, int]:
        """How many, by kind, the most frequent first."""
        kinds = [outcome.failure for outcome in self.outcomes if outcome.failure]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds), key=lambda kind: (-kinds.count(kind), kind))}


def run(
    contender: Contender,
    references: Sequence[Reference],
    tag_sets: TagSets,
    *,
    cached: bool = False,
    more_follow: bool = False,
    report: Report = lambda line: None,
    progress: Progress = lambda: None,
) -> Run:
    """Ask about every picture, and measure. `cached`: answers that are kept on disk count, too, where the settings keep
    any. `more_follow`: an engine of ours gives the GPU back at the end, for the next. `report` hears how the engine
    starts, on its thread; `progress` is called after each picture.

    What goes wrong with one picture is its outcome. Raises EngineError where the engine cannot be reached or started,
    EvaluationError where nothing but failures comes.
    """
    from ..engine import Engine

    settings = contender.settings if cached else contender.settings.model_copy(update={"cache": False})
    engine = Engine(choose_backend(settings), settings)
    try:
        engine.wake(report)
        began = time.perf_counter()
        outcomes = _all(engine, contender, references, tag_sets, progress)
        wall_s = time.perf_counter() - began
        status = engine.status()
        detail = status.detail + (_given_back(engine) if more_follow else "")
    finally:
        engine.close()
    return Run(contender.side, status.engine, status.model, detail, tuple(outcomes), wall_s, len(outcomes))


def _given_back(engine: Engine) -> str:
    """Have the GPU given back to whoever is next; what went wrong with it, which costs no measurement."""
    try:
        if engine.gpu_bytes:
            engine.sleep()
    except EngineError as error:
        return f" It did not give the GPU back: {error}"
    return ""


def reach(contender: Contender) -> None:
    """Find out whether somebody could answer, before hours go into other sides; starts nothing. Raises EngineError."""
    from ..engine import Engine

    backend = choose_backend(contender.settings)
    if backend.name == "managed":
        return
    engine = Engine(backend, contender.settings)
    try:
        engine.wake()
    finally:
        engine.close()


def _all(
    engine: Engine, contender: Contender, references: Sequence[Reference], tag_sets: TagSets, progress: Progress
) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    for index, answered in _answered(engine, contender, references):
        outcomes[index] = answered.outcome(contender, references[index], tag_sets)
        progress()
        if len(outcomes) == min(HOPELESS, len(references)) and not any(one.written for one in outcomes.values()):
            raise EvaluationError(
                f"Nothing to measure of {contender.label}: {len(outcomes)} pictures failed and none was answered, the "
                f"last so: {outcomes[index].message}"
            )
    return [outcomes[index] for index in range(len(references))]


class _Asked(Watch):
    """One picture's question on its way."""

    def __init__(self) -> None:
        self.times = 0
        self.began_s = self.ended_s = 0.0
        self.future: Future[list[Any]]

    def asked(self) -> bool:
        self.times += 1
        self.began_s = self.began_s if self.times > 1 else time.perf_counter()
        return False

    def outcome(self, contender: Contender, reference: Reference, tag_sets: TagSets) -> Outcome:
        """What became of it. Raises what is none of our errors."""
        seconds = self.ended_s - self.began_s if self.times else None
        in_tags = contender.family.form == "tags"
        try:
            (answer,) = self.future.result()
            written = _written(answer, contender)
            return measured(reference, written, tag_sets, in_tags=in_tags, asked=self.times, seconds=seconds)
        except Img2PromptError as error:
            return lost(type(error).__name__, str(error), self.times)


def _answered(engine: Engine, contender: Contender, references: Sequence[Reference]) -> Iterator[tuple[int, _Asked]]:
    """The pictures' questions as they are answered or fail, in any order, each with its index. Closing
    the engine cancels those that are on their way."""
    ended: SimpleQueue[int] = SimpleQueue()
    flying: dict[int, _Asked] = {}
    waiting = iter(enumerate(references))

    def hand_over(index: int, reference: Reference) -> None:
        flying[index] = asked = _Asked()
        requests = contender.asking.requests(reference.image)
        asked.future = engine.submit_many(requests, total=1, watch=lambda _: asked)
        asked.future.add_done_callback(lambda _: _note(asked, index, ended))

    for index, reference in islice(waiting, HANDED_OVER):
        hand_over(index, reference)
    while flying:
        try:
            index = ended.get(timeout=LOOK_S)
        except Empty:
            continue
        yield index, flying.pop(index)
        for index, reference in islice(waiting, 1):
            hand_over(index, reference)


def _note(asked: _Asked, index: int, ended: SimpleQueue[int]) -> None:
    asked.ended_s = time.perf_counter()
    ended.put(index)


def _written(answer: Any, contender: Contender) -> Written:
    """What an answer comes to. Raises PromptError where it says nothing."""
    from ..prompts import finished_text, render
    from ..prompts.texts import ImageText

    if isinstance(answer, ImageText):
        return Written(caption=finished_text(answer))
    prompt = render(answer, contender.family, contender.asking.options)
    return Written(prompt.positive, prompt.caption, tuple(answer.tags), prompt.tokens, prompt.budget)
