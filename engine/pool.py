"""Several servers with one model, as one backend: each request goes to the one with the most room, and to another where
that one does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import SecretStr

from ..prompts.request import Answer, Request
from .address import is_here
from .answers import Answers
from .backend import UNWATCHED, Report, Status, Watch
from .chat import Chat
from .client import ChatClient
from .context import Context, pixels_each, pixels_to_send
from .errors import Busy, EngineError, SettingsError, UnknownModel, Unreachable, WrongKey
from .load import Load
from .pace import AHEAD
from .room import Room
from .settings import Settings
from .stream import has_failed

KEYLESS = (
    "{url} wants an API key, and yours goes only to servers that the settings name; add it to the setting endpoints "
    "(IMG2PROMPT_ENDPOINTS)."
)
NOBODY = "None of the endpoints answers; see whether their servers run."
OUT_S = (5.0, 10.0, 20.0, 40.0, 60.0)
"""How long a server that does not answer is left alone, each time longer."""
OUTDONE = 3
"""So many requests in a row that it failed at, and another answered: then it is the server and not the requests."""


@dataclass(eq=False)
class _Member:
    """One server."""

    client: ChatClient
    keyless: bool
    known: bool = False
    """Whether it has said what it serves."""
    out: bool = False
    """Whether it is left alone."""
    out_until: float = 0.0
    failed: int = 0
    """How often it was left alone since it last answered a request."""
    outdone: int = 0
    """Requests since then that it failed at, and another answered."""
    asking: asyncio.Task[None] | None = None
    has: int = 0
    """Requests that it was given and has not answered; those too whose pictures are still being encoded."""

    @property
    def model(self) -> str:
        """What it has said that it serves."""
        return self.client.status().model

    @property
    def there(self) -> bool:
        return self.known and not self.out

    @property
    def resting(self) -> bool:
        """Left alone, and not to be asked yet whether it is there."""
        return self.out and self.out_until > time.monotonic()

    @property
    def crowded(self) -> float:
        """How many it has for each that it serves well at one time."""
        return (self.has + 1) / self.client.pace.limit


def _passes(error: EngineError) -> bool:
    """Whether another server may answer all the same, and this one later."""
    return isinstance(error, Unreachable | Busy) or has_failed(error)


class Pool:
    """Servers that serve the same model. Use it on one event loop at a time."""

    name = "endpoint"
    gpu_bytes = 0

    def __init__(self, settings: Settings, servers: Sequence[tuple[str, SecretStr]]) -> None:
        """Each server's base URL and its key."""
        self.room = Room()
        self._load = Load()
        self._settings = settings
        self._answers = Answers(settings, here=all(is_here(url) for url, _ in servers))
        self._model = ""
        """What they serve, once that is known: one that comes back with another stays out."""
        self._members = [
            _Member(ChatClient(settings, url, key.get_secret_value(), load=self._load), not key.get_secret_value())
            for url, key in servers
        ]

    async def ready(self, report: Report) -> None:
        """Ask all that are not known to be there; where others are, none that is left alone. Raises EngineError where
        none is, SettingsError where they serve different models."""
        away = [member for member in self._members if not member.there]
        asked = away if len(away) == len(self._members) else [member for member in away if not member.resting]
        failures = await asyncio.gather(*(self._ask_whether_there(member) for member in asked))
        failed = [(member, failure) for member, failure in zip(asked, failures, strict=True) if failure is not None]
        if not any(member.there for member in self._members):
            raise failed[0][1] if failed else Unreachable(NOBODY)
        for member, failure in failed:
            if not _passes(failure):
                raise failure
            report(f"{member.client.base_url} does not answer and is left out for now.")
        report("")
        models = {member.model for member in self._members if member.known}
        if len(models) > 1 and not self._model:
            raise SettingsError(
                f"The endpoints serve different models ({', '.join(sorted(models))}); set IMG2PROMPT_MODEL to one that "
                "all of them serve, or leave some out."
            )
        self._model = self._model or models.pop()

    async def _ask_whether_there(self, member: _Member) -> EngineError | None:
        """Why it is not, if so."""
        try:
            await member.client.ready(lambda line: None)
            if self._model and member.model != self._model:
                raise Unreachable(
                    f"{member.client.base_url} serves {member.model} now, not {self._model}; have it serve that again."
                )
        except WrongKey as error:
            self._is_out(member)
            return WrongKey(KEYLESS.format(url=member.client.base_url)) if member.keyless else error
        except EngineError as error:
            self._is_out(member)
            return error
        member.known, member.out = True, False
        return None

    def _is_out(self, member: _Member) -> None:
        if not member.resting:  # else others of the requests that it had at that time have told
            member.out, member.out_until = True, time.monotonic() + OUT_S[min(member.failed, len(OUT_S) - 1)]
            member.failed += 1

    def _was_outdone(self, member: _Member, failed: int) -> None:
        """Another has answered what it failed at when it had `failed` as often. One that has not answered since it came
        back goes at once."""
        if member.there and member.failed == failed:
            member.outdone += 1
            if member.failed or member.outdone >= OUTDONE:
                self._is_out(member)

    async def wake(self, report: Report) -> None:
        """Others' servers: they are awake or not as their owners like."""

    async def answer(self, request: Request[Answer], report: Report, watch: Watch = UNWATCHED) -> Answer:
        pixels = pixels_to_send(request, self._context, report)
        answering = self._answers.get(request, pixels, self.identity(), lambda chat: self._ask(chat, watch))
        del request
        return await answering

    async def _ask(self, chat: Chat[Answer], watch: Watch) -> Answer:
        """From whoever has the most room; from another where that one does not answer. Raises EngineError."""
        failed: dict[_Member, EngineError] = {}
        outdone: list[tuple[_Member, int]] = []
        while member := self._roomiest(failed):
            member.has += 1
            try:
                answer = await member.client.ask(chat, watch)
            except EngineError as error:
                moved = isinstance(error, Unreachable | UnknownModel)
                if not (moved or _passes(error)):
                    raise
                failed[member] = error
                if not isinstance(error, Busy):
                    outdone.append((member, member.failed))
                if moved and member.there:
                    await self._ask_whether_there(member)  # it may be for this request only
            else:
                member.out, member.failed, member.outdone = False, 0, 0
                for one in outdone:
                    self._was_outdone(*one)
                return answer
            finally:
                member.has -= 1
        if failed:
            raise next(iter(failed.values()))
        raise Unreachable(NOBODY)

    def _roomiest(self, failed: dict[_Member, EngineError]) -> _Member | None:
        """One that is there and has not failed this request. Looks after those whose time out is over."""
        for member in self._members:
            if member.out and not member.resting and (member.asking is None or member.asking.done()):
                member.asking = asyncio.create_task(self._look_again(member))
        there = [member for member in self._members if member.there and member not in failed]
        return min(there, key=lambda member: member.crowded, default=None)

    async def _look_again(self, member: _Member) -> None:
        await self._ask_whether_there(member)

    @property
    def _known(self) -> list[ChatClient]:
        return [member.client for member in self._members if member.known] or [self._members[0].client]

    @property
    def _context(self) -> Context:
        """The shortest of them."""
        return min((client.context for client in self._known), key=lambda context: context.tokens)

    def pixels_each(self, request: Request[Any]) -> int:
        return pixels_each(request, self._context)

    def wanted(self) -> int:
        return sum(member.client.pace.limit for member in self._members if member.there) + AHEAD

    def identity(self) -> str:
        """The model's name: whoever of them answers, it is the same."""
        return f"servers of {self._model}"

    def status(self) -> Status:
        there = [member.client for member in self._members if member.there]
        first = self._known[0].status()
        urls = ", ".join(client.base_url for client in there)
        detail = f"{len(there)} of {len(self._members)} servers answer: {urls}." if there else first.detail
        return replace(
            first,
            model=self._model or first.model,
            endpoint=urls,
            detail=detail,
            cache_hits=self._answers.hits,
            cache_misses=self._answers.misses,
        )

    async def sleep(self) -> None:
        """Others' servers: nothing of them is ours to put to sleep."""

    async def stop(self) -> None:
        """Others' servers: they are not ours to end."""

    async def close(self) -> None:
        for member in self._members:
            if member.asking is not None:
                member.asking.cancel()
            await member.client.close()
            member.known, member.out, member.failed, member.outdone = False, False, 0, 0
        self._answers.close()
