"""A small ASGI app that poses as vLLM 0.32 behind the guard (engine/server/inside), and how to ask it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from img2prompt.engine.server.inside.img2prompt_guard import Guard

TOKEN = "a-secret-word"
HOST = "127.0.0.1:8123"
CHAT = "POST /v1/chat/completions"
RELOAD = b'{"method":"reload_weights"}'
Message = dict[str, Any]


@dataclass
class Vllm:
    """Poses as vLLM behind the guard: notes what reaches it, and keeps track of what is on the GPU."""

    statuses: dict[str, int] = field(default_factory=dict)
    """What a path answers instead of 200; 0: it raises."""
    seen: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    """Set, and what comes waits for it."""
    passed: tuple[Any, Any] | None = None

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        self.passed = (receive, send)
        if scope["type"] == "lifespan":
            self.seen.append("lifespan")
            return
        path, query = scope["path"], scope["query_string"].decode()
        self.seen.append(f"{path}?{query}" if query else path)
        self.bodies.append((await receive()).get("body", b""))
        if self.gate is not None:
            await self.gate.wait()
        status = self.statuses.get(path, 200)
        if not status:
            raise RuntimeError("EngineCore died")
        content = self.act(path, query) if status == 200 else {"error": {}}
        body = json.dumps(content).encode()
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-from", b"vllm")]})
        await send({"type": "http.response.body", "body": body[:5], "more_body": True})
        await send({"type": "http.response.body", "body": body[5:]})

    def act(self, path: str, query: str) -> object:
        if path == "/sleep":
            self.missing = {"weights", "kv_cache"}
            return {"status": "sleeping", "level": 1}
        if path == "/wake_up":
            self.missing -= {pair.removeprefix("tags=") for pair in query.split("&")} if query else self.missing
            return {"status": "sleeping" if self.missing else "awake"}
        return {"ok": path}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    content: Any

    @property
    def code(self) -> str:
        return self.content["error"]["code"]


async def ask(
    guarded: Guard, what: str, headers: dict[str, str | None] | None = None, body: bytes | list[bytes] = b""
) -> Answer:
    """The answer to "METHOD /path?query" with the token, as JSON where there is a body; None takes a header away."""
    method, _, target = what.partition(" ")
    path, _, query = target.partition("?")
    inference = path.startswith("/v1/") or path == "/tokenize"
    pieces = body if isinstance(body, list) else [body or (b"{}" if inference and method == "POST" else b"")]
    plain: dict[str, str | None] = {"host": HOST, "authorization": f"Bearer {TOKEN}"}
    if any(pieces):
        plain |= {"content-type": "application/json", "content-length": str(sum(map(len, pieces)))}
    plain |= headers or {}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in plain.items() if value is not None],
    }
    incoming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    incoming[-1]["more_body"] = False
    sent: list[Any] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await guarded(scope, receive, send)
    start, *rest = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    content = b"".join(message["body"] for message in rest)
    if "content-length" in answered:
        assert len(content) == int(answered["content-length"])
    return Answer(start["status"], answered, json.loads(content))


def asked(guarded: Guard, *steps: str | tuple[str, bytes]) -> list[Answer]:
    """The answers to several requests, one after the other."""

    async def run() -> list[Answer]:
        pairs = [(step, b"") if isinstance(step, str) else step for step in steps]
        return [await ask(guarded, what, body=body) for what, body in pairs]

    return asyncio.run(run())
