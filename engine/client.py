"""The backend that asks one OpenAI-compatible endpoint: finds out who answers there, and puts requests to it.

No message, status or `repr` shows the API key.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from ..prompts.confidence import Probabilities
from ..prompts.request import Answer, Request
from .address import is_here, normalized, sendable
from .answers import Answers
from .backend import UNWATCHED, Report, Status, Watch
from .chat import ASKED_AGAIN, Chat, read_reply, streamed, to_body
from .context import Context, check_fits, pixels_each, pixels_to_send
from .errors import UnknownModel, Unreachable
from .load import Load
from .pace import Pace
from .reads import Reads
from .room import Room
from .served import Served
from .settings import Settings
from .streaming import tokens_of
from .wire import Wire, Wrote

LOOK_S = 1.0
"""Between two looks at how many requests wait in vLLM."""


class ChatClient:
    """The backend that asks an endpoint. Use it on one event loop at a time."""

    name = "endpoint"
    gpu_bytes = 0

    def __init__(
        self,
        settings: Settings,
        base_url: str,
        api_key: str = "",
        *,
        model: str | None = None,
        load: Load | None = None,
    ) -> None:
        """`model` None: the one in the settings; "": the first that is served. `load` counts for several clients."""
        self.base_url = normalized(base_url)
        self._settings = settings
        self._key = sendable(api_key)
        self._wanted = settings.model if model is None else model
        self._answers = Answers(settings, here=is_here(self.base_url))
        self.room = Room()
        self.load = Load() if load is None else load
        self._served: Served | None = None
        self._lost = False
        """Something failed in a way that may mean another server: `ready()` asks again who is there."""
        self._begin()

    def _begin(self) -> None:
        """What belongs to one event loop."""
        self._wire: Wire | None = None
        self.pace = Pace(self._settings.max_in_flight)
        self._looked_at, self._looking = float("-inf"), asyncio.Lock()
        self._reads = Reads()
        self._starting = asyncio.Lock()

    async def ready(self, report: Report) -> None:
        """Learn from GET /models which model answers, how long its context is, and whether the server is vLLM: quick,
        so nothing is reported."""
        async with self._starting:
            if self._wire is not None and self._served is not None and not self._lost:
                return
            if self._wire is None:
                self._wire = await asyncio.to_thread(Wire, self._settings, self.base_url, self._key)
            self._served = await self._wire.ask_what_is_served(self._wanted)
            self._lost = False

    async def wake(self, report: Report) -> None:
        """Another's server: it is awake or not as its owner likes."""

    async def answer(self, request: Request[Answer], report: Report, watch: Watch = UNWATCHED) -> Answer:
        """The cached answer, or the model's. Raises EngineError or PictureError."""
        pixels = pixels_to_send(request, self.context, report)
        answering = self._answers.get(request, pixels, self.identity(), lambda chat: self.ask(chat, watch))
        del request
        return await answering

    @property
    def context(self) -> Context:
        """The model's, as the server told it, or as the settings have it where it did not."""
        return (self._served or Served((), self._wanted, is_vllm=False)).context(self._settings)

    def pixels_each(self, request: Request[Any]) -> int:
        return pixels_each(request, self.context)

    def wanted(self) -> int:
        return self.pace.wanted

    def identity(self) -> str:
        return f"{self.base_url} {self._served.model if self._served else self._wanted}"

    def status(self) -> Status:
        served, model = self._served, self._wanted
        detail = f"{self.base_url} has not been asked yet."
        if served is not None:
            model, kind = served.model, "vLLM" if served.is_vllm else "an OpenAI-compatible server"
            detail = f"{kind} at {self.base_url} serves {model}."
        return Status(
            *(self.name, model, self.base_url, detail),
            cache_hits=self._answers.hits,
            cache_misses=self._answers.misses,
            running=self.load.running,
            waiting=self.load.waiting,
            tokens_per_s=self.load.tokens_per_s,
        )

    async def sleep(self) -> None:
        """Another's server: nothing of it is ours to put to sleep."""

    async def stop(self) -> None:
        """Another's server: it is not ours to end."""

    async def close(self) -> None:
        wire = self._wire
        self._begin()
        if wire is not None:
            await wire.close()
        self._answers.close()

    async def ask(self, chat: Chat[Answer], watch: Watch = UNWATCHED) -> Answer:
        """One answer from the model; a second try with another seed when the first is none that another seed may mend.
        After `ready()`.

        Raises EngineError.
        """
        wire, served = self._wire, self._served
        if wire is None or served is None:
            raise RuntimeError("ready() comes before answer()")
        check_fits(chat, self.context)
        if issubclass(chat.answer, Probabilities):
            read = await self._reads.answer(
                chat, served, lambda body: self._in_turn(wire, served, lambda: (body(), None))
            )
            return chat.answer(yes=read.yes)
        with contextlib.suppress(*ASKED_AGAIN):
            return read_reply(await self._ask_once(wire, served, chat, watch, again=False), chat.answer)
        return read_reply(await self._ask_once(wire, served, chat, watch, again=True), chat.answer)

    async def _ask_once(self, wire: Wire, served: Served, chat: Chat[Answer], watch: Watch, *, again: bool) -> object:
        """The reply to one request, streamed where somebody listens when its turn has come."""
        with self.load.waits():
            body = await asyncio.to_thread(to_body, chat, model=served.model, for_vllm=served.is_vllm, again=again)

        def sent() -> tuple[bytes, Wrote | None]:
            return (streamed(body, for_vllm=served.is_vllm), watch.wrote) if watch.asked() else (body, None)

        return await self._in_turn(wire, served, sent)

    async def _in_turn(self, wire: Wire, served: Served, sent: Callable[[], tuple[bytes, Wrote | None]]) -> object:
        """The reply to one body, which is made when its turn has come."""
        with self.load.waits():
            await self.pace.enter()
        try:
            with self.load.runs():
                body, wrote = sent()
                reply = await wire.post(body, wrote, self.pace.refused)
                self.load.wrote(tokens_of(reply))
            self.pace.answered()
            if served.is_vllm and self.pace.crowded:
                await self._look(wire)
            return reply
        except (UnknownModel, Unreachable):
            self._lost = True
            raise
        finally:
            self.pace.leave()

    async def _look(self, wire: Wire) -> None:
        """See how many requests wait in vLLM, once in a while: whoever comes first looks, for all."""
        if self._looking.locked() or time.monotonic() - self._looked_at < LOOK_S:
            return
        async with self._looking:
            self._looked_at = time.monotonic()
            self.pace.told(await wire.metrics())
