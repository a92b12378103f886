"""The engine's own thread: one event loop, and the few threads that do its CPU work."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from .gate import Gate

Result = TypeVar("Result")

PREPARE_THREADS = max(2, min(4, os.cpu_count() or 2))
"""Threads that make and encode pictures. Both share them first come, first served, so that pictures are not made faster
than they are encoded; Pillow lets go of the GIL while it works."""
STOP_TIMEOUT_S = 30.0
STOPPED = "The engine was stopped before it had answered; ask again."


class IoThread:
    """A daemon thread with one event loop, and the small pool that does its CPU work (the loop's default executor)."""

    def __init__(self, wanted: Callable[[], int]) -> None:
        self.slots = Gate(wanted)
        """A place for each request that is made, encoded, or waits for the model, whoever asks."""
        self._pool = ThreadPoolExecutor(PREPARE_THREADS, thread_name_prefix="img2prompt-prepare")
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(self._pool)
        self._thread = threading.Thread(target=self._run, name="img2prompt-engine", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], object]) -> None:
        """Have the loop call it soon."""
        self._loop.call_soon_threadsafe(function)

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Begin to do this on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel all work, run `close`, end the thread."""
        try:
            self.submit(self._wind_up(close)).result(STOP_TIMEOUT_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_TIMEOUT_S)

    async def _wind_up(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._loop.close()
