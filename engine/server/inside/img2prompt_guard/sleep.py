"""Whether the engine sleeps, and what may be asked of it then. Knows vLLM's routes for sleep, and nothing of tokens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from urllib.parse import parse_qs

from .asgi import App, Message, Receive, Refusal, Scope, Send, again, answer, read

RELOAD = {"method": "reload_weights"}
RELOAD_BYTES = 1024
"""More of a body than it takes to ask for that."""


class SleepState:
    """Whether the engine sleeps and how deep, as learnt from the /sleep and /wake_up that pass here and their answers.

    In vLLM 0.32 (v1/executor/abstract.py, v1/engine/core.py) level 1 moves the weights to RAM and level 2 drops them,
    and it resumes as soon as both weights and KV cache are on the GPU again, be the weights empty or not.
    """

    def __init__(self, app: App, folder: Path) -> None:
        self._app = app
        self._level = 0
        """0: awake."""
        self._weights_here = True
        """On the GPU; between the steps of waking too."""
        self._weights_empty = False
        """Dropped and not read again yet."""
        self._broken = False
        """A sleep failed half-way, and to resume could be to compute on nothing: gpu_worker.py asserts when somebody
        else took memory of the GPU meanwhile, after it has given up the weights and before vLLM has noted it."""
        self._one = asyncio.Lock()
        self._file = folder / "asleep"
        self._tell()

    def must_be_awake(self) -> None:
        """Raises Refusal while the engine sleeps, falls asleep or wakes."""
        if self._broken:
            message = "The engine failed to fall asleep; stop it with `img2prompt engine stop` and ask again."
            raise Refusal(503, "sleep_failed", message)
        if self._level:
            message = "The engine is asleep; wake it with `img2prompt engine wake`."
            raise Refusal(503, "asleep", message, {"retry-after": "1"})

    async def control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on one of CONTROL when those before it are done. Raises Refusal."""
        do = {"/sleep": self._sleep, "/wake_up": self._wake, "/collective_rpc": self._reload}[scope["path"]]
        async with self._one:
            if self._broken:
                self.must_be_awake()
            await do(scope, receive, send)

    async def _sleep(self, scope: Scope, receive: Receive, send: Send) -> None:
        level = sleep_level(scope)
        if not self._weights_here:
            await answer(send, 200, {"status": "sleeping", "level": self._level})
            return
        before, self._level = self._level, max(level, 2 * self._weights_empty)  # from here on nothing new comes in
        reply = Reply()
        try:
            await self._app(scope, receive, reply.take)
        finally:
            if reply.status == 200:
                self._weights_here, self._weights_empty = False, self._level == 2
            elif 400 <= reply.status < 500:  # nothing has begun
                self._level = before
            else:
                self._broken = True
            self._tell()
        await reply.send_on(send)

    async def _wake(self, scope: Scope, receive: Receive, send: Send) -> None:
        tags = wake_tags(scope)
        if not self._level:
            await answer(send, 200, {"status": "awake", "tags": sorted(tags) or None})
            return
        if (self._weights_empty and tags != {"weights"}) or (tags == {"kv_cache"} and not self._weights_here):
            message = (
                "Weights come first; wake tags=weights, after level 2 call reload_weights, then wake tags=kv_cache."
            )
            raise Refusal(409, "wrong_order", message)
        reply = Reply()
        await self._app(scope, receive, reply.take)
        if reply.status == 200:
            self._weights_here = True
            if json.loads(reply.body).get("status") == "awake":
                self._level = 0
            self._tell()
        await reply.send_on(send)

    async def _reload(self, scope: Scope, receive: Receive, send: Send) -> None:
        if await read_json(receive) != RELOAD:
            raise Refusal(403, "closed_method", f"Only {json.dumps(RELOAD)} is open here; send exactly that.")
        if not self._level:  # who wakes it at the same time was quicker
            await answer(send, 200, {"results": [None]})
            return
        if not self._weights_here:
            raise Refusal(409, "not_waking", "Weights are reloaded on waking from level 2; first wake tags=weights.")
        reply = Reply()
        # what was understood goes on, whatever its bytes were
        await self._app(scope, again(json.dumps(RELOAD).encode(), receive), reply.take)
        if reply.status == 200:
            self._weights_empty = False
        await reply.send_on(send)

    def _tell(self) -> None:
        """Make the file say what is so; where a full disk has no room for it, requests go on."""
        with contextlib.suppress(OSError):
            if not self._level:
                self._file.unlink(missing_ok=True)
                return
            fresh = self._file.with_name("asleep.new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(str(self._level))
            fresh.replace(self._file)


class Reply:
    """An answer of vLLM's, held back until what it means has been noted."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self._messages: list[Message] = []

    async def take(self, message: Message) -> None:
        """In place of the server's `send`."""
        self._messages.append(message)
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    async def send_on(self, send: Send) -> None:
        """Now it may go out."""
        for message in self._messages:
            await send(message)


def sleep_level(scope: Scope) -> int:
    """1 or 2, as the query asks. Raises Refusal."""
    levels = query(scope).get("level", ["1"])
    if levels not in (["1"], ["2"]):
        raise Refusal(400, "wrong_level", "A level of sleep is 1 (weights to RAM) or 2 (weights dropped); ask for one.")
    return int(levels[0])


def wake_tags(scope: Scope) -> set[str]:
    """What is to be woken; nothing means everything. Raises Refusal."""
    tags = set(query(scope).get("tags", []))
    if not tags <= {"weights", "kv_cache"}:
        raise Refusal(400, "wrong_tags", "What can be woken is weights and kv_cache; name these in tags, or nothing.")
    return tags


def query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)


async def read_json(receive: Receive) -> object:
    """A request's JSON body; None when it is large or no JSON."""
    try:
        return json.loads(await read(receive, RELOAD_BYTES) or b"")
    except (ValueError, RecursionError):
        return None
