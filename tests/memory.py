"""How much memory a process takes while something happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 2**20
PAGE_BYTES = 4096


@contextmanager
def resident_bytes(pid: int) -> Iterator[list[int]]:
    """Resident bytes of a process, sampled every 10 ms into the list that this gives: at once, and until it ends."""
    seen: list[int] = []
    stop = threading.Event()

    def sample() -> None:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        seen.append(pages * PAGE_BYTES)

    def keep_sampling() -> None:
        while not stop.wait(0.01):
            sample()

    sample()
    thread = threading.Thread(target=keep_sampling)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
