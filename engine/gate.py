"""A semaphore whose number of places may change while it is used: first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Gate:
    """Lets in as many as `places()` says now. Use it on one event loop at a time.

    Fewer places send nobody out: they count when somebody leaves. More places count at the next coming or leaving, or
    at `look()`.
    """

    def __init__(self, places: Callable[[], int]) -> None:
        self._places = places
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.inside = 0

    @property
    def waiting(self) -> int:
        """How many wait to be let in."""
        return sum(not turn.done() for turn in self._waiting)

    @property
    def crowded(self) -> bool:
        """Whether anybody waits: quick, however many do."""
        return any(not turn.done() for turn in self._waiting)

    async def enter(self) -> None:
        """Wait for a place. Whoever is cancelled has none."""
        if not self._waiting and self.inside < self._places():
            self.inside += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self.look()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in and cancelled at once
                self.leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.inside -= 1
        self.look()

    def look(self) -> None:
        """Let in who has a place now."""
        while self._waiting and self.inside < self._places():
            turn = self._waiting.popleft()
            if not turn.done():  # cancelled, and does not know it yet
                self.inside += 1
                turn.set_result(None)
