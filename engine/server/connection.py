"""From settings to a server that answers: planned, started or found running, awake, and connected to.

It holds this process's lease on the engine, and knows nothing of requests and of room on the GPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, TypeVar

from ..client import ChatClient
from ..errors import EngineError, StartFailed, Unreachable
from ..load import Load
from ..settings import Settings
from . import control
from .budget import Plan
from .folder import State
from .launch import Launch
from .remembered import remember

Result = TypeVar("Result")

POLL_S = 0.1
DYING_S = 3.0
"""A server whose engine has died breaks its connections at once, and takes this long to end."""
LIVES = 3
"""So often a supervisor that somebody kills is started again for one request."""
TOLD_TO = "it was told to"
"""The supervisor's reason when somebody stopped it."""
STEPPED_DOWN = "The GPU's memory ran out at the start, so the engine serves with less from now on: %s"


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers."""

    state: State
    client: ChatClient

    def is_in(self, now: State) -> bool:
        """Whether it serves still."""
        return (now.run, now.port, now.phase) == (self.state.run, self.state.port, "ready")


class Connection:
    """This process's way to one engine. Its coroutines are for one event loop at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._planning = threading.Lock()
        self._lease: IO[str] | None = None
        self._clients: list[ChatClient] = []
        """Those of servers that have died, too: requests may still hold them."""
        self._begun: asyncio.Future[Any] | None = None
        """What a start or wake does in a thread, which ends when it has ended and not before."""
        self.planned: Launch | None = None
        """How it is started here, once that was asked for."""
        self.load = Load()
        self.served: Served | None = None
        """The server that was connected to last."""
        self.progress = ""
        """How far a start or wake is, in a few words."""

    @property
    def launch(self) -> Launch:
        """How it is started here. The first time asks the GPU's driver and may take a second. Raises StartFailed."""
        with self._planning:
            if self.planned is None:
                self.planned = Launch.of(self._settings)
            return self.planned

    async def up(self, *, wake: bool) -> Served:
        """Start the server or wait for its start, wake it where it sleeps (`wake`: it does, whatever it looks like) and
        connect to it. Once more where it died over that. Raises EngineError."""
        try:
            try:
                return await self._up(wake)
            except Unreachable:
                await asyncio.sleep(DYING_S)
                return await self._up(wake)
        finally:
            self.progress = ""

    async def settled(self) -> None:
        """Return when nothing that a start or wake has begun goes on, though it was cancelled."""
        if self._begun is not None and not self._begun.done():
            await asyncio.wait([self._begun])

    async def close(self) -> None:
        """Let go of the engine: without another lease its supervisor ends it."""
        await self.settled()
        self.served = self._begun = None
        clients, self._clients = self._clients, []
        for client in clients:
            await client.close()
        self._let_go()

    async def _up(self, wake: bool) -> Served:
        launch = await asyncio.to_thread(lambda: self.launch)
        if self._lease is None:
            self._lease = launch.folder.lease()
        state = await self._started(launch)
        self.progress = "waking"
        level = launch.folder.sleep_level
        if level or wake:
            await self._begin(control.wake, state, level)
        if self.served is not None and self.served.is_in(state):
            return self.served
        settings = self._settings.model_copy(update={"cache": False})  # the backend keeps the answers itself
        client = ChatClient(settings, state.url, state.token, model=launch.model, load=self.load)
        self._clients.append(client)
        await client.ready(lambda line: None)
        self.served = Served(state, client)
        return self.served

    async def _begin(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do it in a thread, for whose end `settled()` waits even where nobody else does any more."""
        self._begun = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
        return await asyncio.shield(self._begun)

    async def _started(self, launch: Launch) -> State:
        """The state of a server that is ready. Raises StartFailed, NoEngine or SettingsError."""
        state = launch.folder.now()
        for _ in range(LIVES):
            if state.phase != "ready":
                spec = await asyncio.to_thread(launch.spec)
                state = await self._begin(launch.folder.start, spec)
            run = state.run
            while state.phase == "starting" and state.run == run:
                self.progress = state.progress
                await asyncio.sleep(POLL_S)
                state = launch.folder.now()
            if state.phase == "ready":
                if state.stepped_down and launch.started(state):
                    await self._remember(launch, launch.plan)
                    logging.getLogger(__name__).warning(STEPPED_DOWN, state.about.get("less", ""))
                return state
            if state.phase == "failed":
                raise StartFailed(await self._why_it_failed(launch, state))
            if state.reason == TOLD_TO:
                raise StartFailed("vLLM was stopped while it was starting; ask again.")
        raise StartFailed(f"vLLM's supervisor was ended {LIVES} times while it was starting; see what ends it.")

    async def _why_it_failed(self, launch: Launch, state: State) -> str:
        """The error of a start. Where memory ran out, the next start begins a step below the least that was tried."""
        self._let_go()  # nothing runs in that folder, and the next start may be in another
        if not (state.out_of_memory and launch.started(state)):
            return state.error
        less = launch.less
        await self._remember(launch, less if less is not None and less.model == launch.plan.model else launch.plan)
        return f"{launch.plan.model} ran out of memory; ask again, and the next start takes less. {state.error}"

    async def _remember(self, launch: Launch, ran_out: Plan) -> None:
        """That memory ran out for this plan: the next start, of any process, begins a step below. Plan that now."""
        await asyncio.to_thread(remember, ran_out, launch.settings, launch.device)
        with self._planning:
            self.planned = None
        with contextlib.suppress(EngineError):  # nothing smaller fits: the next request says so
            await asyncio.to_thread(lambda: self.launch)

    def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.close()
