"""What can answer a request: an endpoint, a managed vLLM, or the sketch. This is all the engine knows about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..prompts.request import Answer, Request
from .room import Room

Report = Callable[[str], None]
"""Takes one line about how far a start is, "" when it is over; called on the engine's thread, so it must be quick."""


class Watch:
    """What the caller of one request hears of it while it is answered, on the engine's thread, so it must be quick.

    This one hears nothing. A request that is never `asked` was answered from the disk, or by a backend without a model.
    """

    def asked(self) -> bool:
        """The model is asked now, or once more: what it has written so far counts no more. Whether its words are wanted
        as it writes them, which costs the engine something for each."""
        return False

    def wrote(self, text: str) -> None:
        """The next words of the answer, which is JSON. Only where `asked()` wanted them."""


UNWATCHED = Watch()


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
    phase: str = ""
    """Of a managed engine: "stopped", "starting", "awake", "asleep" or "failed"; "" of the others."""
    cache_hits: int = 0
    """Requests of this process that were answered from the disk."""
    cache_misses: int = 0
    """Requests of this process for which the model was asked."""
    progress: str = ""
    """How far a start or wake is, in a few words; "" when there is none."""
    gpu_bytes: int = 0
    """What it takes of this machine's GPU when it is awake; 0 without a GPU of its own."""
    running: int = 0
    """Requests of this process that the model answers now."""
    waiting: int = 0
    """Requests of this process that wait for their turn, or for the GPU."""
    tokens_per_s: float = 0.0
    """What the model has written lately, for all requests of this process together; 0 where that is not known."""
    log_tail: str = ""
    """The last lines that a failed server has said."""


class Backend(Protocol):
    """One way to get answers. All its coroutines run on the engine's loop; CPU work goes to `asyncio.to_thread`,
    whose few threads are the engine's. It may be used again after `close()`, on another loop."""

    name: str
    """ "endpoint", "managed" or "sketch"."""
    room: Room
    """Where its requests ask for room on the GPU; untouched by backends that have no GPU of their own."""

    @property
    def gpu_bytes(self) -> int:
        """What it takes of this machine's GPU when it is awake, in bytes; 0 without a GPU of its own."""
        ...

    async def ready(self, report: Report) -> None:
        """Find out who will answer, without starting or waking anything; idempotent. Raises EngineError."""
        ...

    async def wake(self, report: Report) -> None:
        """Have the model where it can answer, starting its server where that is ours; idempotent, and whoever comes
        meanwhile waits for the first. After `ready()`. Raises EngineError."""
        ...

    async def answer(self, request: Request[Answer], report: Report, watch: Watch = UNWATCHED) -> Answer:
        """Answer one request, waking the model where that needs it, which `report` is told of. After `ready()`.

        Raises EngineError or PictureError; a cancelled call stops its work at once.

        It should drop its reference to the request once the pictures are encoded: they may be large.
        """
        ...

    def pixels_each(self, request: Request[Any]) -> int:
        """How many pixels each picture of such a request may have: larger ones are scaled down to it, so that all fit
        into the model's context. After `ready()`; quick. Raises Refused where they cannot."""
        ...

    def wanted(self) -> int:
        """How many requests it is worth to hand over now: those that it answers at one time, and some that are made
        ready meanwhile. It may change with every answer."""
        ...

    def identity(self) -> str:
        """What distinguishes its answers from another's, for the cache: where and which model, or a version."""
        ...

    def status(self) -> Status:
        """How it stands, without asking anybody: from any thread, at any time."""
        ...

    async def sleep(self) -> None:
        """Give the GPU's memory back; requests in flight are kept and go on after the wake. Idempotent; nothing where
        there is none to give. Raises EngineError."""
        ...

    async def stop(self) -> None:
        """End the server for everybody on this machine, if it is ours; the next request starts it again. Idempotent."""
        ...

    async def close(self) -> None:
        """Let go of connections and processes; idempotent. It may run at interpreter exit: start no thread in it."""
        ...
