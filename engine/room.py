"""Room on the GPU: agreed between the requests that need the model and whoever shares the GPU with it.

Where nobody shares it (the command line), there is always room. Inside ComfyUI the memory manager decides: requests
say that they want room, ComfyUI's own thread frees memory and gives it, and takes it back when sampling needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

POLL_S = 0.02


class Room:
    """Whether the model may be on the GPU now. Safe from any thread."""

    def __init__(self) -> None:
        self.shared = False
        """Somebody gives room and takes it back: without that, there is always room."""
        self._lock = threading.Lock()
        self._given = False
        self._users = 0
        self.uses = 0
        """Requests that have needed the model so far."""
        self.asleep = False
        """It is known that the model sleeps: it must be woken when there is room."""

    @property
    def given(self) -> bool:
        """Whether the model may be on the GPU."""
        return self._given or not self.shared

    @property
    def users(self) -> int:
        """Requests that need the model now."""
        return self._users

    @property
    def wanted(self) -> bool:
        """Whether requests wait for room: whoever shares the GPU should make some and `give()` it."""
        return self._users > 0 and not self.given

    def give(self) -> None:
        """There is room for the model from now on."""
        self._given = True

    def take(self) -> None:
        """There is none any more; requests that still need it want it again."""
        self._given = False

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """While a request needs the model: from before it is sent until it is answered."""
        with self._lock:
            self._users += 1
            self.uses += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1

    async def wait(self) -> None:
        """Return when there is room."""
        while not self.given:
            await asyncio.sleep(POLL_S)
