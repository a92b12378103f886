"""ComfyUI's websocket messages for one client, collected by a thread while a test goes on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True)
class Event:
    """One text message: `type` as in progress_state, executing, execution_success; `at_s` on time.monotonic()."""

    type: str
    data: dict[str, Any]
    at_s: float


class Events:
    """Listens from the moment the constructor returns until `close()`."""

    def __init__(self, port: int) -> None:
        self.client_id = uuid.uuid4().hex
        self._url = f"http://127.0.0.1:{port}/ws?clientId={self.client_id}"
        self._seen: list[Event] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._listen())
        self._thread = threading.Thread(target=self._run, name="comfyui-events", daemon=True)
        self._thread.start()
        self.wait_for("status")  # the server's greeting

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _listen(self) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(self._url, max_msg_size=0) as socket:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue  # binary messages are previews
                found = message.json()
                with self._changed:
                    self._seen.append(Event(found["type"], found.get("data") or {}, time.monotonic()))
                    self._changed.notify_all()

    def all(self, kind: str = "") -> list[Event]:
        """The messages so far, those of one type or all."""
        with self._changed:
            return [event for event in self._seen if kind in ("", event.type)]

    def wait_for(
        self, kind: str, meets: Callable[[dict[str, Any]], bool] = lambda data: True, timeout_s: float = 60
    ) -> Event:
        """The first message of that type, seen or to come, whose data `meets`. Raises TimeoutError."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for event in self._seen:
                    if event.type == kind and meets(event.data):
                        return event
                if not self._changed.wait(end - time.monotonic()):
                    kinds = sorted({event.type for event in self._seen})
                    raise TimeoutError(f"No such {kind} message in {timeout_s} s; there were: {', '.join(kinds)}.")

    def close(self) -> None:
        """Stop listening; idempotent."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()
