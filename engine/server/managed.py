"""The backend that runs its own vLLM: one for all nodes and processes of a user, started or woken by the first request
that the disk cannot answer.

It holds a lease on the engine's folder (folder.py) and asks through `ChatClient`. When the server dies, the supervisor
starts it again, and the requests that were in flight are sent once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ...prompts.request import Answer, Request
from ..answers import Answers
from ..backend import UNWATCHED, Report, Status, Watch
from ..chat import Chat
from ..context import Context, pixels_each, pixels_to_send
from ..errors import Asleep, EngineError, Unreachable
from ..room import Room
from ..settings import Settings
from . import control
from .connection import DYING_S, POLL_S, TOLD_TO, Connection, Served
from .folder import describe, phase_of
from .launch import Launch

WATCH_S = 0.5
SERVER_FAULT = 500
"""HTTP statuses from here on are the server's own failures."""
AS_PLANNED = "set IMG2PROMPT_MAX_MODEL_LEN to {needed} or more"

_rooms: WeakValueDictionary[Path, Room] = WeakValueDictionary()
"""By the engine's folder."""


class ManagedBackend:
    """One vLLM for one set of settings. Use it on one event loop at a time."""

    name = "managed"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._answers = Answers(settings, here=True)
        self._connection = Connection(settings)
        self.room = Room()
        """The same for all backends of this process that use one server."""
        self._waking: asyncio.Task[Served] | None = None
        """The start or wake that runs now; it goes on when who waits for it is cancelled."""
        self._watcher: asyncio.Task[None] | None = None
        self._sleeps = 0
        """How often it has been found or put asleep."""

    @property
    def launch(self) -> Launch:
        """How it is started here. The first time asks the GPU's driver and may take a second. Raises StartFailed."""
        launch = self._connection.launch
        self.room = _rooms.setdefault(launch.folder.path, self.room)
        return launch

    @property
    def gpu_bytes(self) -> int:
        return self.launch.gpu_bytes

    def wanted(self) -> int:
        served = self._connection.served
        return served.client.wanted() if served is not None else 2 * self._settings.max_in_flight

    def identity(self) -> str:
        return self.launch.identity()

    @property
    def _context(self) -> Context:
        """The running server's, whoever planned it; before any start the plan's."""
        plan, served = self.launch.plan, self._connection.served
        tokens = served.client.context.tokens if served is not None else plan.max_model_len
        return Context(tokens, min(self._settings.max_pixels, plan.max_pixels), AS_PLANNED)

    def pixels_each(self, request: Request[Any]) -> int:
        return pixels_each(request, self._context)

    async def ready(self, report: Report) -> None:
        """Plan; nothing is started. Raises StartFailed."""
        await asyncio.to_thread(lambda: self.launch)

    async def wake(self, report: Report) -> None:
        """Have the server run and be awake. Raises NoEngine, SettingsError or StartFailed."""
        with self.room.used():
            while True:
                await self.room.wait()
                with contextlib.suppress(Asleep):
                    await self._awake(report)
                    return

    async def answer(self, request: Request[Answer], report: Report, watch: Watch = UNWATCHED) -> Answer:
        """The kept answer, or the model's. Raises EngineError or PictureError."""
        pixels = pixels_to_send(request, self._context, report)
        answering = self._answers.get(request, pixels, self.identity(), lambda chat: self._ask(chat, report, watch))
        del request
        return await answering

    def _note_sleep(self) -> None:
        """It sleeps: it must be woken, and where the GPU is shared whoever shares it decides when."""
        self.room.take()
        self.room.asleep = True
        self._sleeps += 1

    async def sleep(self) -> None:
        """Give the GPU back: by sleeping, or by ending the server where it cannot sleep or has only begun to start."""
        self._note_sleep()
        if self._waking is not None and not self._waking.done():
            self._waking.cancel()
            await asyncio.wait([self._waking])
        await self._connection.settled()  # what is said next must not come before
        await asyncio.to_thread(lambda: control.give_back(self.launch.folder))

    async def stop(self) -> None:
        """End the server for everybody. Raises StartFailed when it will not end."""
        await asyncio.to_thread(lambda: control.stop(self.launch.folder))

    async def close(self) -> None:
        """Let go of it: without another lease its supervisor ends it. No thread is started for this."""
        tasks = [task for task in (self._waking, self._watcher) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._waking = self._watcher = None
        await self._connection.close()
        self._answers.close()

    def status(self) -> Status:
        launch, load = self._connection.planned, self._connection.load
        counts: dict[str, Any] = {"cache_hits": self._answers.hits, "cache_misses": self._answers.misses}
        if launch is None:
            detail = "vLLM has not been asked yet; the first request starts it."
            return Status(self.name, self._settings.model, "", detail, "stopped", **counts)
        state, asleep = launch.folder.now(), launch.folder.asleep
        phase = phase_of(state, asleep)
        return Status(
            *(self.name, launch.model, state.url, describe(state, asleep), phase),
            **counts,
            progress=self._connection.progress or (state.progress if phase == "starting" else ""),
            gpu_bytes=launch.gpu_bytes,
            running=load.running,
            waiting=max(0, self.room.users - load.running),
            tokens_per_s=load.tokens_per_s,
            log_tail=launch.folder.log_tail() if phase == "failed" else "",
        )

    async def _ask(self, chat: Chat[Answer], report: Report, watch: Watch) -> Answer:
        """The model's answer. It is asked once more where the server died over the first time."""
        with self.room.used():
            if self._watcher is None or self._watcher.done():
                self._watcher = asyncio.create_task(self._watch())
            died = False
            while True:
                await self.room.wait()
                try:
                    served = await self._awake(report)
                except Asleep:
                    continue
                sleeps = self._sleeps
                try:
                    return await served.client.ask(chat, watch)
                except Asleep:
                    self._note_sleep()
                except EngineError as error:
                    if not isinstance(error, Unreachable) and (error.status or 0) < SERVER_FAULT:
                        raise
                    crash = await self._crash(served, error)
                    if crash is None and self._sleeps != sleeps:
                        continue  # it slept so long that the connection timed out
                    if crash is None:
                        raise
                    if died:
                        raise Unreachable(crash) from error
                    died = True

    async def _crash(self, served: Served, error: EngineError) -> str | None:
        """How the server ended that failed just now; None when it still runs. Raises Unreachable if it was stopped."""
        folder = self.launch.folder
        if not await _until(lambda: not served.is_in(folder.now()), DYING_S):
            return None
        if self._connection.served is served:
            self._connection.served = None
        now = folder.now()
        if now.reason == TOLD_TO:
            raise Unreachable("The engine was stopped while it was answering; ask again.") from error
        return now.crash or now.error or now.reason or str(error)

    async def _awake(self, report: Report) -> Served:
        """The server that answers, awake. Whoever asks during a start or a wake waits for that one.

        Raises Asleep when the room was taken meanwhile.
        """
        served, folder = self._connection.served, self.launch.folder
        if served is not None and not self.room.asleep and not folder.asleep and served.is_in(folder.state()):
            return served
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._bring_up())
            self._waking.add_done_callback(_retrieve)
        waking, told = self._waking, ""
        while not waking.done():
            await asyncio.wait([waking], timeout=POLL_S)
            if self._connection.progress != told:
                told = self._connection.progress
                report(f"vLLM: {told}" if told else "")
        if waking.cancelled():
            raise Asleep("The GPU was needed while the engine was starting; ask again.")
        return waking.result()

    async def _bring_up(self) -> Served:
        served = await self._connection.up(wake=self.room.asleep)
        self.room.asleep = False
        return served

    async def _watch(self) -> None:
        """While requests are in flight: when another process puts the engine to sleep, want room for it again."""
        folder = self.launch.folder
        while self.room.users:
            await asyncio.sleep(WATCH_S)
            if not (folder.asleep and self.room.given and self.room.users):
                continue
            if not self.room.asleep:
                self._note_sleep()
            if not self.room.given:
                continue
            with contextlib.suppress(EngineError):  # who waits for an answer is told
                await self._awake(lambda line: None)


def _retrieve(waking: asyncio.Task[Served]) -> None:
    """Take the exception of a start that nobody waits for any more; the next request starts anew."""
    if not waking.cancelled():
        waking.exception()


async def _until(true: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not true() and time.monotonic() < end:
        await asyncio.sleep(0.05)
    return true()
