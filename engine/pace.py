"""How many requests are with a server at one time: as many as it serves best, found out while it serves.

A server that batches (vLLM) answers more in a second the more it has at one time, up to a point that depends on the
GPU, the model and the pictures. Past it requests only wait there. So the pace grows while that brings more answers in a
second, and no further; vLLM tells itself how many wait (`vllm:num_requests_waiting` of GET /metrics), which is sooner
and surer. A server that has no room (429, 503) is asked for less at once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from .gate import Gate

FIRST = 16
"""In flight before anything is known: what a GPU of any size batches well."""
AHEAD = 16
GROWTH = 1.5
WORTH = 1.05
"""More in flight is kept where it brings so many times the answers in a second."""
FEWEST_ANSWERS = 16
"""In one measurement: answers differ in length."""
SETTLED_FOR = 8
"""Measurements until it is tried again whether more in flight brings more."""
CUT = 0.7
REFUSED_S = 1.0
"""Refusals within so long are one: they come in the number that was in flight."""
WAITING_SHARE = 0.25
"""Of the requests that vLLM works on, so many may wait there: none would leave it idle between two."""
RUNNING = re.compile(r"^vllm:num_requests_running(?:{[^}]*})? ([0-9.e+]+)$", re.MULTILINE)
WAITING = re.compile(r"^vllm:num_requests_waiting(?:{[^}]*})? ([0-9.e+]+)$", re.MULTILINE)


class Pace(Gate):
    """The places that one server has, at most `most`. Use it on one event loop at a time."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(lambda: self.limit)
        self.most = most
        self.limit = min(FIRST, most)
        self._clock = clock
        self._refused_at = float("-inf")
        self._told_by_server = False
        self._before = (0, 0.0)
        """The limit before the last growth, and the answers in a second that it brought; (0, 0) when not growing."""
        self._settled = 0
        self._begin()

    def _begin(self) -> None:
        self._began, self._answers, self._short = self._clock(), 0, False

    @property
    def wanted(self) -> int:
        """How many requests are worth having at hand: as many again may be ready to follow, and AHEAD at most, because
        each holds its pictures."""
        return self.limit + min(self.limit, AHEAD)

    def answered(self) -> None:
        """An answer is there."""
        self._answers += 1
        self._short = self._short or not self.crowded  # what was in flight is all there was
        if self._answers < max(FEWEST_ANSWERS, 2 * self.limit):
            return
        passed = self._clock() - self._began
        if passed > 0 and not self._short and not self._told_by_server:
            self._measured(self._answers / passed)
        self._begin()

    def _measured(self, per_s: float) -> None:
        """What the present limit brings, in answers a second: grow on, go back, or stay for a while."""
        limit, rate = self._before
        if limit and per_s < WORTH * rate:
            self._set(limit)
            self._before, self._settled = (0, 0.0), SETTLED_FOR
        elif self._settled:
            self._settled -= 1
        else:
            self._before = (self.limit, per_s)
            self._set(round(self.limit * GROWTH) + 1)

    def refused(self) -> None:
        """The server had no room for a request."""
        now = self._clock()
        if now - self._refused_at < REFUSED_S:
            return
        self._refused_at = now
        self._set(int(min(self.limit, max(1, self.inside)) * CUT))
        self._before, self._settled = (0, 0.0), SETTLED_FOR
        self._begin()

    def told(self, metrics: str) -> None:
        """What vLLM's GET /metrics says: all engines of that server together, and whoever else asks it."""
        running, waiting = (sum(map(float, kind.findall(metrics))) for kind in (RUNNING, WAITING))
        self._told_by_server = bool(RUNNING.search(metrics))
        if not self._told_by_server or self._clock() - self._refused_at < REFUSED_S:
            return
        allowed = max(1.0, WAITING_SHARE * running)
        if waiting > allowed:
            self._set(self.limit - round(waiting - allowed))
        elif self.crowded and waiting < allowed / 2 and self.inside >= self.limit:
            self._set(round(self.limit * GROWTH) + 1)

    def _set(self, limit: int) -> None:
        self.limit = max(1, min(limit, self.most))
        self.look()
