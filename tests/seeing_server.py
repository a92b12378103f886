"""An OpenAI-compatible server that looks at the pixels it receives and says what it sees. No model.

In a test: `with SeeingServer() as server: … server.url …`. As a program: `python -m img2prompt.tests.seeing_server
--port 8001`, steered over HTTP: POST /control `{"delay_s": 1, "script": [{"status": 503}]}`, GET /control for counts.

It refuses (400) whatever a strict server could refuse, because real ones ignore unknown fields silently. A script's
entries are used up by the next chat requests in the order of their arrival; each is a dict with any of

    delay_s         answer so much later (else Control.delay_s)
    finish_reason   "length", "repetition", "abort": half an answer and this reason
    content         this text instead of the answer; with "reasoning": that as the reasoning
    refusal         refuse, with these words
    status          an HTTP error, with `body` (JSON or text) and `headers`
    no_vision       the error of a model without vision, in the words of this kind of server
    hang_up         close the connection without an answer
    break_after     of a streamed answer: close the connection after so many pieces
    error_after     of a streamed answer: an error in the stream after so many pieces
    no_stream       answer in one piece although a stream was asked for
    said            of a read of one token: how likely each token is instead
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from aiohttp import web

from . import seeing_reads
from .seeing import Sight, look_at
from .seeing_reply import NO_VISION, completion, stream

Kind = Literal["vllm", "llamacpp", "plain"]
PLAIN_FIELDS = {
    *("model", "messages", "response_format", "max_tokens", "temperature", "top_p", "presence_penalty", "seed"),
}
VLLM_FIELDS = {"top_k", "repetition_penalty", "repetition_detection"}
PAYLOADS_KEPT = 100
CHARACTERS_PER_TOKEN = 4
"""Of the text of a prompt."""


@dataclass
class Control:
    """What a test may set, at any time."""

    kind: Kind = "vllm"
    models: list[str] = field(default_factory=lambda: ["seeing-model"])
    max_model_len: int = 8192
    """The context in tokens, which only vLLM tells."""
    most_pictures: int = 16
    """Of one request."""
    api_key: str = ""
    delay_s: float = 0.0
    places: int = 0
    """So many requests are answered at one time, as a server does whose batch is full; the others wait. 0: any."""
    breaks_over: str = ""
    """Close the connection over every picture with this colour in the middle."""
    refuse_over: int = 0
    """Refuse (429) what comes when so many are there already; 0: nothing."""
    metrics: bool = False
    """Whether GET /metrics tells how many run and wait, as vLLM does."""
    forgets: bool = False
    """Know no picture by its name: several servers stand behind one endpoint."""
    hold: bool = False
    """Answer nobody until it is false again."""
    words_per_s: float = 0.0
    """How fast a streamed answer is written; 0: at once."""
    pause_after: int = -1
    """A streamed answer stops after so many pieces until this is -1 again."""
    script: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Counts:
    """What has happened so far."""

    requests: int = 0
    """Chat requests that arrived."""
    in_flight: int = 0
    max_in_flight: int = 0
    running: int = 0
    """Of those in flight, the ones that have one of `Control.places`."""
    answered: int = 0
    streamed: int = 0
    """Chat requests that wanted their answer in pieces."""
    forms: set[str] = field(default_factory=set)
    """What kinds of files the pictures came in, such as JPEG."""
    cancelled: int = 0
    """Chat requests whose client went away before the answer."""
    payloads: list[dict[str, Any]] = field(default_factory=list)
    """The last chat requests; each picture's URL is replaced by what was seen in it."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """The headers of the same requests, names in lower case."""


class Unacceptable(Exception):
    """What a strict server would refuse; becomes a 400."""


class SeeingServer:
    """The server, in a thread of its own; `with` starts and stops it."""

    def __init__(self, kind: Kind = "vllm", *, api_key: str = "", port: int = 0) -> None:
        self.control = Control(kind=kind, api_key=api_key)
        self.counts = Counts()
        self._named: dict[str, Sight] = {}
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._runner = web.AppRunner(
            self._application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        self._thread = threading.Thread(target=self._run, name="seeing-server", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> SeeingServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        server = self._runner.server
        await self._runner.cleanup()
        await asyncio.sleep(0)
        if server is not None:  # who was let in while it closed
            await server.shutdown(0.1)
            await asyncio.sleep(0)

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=256 * 2**20)
        application.add_routes(
            [
                web.get("/v1/models", self._models),
                web.post("/v1/chat/completions", self._chat),
                web.get("/control", self._get_control),
                web.post("/control", self._set_control),
                web.get("/health", self._health),
                web.get("/metrics", self._metrics),
            ]
        )
        return application

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _metrics(self, _request: web.Request) -> web.Response:
        """The two lines of vLLM's that say how busy it is."""
        if not self.control.metrics:
            raise web.HTTPNotFound
        counts = {"running": self.counts.running, "waiting": self.counts.in_flight - self.counts.running}
        name = 'engine="0",model_name="seeing-model"'
        return web.Response(text="".join(f"vllm:num_requests_{k}{{{name}}} {v:.1f}\n" for k, v in counts.items()))

    async def _get_control(self, _request: web.Request) -> web.Response:
        return web.json_response({"control": asdict(self.control), "counts": asdict(self.counts)})

    async def _set_control(self, request: web.Request) -> web.Response:
        """Set what the JSON names; `{"reset": true}` begins the counts anew."""
        wanted = await request.json()
        if wanted.pop("reset", False):
            self.counts = replace(Counts(), in_flight=self.counts.in_flight, running=self.counts.running)
        unknown = wanted.keys() - {known.name for known in fields(Control)}
        if unknown:
            return web.json_response({"error": f"no such control: {sorted(unknown)}"}, status=400)
        for name, value in wanted.items():
            setattr(self.control, name, value)
        return await self._get_control(request)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._wrong_key(request):
            return refusal
        owner = {"vllm": "vllm", "llamacpp": "llamacpp", "plain": "organization_owner"}[self.control.kind]
        more = {"max_model_len": self.control.max_model_len} if self.control.kind == "vllm" else {}
        data = [{"id": name, "object": "model", "owned_by": owner, **more} for name in self.control.models]
        return web.json_response({"object": "list", "data": data})

    def _wrong_key(self, request: web.Request) -> web.Response | None:
        sent = request.headers.get("Authorization", "")
        if not self.control.api_key or sent == f"Bearer {self.control.api_key}":
            return None
        # OpenAI's own server repeats the key; ours must not pass that on
        return _error(401, f"Incorrect API key provided: {sent}")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        counts = self.counts
        counts.requests += 1
        counts.in_flight += 1
        counts.max_in_flight = max(counts.max_in_flight, counts.in_flight)
        try:
            reply = await self._reply(request)
            counts.answered += 1
            return reply
        except asyncio.CancelledError:
            counts.cancelled += 1
            raise
        finally:
            counts.in_flight -= 1

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        act = self.control.script.pop(0) if self.control.script else {}
        if refusal := self._wrong_key(request):
            return refusal
        try:
            payload = json.loads(await request.read())
            sights = (self._check_one_token if seeing_reads.of_one_token(payload) else self._check)(payload)
        except Unacceptable as error:
            return _error(400, str(error))
        self._keep(payload, request)
        self.counts.forms |= {sight.form for sight in sights}
        if self.control.breaks_over in [sight.center for sight in sights]:
            act = {"hang_up": True}
        if 0 < self.control.refuse_over < self.counts.in_flight:
            return _error(429, "too many requests")
        async with self._place():
            await asyncio.sleep(act.get("delay_s", self.control.delay_s))
            while self.control.hold:
                await asyncio.sleep(0.01)
        self.counts.streamed += bool(payload.get("stream"))
        return await self._act(act, payload, sights, request)

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the control's places, when it is free."""
        while 0 < self.control.places <= self.counts.running:
            await asyncio.sleep(0.002)
        self.counts.running += 1
        try:
            yield
        finally:
            self.counts.running -= 1

    async def _act(
        self, act: dict[str, Any], payload: dict[str, Any], sights: list[Sight], request: web.Request
    ) -> web.StreamResponse:
        """Do what the script says, or answer."""
        if payload["model"] not in self.control.models:
            return _error(404, f"The model `{payload['model']}` does not exist.")
        if act.get("hang_up"):
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if act.get("no_vision"):
            status, body = NO_VISION[self.control.kind]
            return web.json_response(body, status=status)
        if "status" in act:
            body = act.get("body", {"error": {"message": "scripted"}})
            text = body if isinstance(body, str) else json.dumps(body)
            kind = "text/html" if isinstance(body, str) else "application/json"
            return web.Response(status=act["status"], text=text, headers=act.get("headers"), content_type=kind)
        say = seeing_reads.reply if seeing_reads.of_one_token(payload) else completion
        reply = say(payload, sights, act)
        if payload.get("stream") and not act.get("no_stream"):
            return await stream(reply, act, self.control, "stream_options" in payload, request)
        return web.json_response(reply)

    def _check(self, payload: dict[str, Any]) -> list[Sight]:
        """What is seen in the payload's pictures. Raises Unacceptable."""
        known = PLAIN_FIELDS | (VLLM_FIELDS if self.control.kind == "vllm" else set()) | self._streaming(payload)
        if unknown := payload.keys() - known:
            raise Unacceptable(f"unknown fields: {sorted(unknown)}")
        if missing := PLAIN_FIELDS - payload.keys():
            raise Unacceptable(f"missing fields: {sorted(missing)}")
        match payload["messages"]:
            case [{"role": "system", "content": str()}, {"role": "user", "content": [*shown, last]}]:
                pictures = _under_their_numbers(shown)
            case _:
                raise Unacceptable("not one system message and one user message")
        match last:
            case {"type": "text", "text": str() as text, **more} if text.strip() and not more:
                pass
            case _:
                raise Unacceptable("the last part of the user message is not a text")
        match payload["response_format"]:
            case {"type": "json_schema", "json_schema": {"name": str(), "strict": True, "schema": dict()}}:
                pass
            case _:
                raise Unacceptable("no strict JSON schema")
        if not 0 <= payload["seed"] < 2**31:
            raise Unacceptable("a seed beyond 31 bits")
        try:
            sights = [look_at(picture) for picture in pictures]
        except ValueError as error:
            raise Unacceptable(str(error)) from error
        if self.control.kind == "vllm":
            self._check_room(payload, sights)
        return sights

    def _check_one_token(self, payload: dict[str, Any]) -> list[Sight]:
        """The same for a read. Raises Unacceptable."""
        try:
            return seeing_reads.check(payload, self.control.kind, {} if self.control.forgets else self._named)
        except ValueError as error:
            raise Unacceptable(str(error)) from error

    def _streaming(self, payload: dict[str, Any]) -> set[str]:
        """The fields about streaming that are as they should be."""
        match payload:
            case {"stream": True, "stream_options": {"include_usage": True, **more}} if not more:
                return {"stream"} | ({"stream_options"} if self.control.kind == "vllm" else set())
            case {"stream": True}:
                return {"stream"}
        return set()

    def _check_room(self, payload: dict[str, Any], sights: list[Sight]) -> None:
        """That pictures, text and the longest answer fit into the context, without an answer that is cut short."""
        if len(sights) > self.control.most_pictures:
            raise Unacceptable(f"At most {self.control.most_pictures} image(s) may be provided in one prompt.")
        system, user = (message["content"] for message in payload["messages"])
        text = system + "".join(part.get("text", "") for part in user)
        tokens = len(text) // CHARACTERS_PER_TOKEN + sum(sight.tokens for sight in sights)
        if tokens + payload["max_tokens"] > self.control.max_model_len:
            raise Unacceptable(
                f"This model's maximum context length is {self.control.max_model_len} tokens. However, you requested "
                f"{payload['max_tokens']} output tokens and your prompt contains {tokens} input tokens."
            )

    def _keep(self, payload: dict[str, Any], request: web.Request) -> None:
        """Remember the request; look_at() has left what it saw in the place of each picture's URL."""
        self.counts.payloads = [*self.counts.payloads[1 - PAYLOADS_KEPT :], payload]
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.counts.headers = [*self.counts.headers[1 - PAYLOADS_KEPT :], headers]


def _under_their_numbers(shown: list[Any]) -> list[Any]:
    """The pictures before the instruction: one alone, or several with their numbers. Raises Unacceptable."""
    if len(shown) <= 1:
        return shown
    numbers, pictures = shown[::2], shown[1::2]
    if numbers != [{"type": "text", "text": f"Picture {number}:"} for number in range(1, len(pictures) + 1)]:
        raise Unacceptable("several pictures, and not each under its number")
    return pictures


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--kind", choices=["vllm", "llamacpp", "plain"], default="vllm")
    parser.add_argument("--delay-s", type=float, default=0.0)
    options = parser.parse_args()
    with SeeingServer(options.kind, port=options.port) as server:
        server.control.delay_s = options.delay_s
        print(f"seeing at {server.url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
