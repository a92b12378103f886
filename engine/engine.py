"""The engine that nodes and commands ask: many requests at once, in order, cancellable, from any thread.

It knows nothing of models, HTTP or ComfyUI. It owns one daemon thread with one event loop, because ComfyUI makes a new
loop for each prompt, and connections cannot move between loops.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sized
from concurrent import futures
from concurrent.futures import Future
from typing import Any

from ..prompts.errors import Img2PromptError
from ..prompts.request import Answer, Request
from .backend import UNWATCHED, Backend, Report, Status, Watch
from .errors import NoEngine
from .gate import Gate
from .io_thread import STOPPED, IoThread, Result
from .room import Room
from .settings import Settings
from .stream import Given, Step, answers, follow

WAIT_POLL_S = 0.0005, 0.004
"""The shortest and longest pause between two looks for an answer: short when it may come from the disk."""


class Engine:
    """Asks one backend. Safe from any thread; starts on first use, and again after `close()` or `stop()`."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self.settings = settings
        self._backend = backend
        self._lock = threading.Lock()
        self._io: IoThread | None = None

    def ask(self, request: Request[Answer]) -> Answer:
        """Answer one request; blocks. Raises EngineError or PictureError."""
        return self.ask_many([request])[0]

    def ask_many(
        self,
        requests: Iterable[Request[Answer] | Step[Answer]],
        *,
        on_answer: Callable[[int, Answer], None] | None = None,
        report: Report | None = None,
        total: int | None = None,
    ) -> list[Answer]:
        """Answer all requests, in their order; blocks, and Ctrl-C cancels them all. Parameters as in `submit_many`."""
        return _wait(self.submit_many(requests, on_answer=on_answer, report=report, total=total))

    def submit_many(
        self,
        requests: Iterable[Request[Answer] | Step[Answer]],
        *,
        on_answer: Callable[[int, Answer], None] | None = None,
        report: Report | None = None,
        total: int | None = None,
        watch: Callable[[int], Watch] = lambda _: UNWATCHED,
    ) -> Future[list[Answer]]:
        """Begin to answer all requests; the future's `cancel()` stops them at once and closes their connections.

        `requests` (of a Step the last answer counts) is read lazily on a worker thread, each when there is a place for
        it: no more than the model answers at one time, and some ahead, so that a batch of big pictures is never in
        memory as a whole.
        `on_answer(index, answer)` and `report(line)` are called on the engine's thread as things happen, in any order;
        what they raise ends the batch. `watch(index)` gives what listens to one request. `total` says how many requests
        there will be where `len(requests)` cannot. The first failing request cancels the others and is the future's
        exception, with "Picture 3 of 8: " in front where there are several; answers already got stay in the cache.
        """
        if total is None and isinstance(requests, Sized):
            total = len(requests)
        io = self._running()
        return io.submit(self._answer_all(io, requests, on_answer, report or _say_nothing, total, watch))

    def stream(
        self,
        jobs: Iterable[Callable[[], Request[Answer] | Step[Given] | Given]],
        *,
        report: Report | None = None,
        patience_s: float = 0.0,
    ) -> Generator[Answer | Given | Img2PromptError, None, None]:
        """The answers in the order of the jobs, as many as there are; what fails is given instead of its answer.

        A job makes its request, or the first of several, or gives the answer itself; it is called on a worker thread
        when there is a place for it, and again where the engine could not be reached and that has lasted for less than
        `patience_s`. A few hundred answers may wait to be taken, then no more is asked. Closing the iterator cancels
        what is in flight.
        Raises EngineError where nobody answers from the start, and what a job raises that is none of our errors.
        """
        return answers(self._backend, self._running(), jobs, report or _say_nothing, patience_s)

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

    def _running(self) -> IoThread:
        with self._lock:
            if self._io is None:
                self._io = IoThread(self._backend.wanted)
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
        io: IoThread,
        requests: Iterable[Request[Answer] | Step[Answer]],
        on_answer: Callable[[int, Answer], None] | None,
        report: Report,
        total: int | None,
        watch: Callable[[int], Watch],
    ) -> list[Answer]:
        await self._backend.ready(report)
        answers: dict[int, Answer] = {}

        async def answer_one(index: int, request: Request[Answer] | Step[Answer]) -> None:
            answering = follow(request, lambda one: self._backend.answer(one, report, watch(index)))
            del request  # its pictures may be large: the backend alone decides how long to keep them
            with _numbered(index, total):
                answers[index] = await answering
            if on_answer is not None:
                on_answer(index, answers[index])

        try:
            async with asyncio.TaskGroup() as group, contextlib.aclosing(_read(requests, total, io.slots)) as numbered:
                async for index, request in numbered:
                    group.create_task(answer_one(index, request)).add_done_callback(lambda _: io.slots.leave())
                    del request
        except BaseExceptionGroup as failures:
            first = failures.exceptions[0]
            raise first from first.__cause__
        return [answers[index] for index in range(len(answers))]


async def _read(
    requests: Iterable[Request[Answer] | Step[Answer]], total: int | None, slots: Gate
) -> AsyncGenerator[tuple[int, Request[Answer] | Step[Answer]], None]:
    """The requests with their indices, each made on a worker thread when it has a place, which is then its own."""
    iterator = iter(requests)
    index = 0
    while True:
        await slots.enter()
        request = None
        try:
            with _numbered(index, total):
                request = await asyncio.to_thread(next, iterator, None)
        finally:
            if request is None:
                slots.leave()
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
        raise NoEngine(STOPPED) from error
    except KeyboardInterrupt:
        future.cancel()
        raise


def _say_nothing(line: str) -> None:
    """The report of a caller who wants none."""
