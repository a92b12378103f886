"""The backend that runs its own vLLM: one for all nodes and processes of a user, started or woken by the first request
that the disk cannot answer.

It holds a lease on the engine's folder (folder.py) and asks through `ChatClient`. When the server dies, the supervisor
starts it again, and the requests that were in flight are sent once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from ...prompts.request import Answer, Request
from ..answers import Answers
from ..backend import Report, Status
from ..chat import Chat
from ..client import ChatClient
from ..errors import Asleep, EngineError, StartFailed, Unreachable
from ..room import Room
from ..settings import Settings
from . import control
from .folder import State, describe, phase_of
from .launch import Launch
from .plan import remember

POLL_S = 0.1
WATCH_S = 0.5
DYING_S = 3.0
"""A server whose engine has died breaks its connections at once, and takes this long to end."""
LIVES = 3
"""So often a supervisor that somebody kills is started again for one request."""
TOLD_TO = "it was told to"
"""The supervisor's reason when somebody stopped it."""
SERVER_FAULT = 500
"""HTTP statuses from here on are the server's own failures."""
STEPPED_DOWN = "The GPU's memory ran out at the start, so the engine serves with less from now on: %s"


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers."""

    state: State
    client: ChatClient

    def is_in(self, now: State) -> bool:
        """Whether it serves still."""
        return (now.run, now.port, now.phase) == (self.state.run, self.state.port, "ready")


class ManagedBackend:
    """One vLLM for one set of settings. Use it on one event loop at a time."""

    name = "managed"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._answers = Answers(settings)
        self.room = Room()
        self._planning = threading.Lock()
        self._launch: Launch | None = None
        self._lease: IO[str] | None = None
        self._served: Served | None = None
        self._clients: list[ChatClient] = []
        """Those of servers that have died, too: requests may still hold them."""
        self._waking: asyncio.Task[Served] | None = None
        """The start or wake that runs now; it goes on when who waits for it is cancelled."""
        self._watcher: asyncio.Task[None] | None = None
        self._progress = ""
        self._must_wake = False
        """It refused a request because it sleeps, or this process has put it to sleep."""

    @property
    def launch(self) -> Launch:
        """How it is started here. The first time asks the GPU's driver and may take a second. Raises StartFailed."""
        with self._planning:
            if self._launch is None:
                self._launch = Launch.of(self._settings)
            return self._launch

    @property
    def gpu_bytes(self) -> int:
        return self.launch.gpu_bytes

    def identity(self) -> str:
        return self.launch.identity()

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

    async def answer(self, request: Request[Answer], report: Report) -> Answer:
        """The kept answer, or the model's. Raises EngineError or PictureError."""
        answering = self._answers.get(request, self.identity(), lambda chat: self._ask(chat, report))
        del request
        return await answering

    async def sleep(self) -> None:
        """Give the GPU back: by sleeping, or by ending the server where it cannot sleep or has only begun to start."""
        self.room.take()
        self._must_wake = True
        if self._waking is not None and not self._waking.done():
            self._waking.cancel()
            await asyncio.wait([self._waking])
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
        self._served = self._waking = self._watcher = None
        clients, self._clients = self._clients, []
        for client in clients:
            await client.close()
        if self._lease is not None:
            self._lease.close()
            self._lease = None
        self._answers.close()

    def status(self) -> Status:
        launch = self._launch
        counts = {"cache_hits": self._answers.hits, "cache_misses": self._answers.misses}
        if launch is None:
            detail = "vLLM has not been asked yet; the first request starts it."
            return Status(self.name, self._settings.model, "", detail, "stopped", **counts)
        state, asleep = launch.folder.now(), launch.folder.asleep
        phase = phase_of(state, asleep)
        return Status(self.name, launch.model, state.url, describe(state, asleep), phase, **counts)

    async def _ask(self, chat: Chat[Answer], report: Report) -> Answer:
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
                try:
                    return await served.client.ask(chat)
                except Asleep:
                    self._must_wake = True
                except EngineError as error:
                    if not isinstance(error, Unreachable) and (error.status or 0) < SERVER_FAULT:
                        raise
                    crash = await self._crash(served, error)
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
        if self._served is served:
            self._served = None
        now = folder.now()
        if now.reason == TOLD_TO or now.phase == "stopping":
            raise Unreachable("The engine was stopped while it was answering; ask again.") from error
        return now.crash or now.error or str(error)

    async def _awake(self, report: Report) -> Served:
        """The server that answers, awake. Whoever asks during a start or a wake waits for that one.

        Raises Asleep when the room was taken meanwhile.
        """
        served, folder = self._served, self.launch.folder
        if served is not None and not self._must_wake and not folder.asleep and served.is_in(folder.state()):
            return served
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._bring_up())
            self._waking.add_done_callback(_retrieve)
        waking, told = self._waking, ""
        while not waking.done():
            await asyncio.wait([waking], timeout=POLL_S)
            if self._progress != told:
                told = self._progress
                report(f"vLLM: {told}" if told else "")
        if waking.cancelled():
            raise Asleep("The GPU was needed while the engine was starting; ask again.")
        return waking.result()

    async def _bring_up(self) -> Served:
        """Start the server or wait for its start, wake it, connect to it."""
        launch = self.launch
        if self._lease is None:
            self._lease = launch.folder.lease()
        try:
            state = await self._started(launch)
            self._progress = "waking"
            level = launch.folder.sleep_level
            if level or self._must_wake:
                await asyncio.to_thread(control.wake, state, level)
            served = self._served
            if served is None or not served.is_in(state):
                served = Served(state, self._connect(launch, state))
                self._clients.append(served.client)
                await served.client.ready(lambda line: None)
                self._served = served
            self._must_wake = False
            return served
        finally:
            self._progress = ""

    async def _started(self, launch: Launch) -> State:
        """The state of a server that is ready. Raises StartFailed, NoEngine or SettingsError."""
        state = launch.folder.now()
        for _ in range(LIVES):
            if state.phase != "ready":
                spec = await asyncio.to_thread(launch.spec)
                state = await asyncio.to_thread(launch.folder.start, spec)
            run = state.run
            while state.phase == "starting" and state.run == run:
                self._progress = state.progress
                await asyncio.sleep(POLL_S)
                state = launch.folder.now()
            if state.phase == "ready":
                if state.stepped_down:
                    remember(launch.plan, launch.settings, launch.device)
                    logging.getLogger(__name__).warning(STEPPED_DOWN, state.about.get("less", ""))
                return state
            if state.phase == "failed":
                raise StartFailed(self._why_it_failed(launch, state))
            if state.reason == TOLD_TO:
                raise StartFailed("vLLM was stopped while it was starting; ask again.")
        raise StartFailed(f"vLLM's supervisor was ended {LIVES} times while it was starting; see what ends it.")

    def _why_it_failed(self, launch: Launch, state: State) -> str:
        """The error of a start. Where memory ran out, the next start takes a smaller checkpoint, if there is one."""
        less = launch.less if state.out_of_memory else None
        if less is None or less.model == launch.plan.model:
            return state.error
        remember(launch.plan, launch.settings, launch.device)
        with self._planning:
            self._launch = None
        return f"{launch.plan.model} ran out of memory; ask again, and {less.model} is served instead. {state.error}"

    def _connect(self, launch: Launch, state: State) -> ChatClient:
        settings = self._settings.model_copy(update={"cache": False})  # this backend keeps the answers itself
        return ChatClient(settings, state.url, state.token, model=launch.model)

    async def _watch(self) -> None:
        """While requests are in flight: when another process puts the engine to sleep, want room for it again."""
        folder = self.launch.folder
        while self.room.users:
            await asyncio.sleep(WATCH_S)
            if not (folder.asleep and self.room.given):
                continue
            if self.room.shared and not self._must_wake:
                self.room.take()
                self._must_wake = True
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
