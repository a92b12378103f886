"""The only code that waits for the model: one OpenAI-compatible endpoint, asked through the `openai` SDK.

It connects to that endpoint and nothing else: it follows no redirects, and asks no proxy when the endpoint is on this
machine (elsewhere HTTPS_PROXY and NO_PROXY count, as everywhere). No message, status or `repr` shows the API key.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..prompts.request import Answer, Request
from .address import is_here, normalized, sendable, without
from .answers import Answers
from .backend import UNWATCHED, Report, Status, Watch
from .chat import ASKED_AGAIN, Chat, read_reply, streamed, to_body
from .context import Context, check_fits, pixels_each, pixels_to_send
from .errors import Asleep, BadAnswer, EngineError, UnknownModel, Unreachable
from .load import Load
from .refusals import BUSY, explain
from .room import Room
from .served import Served
from .settings import Settings
from .streaming import NO_JSON, tokens_of, whole_reply

if TYPE_CHECKING:
    from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI

BUSY_WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""Before each new try at a server that has no room."""
LONGEST_WAIT_S = 20.0
"""A server that asks for more patience than this is busy."""
MODELS_TIMEOUT_S = 30.0
DROPPED = ("RemoteProtocolError", "ReadError", "WriteError")
"""httpx's names for a connection that broke; an idle one is closed by the server at any moment (vLLM: after 5 s)."""
CONNECT_TIMED_OUT = "ConnectTimeout"
PATH = "/chat/completions"
STREAM_FAILED = 500
"""The HTTP status that an error in the middle of a stream counts as: that of the stream itself was 200."""
NO_LIST = (404, 405, 501)
ASLEEP = "asleep"
"""The error code with which our guard (server/inside) refuses what a sleeping engine would leave hanging."""

Wrote = Callable[[str], None]


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
        self._answers = Answers(settings)
        self.room = Room()
        self.load = Load() if load is None else load
        self._served: Served | None = None
        self._lost = False
        """Something failed in a way that may mean another server: `ready()` asks again who is there."""
        self._begin()

    def _begin(self) -> None:
        """What belongs to one event loop."""
        self._http: AsyncOpenAI | None = None
        self._slots = asyncio.Semaphore(self._settings.max_in_flight)
        self._starting = asyncio.Lock()

    async def ready(self, report: Report) -> None:
        """Learn from GET /models which model answers, how long its context is, and whether the server is vLLM: quick,
        so nothing is reported."""
        async with self._starting:
            if self._http is not None and self._served is not None and not self._lost:
                return
            if self._http is None:
                self._http = await asyncio.to_thread(self._connection)  # importing openai takes most of a second
            self._served = await self._ask_what_is_served(self._http)
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
        http = self._http
        self._begin()
        if http is not None:
            await http.close()
        self._answers.close()

    def _connection(self) -> AsyncOpenAI:
        import openai

        settings = self._settings
        http = openai.AsyncOpenAI(
            base_url=self.base_url,
            api_key=self._key.get_secret_value() or "none",
            max_retries=0,
            timeout=openai.Timeout(settings.answer_timeout_s, connect=settings.connect_timeout_s),
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not is_here(self.base_url), follow_redirects=False),
        )
        # the SDK takes them from OPENAI_… variables, which are meant for another endpoint
        http.organization = http.project = None
        return http

    async def _ask_what_is_served(self, http: AsyncOpenAI) -> Served:
        import openai

        timeout = openai.Timeout(MODELS_TIMEOUT_S, connect=self._settings.connect_timeout_s)
        try:
            reply: object = await http.get("/models", cast_to=object, options={"timeout": timeout})
        except openai.APIStatusError as error:
            if error.status_code in NO_LIST and self._wanted:
                return Served((), self._wanted, is_vllm=False)
            raise self._explained(error, error.status_code) from None
        except openai.APIConnectionError as error:
            raise self._unreachable(error) from error
        return Served.read(reply, self._wanted, self.base_url)

    async def ask(self, chat: Chat[Answer], watch: Watch = UNWATCHED) -> Answer:
        """One answer from the model; a second try with another seed when the first is none that another seed may mend.
        After `ready()`.

        Raises EngineError.
        """
        http, served = self._http, self._served
        if http is None or served is None:
            raise RuntimeError("ready() comes before answer()")
        check_fits(chat, self.context)
        with contextlib.suppress(*ASKED_AGAIN):
            return read_reply(await self._ask_once(http, served, chat, watch, again=False), chat.answer)
        return read_reply(await self._ask_once(http, served, chat, watch, again=True), chat.answer)

    async def _ask_once(
        self, http: AsyncOpenAI, served: Served, chat: Chat[Answer], watch: Watch, *, again: bool
    ) -> object:
        """The reply to one request, when it is its turn."""
        with self.load.waits():
            body = await asyncio.to_thread(to_body, chat, model=served.model, for_vllm=served.is_vllm, again=again)
            await self._slots.acquire()
        try:
            with self.load.runs():
                wrote = watch.wrote if watch.asked() else None
                if wrote is not None:
                    body = streamed(body, for_vllm=served.is_vllm)
                reply = await self._post(http, body, wrote)
                self.load.wrote(tokens_of(reply))
            return reply
        finally:
            self._slots.release()

    async def _post(self, http: AsyncOpenAI, body: bytes, wrote: Wrote | None) -> object:
        """The reply, after waiting a little where the server is busy; streamed where somebody listens."""
        import openai

        waits_s = iter(BUSY_WAITS_S)
        while True:
            try:
                return await self._send(http, body, wrote)
            except openai.APIStatusError as error:
                if error.code == ASLEEP:
                    raise Asleep("The engine is asleep; wake it with `img2prompt engine wake`.") from None
                wait_s = _wait_s(error, next(waits_s, None)) if error.status_code in BUSY else None
                if wait_s is None:
                    # not from: the SDK's error repeats the server's words, and some servers repeat the key
                    raise self._explained(error, error.status_code) from None
            except openai.APIConnectionError as error:
                raise self._unreachable(error) from error
            except openai.APIError as error:  # in the middle of a stream
                raise self._explained(error, STREAM_FAILED) from None
            except (ValueError, RecursionError) as error:
                raise BadAnswer(NO_JSON) from error
            await asyncio.sleep(wait_s)

    async def _send(self, http: AsyncOpenAI, body: bytes, wrote: Wrote | None) -> object:
        """POST once; once more where the connection had been dropped."""
        import openai

        async def post() -> Any:
            if wrote is None:
                return await http.post(PATH, cast_to=object, content=body)
            stream_cls = openai.AsyncStream[object]
            return await http.post(PATH, cast_to=object, content=body, stream=True, stream_cls=stream_cls)

        try:
            reply = await post()
        except openai.APIConnectionError as error:
            if type(error.__cause__).__name__ not in DROPPED:
                raise
            reply = await post()
        return reply if wrote is None else await self._heard(reply, wrote)

    async def _heard(self, stream: Any, wrote: Wrote) -> object:
        """The whole of a stream; closed when the wait is cancelled, so that the server stops writing. It ends when an
        answer should have ended."""
        import openai

        request = stream.response.request
        try:
            async with asyncio.timeout(self._settings.answer_timeout_s), stream:
                return await whole_reply(stream, wrote)
        except TimeoutError as error:
            raise openai.APITimeoutError(request=request) from error
        except Exception as error:
            if not type(error).__module__.startswith("httpx"):
                raise
            # the SDK before 3.0 hands on what breaks in the middle of a stream
            kind = openai.APITimeoutError if "Timeout" in type(error).__name__ else openai.APIConnectionError
            raise kind(request=request) from error

    def _explained(self, error: APIError, status: int) -> EngineError:
        model, served = (self._served.model, self._served.names) if self._served else (self._wanted, ())
        body = without(self._key.get_secret_value(), error.body or error.message)
        explained = explain(status, body, url=self.base_url, model=model, served=served)
        explained.status = status
        self._lost = self._lost or isinstance(explained, UnknownModel | Unreachable)
        return explained

    def _unreachable(self, error: APIConnectionError) -> Unreachable:
        import openai

        self._lost = True
        cause = type(error.__cause__).__name__
        if isinstance(error, openai.APITimeoutError) and cause != CONNECT_TIMED_OUT:
            return Unreachable(
                f"{self.base_url} gave no answer in {self._settings.answer_timeout_s:g} s; see whether the server is "
                "overloaded, or raise IMG2PROMPT_ANSWER_TIMEOUT_S."
            )
        if cause in DROPPED:
            return Unreachable(f"{self.base_url} broke the connection off; see whether the server still runs.")
        return Unreachable(
            f"Nobody answers at {self.base_url}; start the server there, or correct the endpoint "
            "(IMG2PROMPT_ENDPOINT, or the node Prompt Engine where that names one)."
        )


def _wait_s(error: APIStatusError, ours: float | None) -> float | None:
    """How long to wait for a busy server: as long as it says, else `ours`. None: no longer."""
    if ours is None:
        return None
    try:
        theirs = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return ours
    return theirs if 0 <= theirs <= LONGEST_WAIT_S else None
