"""What can answer a request: an endpoint, a managed vLLM, or the sketch. This is all the engine knows about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..prompts.request import Answer, Request

Report = Callable[[str], None]
"""Takes one line about how far a start is, "" when it is over; called on the engine's thread, so it must be quick."""


@dataclass(frozen=True, slots=True)
class Status:
    """Who answers, for people to read."""

    engine: str
    """ "endpoint", "managed" or "sketch"."""
    model: str
    """The model's name, or "" while it is not known."""
    endpoint: str
    """The base URL without any password, or ""."""
    detail: str
    """One plain sentence: how it stands now."""


class Backend(Protocol):
    """One way to get answers. All its coroutines run on the engine's loop; CPU work goes to `asyncio.to_thread`,
    whose few threads are the engine's. It may be used again after `close()`, on another loop."""

    name: str
    """ "endpoint", "managed" or "sketch"."""

    async def ready(self, report: Report) -> None:
        """Get ready to answer; idempotent, never called twice at one time. Raises EngineError."""
        ...

    async def answer(self, request: Request[Answer]) -> Answer:
        """Answer one request. Raises EngineError or PictureError; a cancelled call stops its work at once.

        It should drop its reference to the request once the pictures are encoded: they may be large.
        """
        ...

    def identity(self) -> str:
        """What distinguishes its answers from another's, for the cache: where and which model, or a version."""
        ...

    def status(self) -> Status:
        """How it stands, without asking anybody: from any thread, at any time."""
        ...

    async def close(self) -> None:
        """Let go of connections and processes; idempotent. It may run at interpreter exit: start no thread in it."""
        ...
