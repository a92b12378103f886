"""What all backends with a model do before and after they ask it: prepare the pictures, and keep answers on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from ..prompts.request import Answer, Request
from .cache import AnswerCache, answer_key
from .chat import Chat, prepare, question
from .errors import Refused
from .settings import Settings

MIB = 2**20


class Answers:
    """Requests on their way to the model, and answers on their way back. Use it on one event loop at a time."""

    def __init__(self, settings: Settings, *, here: bool) -> None:
        """`here`: all who are asked are on this machine."""
        self._settings = settings
        self._png_as_it_is = here and settings.png_as_it_is
        file, size = settings.cache_dir / "answers.sqlite3", settings.cache_mib * MIB
        self._cache = AnswerCache(file, size) if settings.cache else None
        self.hits = self.misses = 0
        self.begin()

    def begin(self) -> None:
        """What belongs to one event loop."""
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(
        self, request: Request[Answer], max_pixels: int, identity: str, ask: Callable[[Chat[Answer]], Awaitable[Answer]]
    ) -> Answer:
        """The kept answer, or what `ask` gets from the model that `identity` stands for. Each picture is sent with
        `max_pixels` at most. Raises EngineError or PictureError."""
        preparing = asyncio.to_thread(
            prepare, request, max_pixels, self._settings.temperature, png_as_it_is=self._png_as_it_is
        )
        del request
        chat = await preparing
        if self._cache is None:
            return await self._ask(chat, ask)
        key = await asyncio.to_thread(lambda: answer_key(identity, question(chat)))
        # equal requests at one time: the first asks, the others find its answer
        async with self._asking.setdefault(key, asyncio.Lock()):
            found = await asyncio.to_thread(self._cache.get, key, chat.answer)
            if found is not None:
                self.hits += 1
                return found
            found = await self._ask(chat, ask)
            await asyncio.to_thread(self._cache.put, key, found)
            return found

    async def _ask(self, chat: Chat[Answer], ask: Callable[[Chat[Answer]], Awaitable[Answer]]) -> Answer:
        """From the model. Who waits for it holds files, not pixels, which are ten times as large. Raises EngineError;
        PictureError where what was refused cannot be decoded here either."""
        self.misses += 1
        for picture in chat.pictures:
            await asyncio.to_thread(getattr, picture, "file")
        try:
            return await ask(chat)
        except Refused:
            for picture in chat.pictures:  # a file that was sent as it is may be why, and says so better
                await asyncio.to_thread(picture.check)
            raise

    def close(self) -> None:
        """Close the file; the next request opens it again."""
        self.begin()
        if self._cache is not None:
            self._cache.close()
