"""The engine that nodes and commands ask: many requests at once, in order, cancellable, from any thread.

It knows nothing of models, HTTP or ComfyUI. It owns one daemon thread with one event loop, because ComfyUI makes a new
loop for each prompt, and connections cannot move between loops.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sized
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ..prompts.errors import Img2PromptError
from ..prompts.request import Answer, Request
from .backend import UNWATCHED, Backend, Report, Status, Watch
from .errors import NoEngine
from .room import Room
from .settings import Settings

Result = TypeVar("Result")

PREPARE_THREADS = max(2, min(4, os.cpu_count() or 2))
"""Threads that make and encode pictures. Both share them first come, first served, so that pictures are not made faster
than they are encoded; Pillow lets go of the GIL while it works."""
STOP_TIMEOUT_S = 30.0
WAIT_POLL_S = 0.0005, 0.004
"""The shortest and longest pause between two looks for an answer: short when it may come from the disk."""


class Engine:
    """Asks one backend. Safe from any thread; starts on first use, and again after `close()` or `stop()`."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self.settings = settings
        self._backend = backend
        self._lock = threading.Lock()
        self._io: _IoThread | None = None

    def ask(self, request: Request[Answer]) -> Answer:
        """Answer one request; blocks. Raises EngineError or PictureError."""
        return self.ask_many([request])[0]

    def ask_many(
        self,
        requests: Iterable[Request[Answer]],
        *,
        on_answer: Callable[[int, Answer], None] | None = None,
        report: Report | None = None,
        total: int | None = None,
    ) -> list[Answer]:
        """Answer all requests, in their order; blocks, and Ctrl-C cancels them all. Parameters as in `submit_many`."""
        return _wait(self.submit_many(requests, on_answer=on_answer, report=report, total=total))

    def submit_many(
        self,
        requests: Iterable[Request[Answer]],
        *,
        on_answer: Callable[[int, Answer], None] | None = None,
        report: Report | None = None,
        total: int | None = None,
        watch: Callable[[int], Watch] = lambda _: UNWATCHED,
    ) -> Future[list[Answer]]:
        """Begin to answer all requests; the future's `cancel()` stops them at once and closes their connections.

        `requests` is read lazily on a worker thread, at most `max_in_flight` ahead of those that wait for the model,
        and a handful ahead of those that are encoded, so that a batch of big pictures is never in memory as a whole.
        `on_answer(index, answer)` and `report(line)` are called on the engine's thread as things happen, in any order;
        what they raise ends the batch. `watch(index)` gives what listens to one request. `total` says how many requests
        there will be where `len(requests)` cannot. The first failing request cancels the others and is the future's
        exception, with "Picture 3 of 8: " in front where there are several; answers already got stay in the cache.
        """
        if total is None and isinstance(requests, Sized):
            total = len(requests)
        io = self._running()
        return io.submit(self._answer_all(io, requests, on_answer, report or _say_nothing, total, watch))

    def pixels_each(self, request: Request[Any]) -> int:
        """How many pixels each picture of such a request may have: larger ones are scaled down to it, so that all fit
        into the model's context. Blocks while the backend finds out who answers; starts nothing. Raises EngineError:
        Refused where the pictures do not fit."""
        return _wait(self._running().submit(self._pixels_each(request)))

    def status(self) -> Status:
        """How the engine stands, without asking the model."""
        return self._backend.status()

    @property
    def room(self) -> Room:
        """Where requests ask for room on the GPU, and whoever shares the GPU gives it."""
        return self._backend.room

    @property
    def gpu_bytes(self) -> int:
        """What the engine takes of this machine's GPU when it is awake, in bytes; 0 without a GPU of its own."""
        return self._backend.gpu_bytes

    def sleep(self) -> None:
        """Give the GPU's memory back; blocks until that is done. Requests in flight go on after the next wake.

        Nothing where nothing runs, or where the model is not on this machine's GPU. Raises EngineError.
        """
        _wait(self._running().submit(self._backend.sleep()))

    def wake(self, report: Report | None = None) -> Status:
        """Have the model on the GPU, as the first request would, starting its server where none runs, and say who
        answers; blocks. Raises EngineError."""
        _wait(self.submit_wake(report))
        return self.status()

    def submit_wake(self, report: Report | None = None) -> Future[None]:
        """Begin to do so; the future's `cancel()` ends the waiting, not a start that has begun."""
        return self._running().submit(self._wake(report or _say_nothing))

    def stop(self) -> None:
        """End the engine's server for everybody on this machine, and `close()`; the next request starts it again."""
        _wait(self._running().submit(self._backend.stop()))
        self.close()

    def close(self) -> None:
        """Cancel what runs, let go of the backend and end the thread; idempotent."""
        with self._lock:
            io, self._io = self._io, None
        if io is not None:
            io.stop(self._backend.close)

    def _running(self) -> _IoThread:
        with self._lock:
            if self._io is None:
                # as many again are encoded while the first wait, so that the model never waits for a picture
                self._io = _IoThread(2 * self.settings.max_in_flight)
            return self._io

    async def _pixels_each(self, request: Request[Any]) -> int:
        await self._backend.ready(_say_nothing)
        return self._backend.pixels_each(request)

    async def _wake(self, report: Report) -> None:
        await self._backend.ready(report)
        await self._backend.wake(report)
        report("")

    async def _answer_all(
        self,
        io: _IoThread,
        requests: Iterable[Request[Answer]],
        on_answer: Callable[[int, Answer], None] | None,
        report: Report,
        total: int | None,
        watch: Callable[[int], Watch],
    ) -> list[Answer]:
        await self._backend.ready(report)
        answers: dict[int, Answer] = {}

        async def answer_one(index: int, request: Request[Answer]) -> None:
            answering = self._backend.answer(request, report, watch(index))
            del request  # its pictures may be large: the backend alone decides how long to keep them
            with _numbered(index, total):
                answers[index] = await answering
            if on_answer is not None:
                on_answer(index, answers[index])

        try:
            async with asyncio.TaskGroup() as group, contextlib.aclosing(_read(requests, total)) as numbered:
                async for index, request in numbered:
                    await io.slots.acquire()
                    group.create_task(answer_one(index, request)).add_done_callback(lambda _: io.slots.release())
                    del request
        except BaseExceptionGroup as failures:
            first = failures.exceptions[0]
            raise first from first.__cause__
        return [answers[index] for index in range(len(answers))]


async def _read(
    requests: Iterable[Request[Answer]], total: int | None
) -> AsyncGenerator[tuple[int, Request[Answer]], None]:
    """The requests with their indices, each made on a worker thread only when it is wanted."""
    iterator = iter(requests)
    index = 0
    while True:
        with _numbered(index, total):
            request = await asyncio.to_thread(next, iterator, None)
        if request is None:
            return
        yield index, request
        del request
        index += 1


@contextlib.contextmanager
def _numbered(index: int, total: int | None) -> Iterator[None]:
    """Put "Picture 3 of 8: " in front of our own errors, unless there is one picture only."""
    try:
        yield
    except Img2PromptError as error:
        if total == 1:
            raise
        of = f" of {total}" if total else ""
        raise type(error)(f"Picture {index + 1}{of}: {error}") from error


def _wait(future: Future[Result]) -> Result:
    """The future's result. Ctrl-C here cancels it.

    Polled without a lock: Ctrl-C within one of the future's own would leave it locked, and the engine's thread waiting.
    """
    finished: list[Future[Result]] = []
    future.add_done_callback(finished.append)
    began, (shortest_s, longest_s) = time.monotonic(), WAIT_POLL_S
    try:
        while not finished:
            time.sleep(min(longest_s, max(shortest_s, (time.monotonic() - began) / 200)))
        return future.result()
    except futures.CancelledError as error:
        raise NoEngine("The engine was stopped before it had answered; ask again.") from error
    except KeyboardInterrupt:
        future.cancel()
        raise


def _say_nothing(line: str) -> None:
    """The report of a caller who wants none."""


class _IoThread:
    """A daemon thread with one event loop, and the small pool that does its CPU work (the loop's default executor)."""

    def __init__(self, slots: int) -> None:
        self.slots = asyncio.Semaphore(slots)
        """One for each request that is made, encoded, or waits for the model, whoever asks."""
        self._pool = ThreadPoolExecutor(PREPARE_THREADS, thread_name_prefix="img2prompt-prepare")
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(self._pool)
        self._thread = threading.Thread(target=self._run, name="img2prompt-engine", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
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
