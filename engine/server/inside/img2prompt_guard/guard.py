"""The middleware itself, and the file in which it notes that the engine is used."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from .asgi import App, Receive, Refusal, Scope, Send, again, answer, read
from .checks import CONTROL, INFERENCE, READING, check, check_pictures
from .sleep import SleepState

TOKEN = "IMG2PROMPT_ENGINE_TOKEN"
FOLDER = "IMG2PROMPT_ENGINE_FOLDER"
"""Variables of the server's environment."""
BEAT_S = 10.0
"""So often is a long request noted as activity."""


class Guard:
    """Lets through who has the token and asks for what is open. Raises RuntimeError without its environment."""

    def __init__(self, app: App) -> None:
        token, folder = os.environ.get(TOKEN), os.environ.get(FOLDER)
        if not token or not folder:  # vLLM builds this before it serves, so it does not start
            raise RuntimeError(f"{TOKEN} and {FOLDER} are not set; start the engine with `img2prompt engine start`.")
        self.app = app
        self._key = f"Bearer {token}".encode()
        self._use = Use(Path(folder))
        self._sleep = SleepState(app, Path(folder))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "The engine has no websockets."})
        else:
            try:
                await self._pass(scope, receive, send)
            except Refusal as refusal:
                await answer(send, refusal.status, refusal.content, refusal.headers)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on. Raises Refusal, if so before anything has been answered."""
        route = (scope["method"], scope["path"])
        check(route, scope["headers"], self._key)
        if route in READING:
            await self.app(scope, receive, send)
            return
        if route in CONTROL:
            with self._use:
                await self._sleep.control(scope, receive, send)
            return
        needs_gpu = route in INFERENCE
        if needs_gpu:  # before a large body is waited for
            self._sleep.must_be_awake()
        body = await read(receive)
        if body is None:  # its sender has gone
            return
        check_pictures(body)
        if needs_gpu:
            self._sleep.must_be_awake()
        with self._use:
            await self.app(scope, again(body, receive), send)


class Use:
    """Notes in the file `activity` when the engine was used last; a context manager around each use.

    A full disk, or a folder that is gone, fails no request.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "activity"
        self._in_flight = 0
        self._beat: asyncio.TimerHandle | None = None
        self._note()

    def __enter__(self) -> None:
        self._note()
        self._in_flight += 1
        if self._beat is None:
            self._beat = asyncio.get_running_loop().call_later(BEAT_S, self._note_again)

    def __exit__(self, *_: object) -> None:
        self._note()
        self._in_flight -= 1
        if not self._in_flight and self._beat is not None:
            self._beat.cancel()
            self._beat = None

    def _note(self) -> None:
        try:
            os.utime(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                self._file.touch(mode=0o600)

    def _note_again(self) -> None:
        """A request that takes long is no idleness."""
        self._note()
        self._beat = asyncio.get_running_loop().call_later(BEAT_S, self._note_again)
