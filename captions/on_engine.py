"""Captions from an engine of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from .errors import CaptionError
from .find import Found
from .task import Carried, Outcome, Task

if TYPE_CHECKING:
    from ..engine import Engine
    from ..engine.stream import Step
    from ..prompts import ImageAnalysis, Request

PATIENCE_S = 300.0
"""How long an engine may be gone before a run ends."""


class OnEngine:
    """A Captioner (run.py) of one engine. Safe from several threads: they share the engine's places."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def model(self) -> str:
        return self._engine.status().model

    def outcomes(self, task: Task, pictures: Iterator[tuple[Found, str]]) -> Generator[tuple[Found, Outcome]]:
        """Put them all through the engine."""
        on_way: deque[Found] = deque()

        def jobs() -> Iterator[Callable[[], Request[ImageAnalysis] | Step[ImageAnalysis] | Carried]]:
            for found, why in pictures:
                on_way.append(found)
                yield partial(_asked, task, found, why)

        with closing(self._engine.stream(jobs(), patience_s=PATIENCE_S)) as answers:
            for answer in answers:
                found = on_way.popleft()
                yield found, task.outcome(found, answer)


def _asked(task: Task, found: Found, why: str) -> Request[ImageAnalysis] | Step[ImageAnalysis] | Carried:
    if why:
        raise CaptionError(why)
    return task.request(found)
