"""HTTP to one OpenAI-compatible endpoint, through the `openai` SDK; what goes wrong there as our errors.

It connects to that endpoint and nothing else: it follows no redirects, and asks no proxy when the endpoint is on this
machine (elsewhere HTTPS_PROXY and NO_PROXY count, as everywhere). No message shows the API key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .address import is_here, without
from .errors import Asleep, BadAnswer, EngineError, Unreachable
from .refusals import BUSY, explain
from .served import Served
from .settings import Settings
from .streaming import NO_JSON, whole_reply

if TYPE_CHECKING:
    from openai import APIConnectionError, APIError, APIStatusError
    from pydantic import SecretStr

BUSY_WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""Before each new try at a server that has no room."""
LONGEST_WAIT_S = 20.0
"""A server that asks for more patience than this is busy."""
QUICK_S = 30.0
"""For what needs no model."""
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


class Wire:
    """The connections to one endpoint. Use it on one event loop; close it there."""

    def __init__(self, settings: Settings, base_url: str, key: SecretStr) -> None:
        """Imports openai, which takes most of a second."""
        import openai

        self.base_url = base_url
        self._settings = settings
        self._key = key
        self._served: Served | None = None
        self._http = http = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key.get_secret_value() or "none",
            max_retries=0,
            timeout=openai.Timeout(settings.answer_timeout_s, connect=settings.connect_timeout_s),
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not is_here(base_url), follow_redirects=False),
        )
        # the SDK takes them from OPENAI_… variables, which are meant for another endpoint
        http.organization = http.project = None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def ask_what_is_served(self, wanted: str) -> Served:
        """What GET /models tells; later errors name it. Raises EngineError."""
        import openai

        try:
            reply = await self._get("/models", object)
        except openai.APIStatusError as error:
            if error.status_code not in NO_LIST or not wanted:
                raise self._explained(error, error.status_code, wanted) from None
            self._served = Served((), wanted, is_vllm=False)
        except openai.APIConnectionError as error:
            raise self._unreachable(error) from error
        else:
            self._served = Served.read(reply, wanted, self.base_url)
        return self._served

    async def metrics(self) -> str:
        """What vLLM's GET /metrics says, or "" where there is none: nobody's answer depends on it."""
        import openai

        try:
            return str(await self._get(f"{self.base_url.removesuffix('/v1')}/metrics", str))
        except openai.APIError:
            return ""

    async def _get(self, path: str, cast_to: type[Any]) -> object:
        import openai

        timeout = openai.Timeout(QUICK_S, connect=self._settings.connect_timeout_s)
        return await self._http.get(path, cast_to=cast_to, options={"timeout": timeout})

    async def post(self, body: bytes, wrote: Wrote | None, refused: Callable[[], None]) -> object:
        """The reply to a chat request, after waiting a little where the server is busy, which `refused` hears of;
        streamed where somebody listens. Raises EngineError."""
        import openai

        waits_s = iter(BUSY_WAITS_S)
        while True:
            try:
                return await self._send(body, wrote)
            except openai.APIStatusError as error:
                if error.code == ASLEEP:
                    raise Asleep("The engine is asleep; wake it with `img2prompt engine wake`.") from None
                if error.status_code in BUSY:
                    refused()
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

    async def _send(self, body: bytes, wrote: Wrote | None) -> object:
        """POST once; once more where the connection had been dropped."""
        import openai

        async def post() -> Any:
            if wrote is None:
                return await self._http.post(PATH, cast_to=object, content=body)
            stream_cls = openai.AsyncStream[object]
            return await self._http.post(PATH, cast_to=object, content=body, stream=True, stream_cls=stream_cls)

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

    def _explained(self, error: APIError, status: int, wanted: str = "") -> EngineError:
        model, served = (self._served.model, self._served.names) if self._served else (wanted, ())
        body = without(self._key.get_secret_value(), error.body or error.message)
        explained = explain(status, body, url=self.base_url, model=model, served=served)
        explained.status = status
        return explained

    def _unreachable(self, error: APIConnectionError) -> Unreachable:
        import openai

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
