"""The only code that waits for the model: one OpenAI-compatible endpoint, asked through the `openai` SDK.

It connects to that endpoint and nothing else: it follows no redirects, and asks no proxy when the endpoint is on this
machine (elsewhere HTTPS_PROXY and NO_PROXY count, as everywhere). No message, status or `repr` shows the API key.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from ..prompts.request import Answer, Request
from .answers import Answers
from .backend import Report, Status
from .chat import ASKED_AGAIN, Chat, read_reply, to_body
from .context import Context, check_fits, pixels_each, pixels_to_send
from .errors import Asleep, EngineError, SettingsError, UnknownModel, Unreachable
from .refusals import BUSY, explain
from .room import Room
from .served import Served
from .settings import Settings

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError, AsyncOpenAI

BUSY_WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""Before each new try at a server that has no room."""
LONGEST_WAIT_S = 20.0
"""A server that asks for more patience than this is busy."""
MODELS_TIMEOUT_S = 30.0
DROPPED = ("RemoteProtocolError", "ReadError", "WriteError")
"""httpx's names for a connection that broke; an idle one is closed by the server at any moment (vLLM: after 5 s)."""
CONNECT_TIMED_OUT = "ConnectTimeout"
PLAIN_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
NO_LIST = (404, 405, 501)
ASLEEP = "asleep"
"""The error code with which our guard (server/inside) refuses what a sleeping engine would leave hanging."""


class ChatClient:
    """The backend that asks an endpoint. Use it on one event loop at a time."""

    name = "endpoint"
    gpu_bytes = 0

    def __init__(self, settings: Settings, base_url: str, api_key: str = "", *, model: str | None = None) -> None:
        """`model` None: the one in the settings; "": the first that is served."""
        self.base_url = normalized(base_url)
        self._settings = settings
        self._key = _sendable(api_key)
        self._wanted = settings.model if model is None else model
        self._answers = Answers(settings)
        self.room = Room()
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

    async def answer(self, request: Request[Answer], report: Report) -> Answer:
        """The cached answer, or the model's. Raises EngineError or PictureError."""
        pixels = pixels_to_send(request, self.context, report)
        answering = self._answers.get(request, pixels, self.identity(), self.ask)
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
        return Status(self.name, model, self.base_url, detail, "", self._answers.hits, self._answers.misses)

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
            raise self._explained(error) from None
        except openai.APIConnectionError as error:
            raise self._unreachable(error) from error
        return Served.read(reply, self._wanted, self.base_url)

    async def ask(self, chat: Chat[Answer]) -> Answer:
        """One answer from the model; a second try with another seed when the first is none that another seed may mend.
        After `ready()`.

        Raises EngineError.
        """
        http, served = self._http, self._served
        if http is None or served is None:
            raise RuntimeError("ready() comes before answer()")
        check_fits(chat, self.context)
        as_served = {"model": served.model, "for_vllm": served.is_vllm}
        body = await asyncio.to_thread(to_body, chat, **as_served)
        async with self._slots:
            with contextlib.suppress(*ASKED_AGAIN):
                return read_reply(await self._post(http, body), chat.answer)
            body = await asyncio.to_thread(to_body, chat, **as_served, again=True)
            return read_reply(await self._post(http, body), chat.answer)

    async def _post(self, http: AsyncOpenAI, body: bytes) -> object:
        """The reply, after waiting a little where the server is busy."""
        import openai

        waits_s = iter(BUSY_WAITS_S)
        while True:
            try:
                return await self._send(http, body)
            except openai.APIStatusError as error:
                if error.code == ASLEEP:
                    raise Asleep("The engine is asleep; wake it with `img2prompt engine wake`.") from None
                wait_s = _wait_s(error, next(waits_s, None)) if error.status_code in BUSY else None
                if wait_s is None:
                    # not from: the SDK's error repeats the server's words, and some servers repeat the key
                    raise self._explained(error) from None
            except openai.APIConnectionError as error:
                raise self._unreachable(error) from error
            await asyncio.sleep(wait_s)

    async def _send(self, http: AsyncOpenAI, body: bytes) -> object:
        """POST once; once more where the connection had been dropped."""
        import openai

        try:
            return await http.post("/chat/completions", cast_to=object, content=body)
        except openai.APIConnectionError as error:
            if type(error.__cause__).__name__ not in DROPPED:
                raise
            return await http.post("/chat/completions", cast_to=object, content=body)

    def _explained(self, error: APIStatusError) -> EngineError:
        model, served = (self._served.model, self._served.names) if self._served else (self._wanted, ())
        body = _without(self._key.get_secret_value(), error.body or error.message)
        explained = explain(error.status_code, body, url=self.base_url, model=model, served=served)
        explained.status = error.status_code
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
            f"Nobody answers at {self.base_url}; start the server there, or correct IMG2PROMPT_ENDPOINT."
        )


def normalized(base_url: str) -> str:
    """The base URL with "/v1" where no path is given, and no slash at the end. Raises SettingsError."""
    wrong = SettingsError(
        "The endpoint must be a base URL such as http://127.0.0.1:8000/v1, without a user name or password; "
        "correct IMG2PROMPT_ENDPOINT."
    )
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError as error:  # no port number, or half an IPv6 address
        raise wrong from error
    if parts.scheme not in ("http", "https") or not PLAIN_HOST.fullmatch(parts.netloc) or port == 0:
        raise wrong
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/v1", "", ""))


def _sendable(api_key: str) -> SecretStr:
    """The key as a header can carry it; an error of the HTTP library would show it."""
    key = api_key.strip()
    if not key.isascii() or not key.isprintable():
        raise SettingsError("The API key has characters that HTTP cannot carry; correct IMG2PROMPT_API_KEY.")
    return SecretStr(key)


def _without(key: str, value: object) -> object:
    """`value`, JSON or text, with the API key blotted out."""
    match value:
        case str():
            return value.replace(key, "…") if key else value
        case Mapping():
            return {name: _without(key, inner) for name, inner in value.items()}
        case list():
            return [_without(key, inner) for inner in value]
    return value


def is_here(base_url: str) -> bool:
    """Whether the URL is one of this machine's own addresses."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _wait_s(error: APIStatusError, ours: float | None) -> float | None:
    """How long to wait for a busy server: as long as it says, else `ours`. None: no longer."""
    if ours is None:
        return None
    try:
        theirs = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return ours
    return theirs if 0 <= theirs <= LONGEST_WAIT_S else None
