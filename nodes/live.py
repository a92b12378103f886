"""Live text: what the model writes of one picture, told to the browser while a node waits for its answers.

The engine's thread hands in the words as they are written, and ComfyUI's own thread sends them on. It knows nothing of
what they mean: that is `prompts.partial`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from ..engine.backend import Watch
from . import comfy

EVENT = "img2prompt.live"
EVERY_S = 1 / 8
"""A node sends no oftener, which is as fast as anybody reads."""


@dataclass(eq=False)
class _Seat:
    """Who of a node is live. ComfyUI calls a node once for each part of a list, all at one time, and it shows one."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    holder: tuple[LiveText, int] | None = None
    """Whose picture is being watched, and which it is, from 0."""
    sent_at_s: float = float("-inf")


_seats: WeakValueDictionary[str, _Seat] = WeakValueDictionary()
"""By node."""
_seating = threading.Lock()


def _seat(node_id: str) -> _Seat:
    with _seating:
        return _seats.setdefault(node_id, _Seat())


class LiveText:
    """One call of a node that waits for `total` answers; while `with` lasts. Without a browser nothing is watched."""

    def __init__(self, node_id: str | None, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._node_id = node_id
        self._total = total
        self._clock = clock
        self._seat = _Seat() if node_id is None else _seat(node_id)
        self._asked_at_s: dict[int, float] = {}
        self._seconds: dict[int, float] = {}
        self._done = 0
        self._client: str | None = None
        self._picture = 0
        self._text = ""
        self._sent: object = None
        self._told: object = None
        self._over = False

    def __enter__(self) -> LiveText:
        return self

    def __exit__(self, *_: object) -> None:
        with self._seat.lock:
            self._over = True
            if self._seat.holder is not None and self._seat.holder[0] is self:
                self._seat.holder = None

    def watch(self, index: int) -> Watch:
        """What listens to the answer of that picture, from 0."""
        return _Picture(self, index)

    def answered(self, index: int) -> None:
        """That picture's answer is there, from the model or not; the next that is asked may be watched."""
        with self._seat.lock:
            self._done += 1
            if index in self._asked_at_s:
                self._seconds[index] = self._clock() - self._asked_at_s[index]
            if self._seat.holder == (self, index):
                self._seat.holder = None

    def seconds(self, index: int) -> float | None:
        """How long the model took for it, its waiting for others included; None where it was never asked."""
        return self._seconds.get(index)

    def send(self) -> None:
        """Tell the browser what is new, if it is time. On ComfyUI's thread."""
        from ..prompts.partial import partial_fields

        with self._seat.lock:
            now_s, client = self._clock(), self._client
            news = (self._picture, self._done, self._text)
            if client is None or news == self._sent or now_s - self._seat.sent_at_s < EVERY_S:
                return
            self._sent, self._seat.sent_at_s = news, now_s
        picture, done, text = news
        fields = partial_fields(text)
        if fields and (told := (picture, done, fields)) != self._told:
            self._told = told
            comfy.tell(client, EVENT, self._event(picture, done, fields))

    def _event(self, picture: int, done: int, fields: list[tuple[str, str]]) -> dict[str, Any]:
        return {"node": self._node_id, "picture": picture + 1, "of": self._total, "done": done, "fields": fields}

    def asked(self, index: int) -> bool:
        """As `Watch.asked`, for that picture."""
        client = None if self._node_id is None else comfy.listener()
        with self._seat.lock:
            self._asked_at_s.setdefault(index, self._clock())
            if client is None or self._over:
                return False
            if self._seat.holder is None:
                self._seat.holder = (self, index)
            if self._seat.holder != (self, index):
                return False
            self._client, self._picture, self._text = client, index, ""
            return True

    def wrote(self, index: int, text: str) -> None:
        """As `Watch.wrote`."""
        from ..prompts.partial import MOST_CHARACTERS

        with self._seat.lock:
            if self._seat.holder == (self, index) and len(self._text) < MOST_CHARACTERS:
                self._text += text


@dataclass(frozen=True, slots=True)
class _Picture(Watch):
    live: LiveText
    index: int

    def asked(self) -> bool:
        return self.live.asked(self.index)

    def wrote(self, text: str) -> None:
        self.live.wrote(self.index, text)
