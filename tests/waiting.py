"""Waiting for another thread or process, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object], timeout_s: float = 30) -> None:
    """Return as soon as `true()` is. Raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"It did not come true in {timeout_s} s.")
        time.sleep(0.01)
