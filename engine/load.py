"""How busy the model is, as this process sees it: requests that run and wait, and tokens in a second."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator


class Load:
    """Counts of one backend. Written on the engine's loop, read from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.running = 0
        """Requests that the model answers now."""
        self.waiting = 0
        """Requests that wait for their turn."""
        self._began = 0.0
        self._tokens = 0
        self._lately = 0.0

    @contextlib.contextmanager
    def waits(self) -> Iterator[None]:
        """While a request waits for its turn."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    @contextlib.contextmanager
    def runs(self) -> Iterator[None]:
        """While the model answers a request."""
        if not self.running:
            self._began, self._tokens = self._clock(), 0
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._lately = self._rate() or self._lately

    def wrote(self, tokens: int) -> None:
        """An answer is there that has so many tokens."""
        self._tokens += tokens

    @property
    def tokens_per_s(self) -> float:
        """Since the model began to work without a pause, or when it last did; all requests together. Answers count when
        they are whole. 0 where no server told how long its answers were."""
        return (self._rate() if self.running else 0.0) or self._lately

    def _rate(self) -> float:
        passed = self._clock() - self._began
        return self._tokens / passed if passed > 0 else 0.0
