"""Any number of requests answered in bounded memory: in order, each answer as soon as those before it are there."""

from __future__ import annotations

import asyncio
import queue
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable
from concurrent import futures
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from ..prompts.errors import Img2PromptError
from ..prompts.request import Answer, Request
from .backend import Backend, Report
from .errors import Asleep, Busy, EngineError, NoEngine, Refused, Unreachable
from .io_thread import STOPPED, IoThread

OUTAGES = (Unreachable, Busy, Asleep)
"""What says something of the engine and nothing of the request."""
SERVER_ERROR = 500
BLAMED_TRIES = 4
FAILED_TRIES = 2
"""So often more is a request tried that the server failed at."""
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Before each new try at an engine that is not there; the last again and again."""
WINDOW = 512
"""Answers that are there, wait for one before them or to be taken, and requests on their way, together."""
JOBS_AT_ONCE = 16
"""Read at one time: a step to another thread costs more than a job."""
SLOW_S = 0.1
"""Jobs that are there after so long do not wait for more: whoever lists them may take a minute over each."""
LOOK_S = 0.2
"""Between two looks for Ctrl-C."""
END = object()

Job = TypeVar("Job", bound=Callable[[], object])

Given = TypeVar("Given", bound=BaseModel)
"""What a job gives itself, where it needs no engine."""


Given_co = TypeVar("Given_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True, slots=True)
class Step(Generic[Given_co]):
    """A request whose answer leads to another, or to what is given: of one place, one after the other."""

    request: Request[Any]
    then: Callable[[Any], Step[Given_co] | Given_co]
    """Called with the answer, on a worker thread."""


async def follow(
    asked: Request[Any] | Step[Given] | Given, ask: Callable[[Request[Any]], Coroutine[Any, Any, Any]]
) -> Given:
    """Put one request after the other to `ask`, and give what the last leads to."""
    while isinstance(asked, Request | Step):
        request, then = (asked.request, asked.then) if isinstance(asked, Step) else (asked, None)
        answering = ask(request)
        del asked, request  # its pictures may be large: whoever answers decides how long to keep them
        answer = await answering
        if then is None:
            return answer
        asked = await asyncio.to_thread(then, answer)
    return asked


def answers(
    backend: Backend,
    io: IoThread,
    jobs: Iterable[Callable[[], Request[Answer] | Step[Given] | Given]],
    report: Report,
    patience_s: float,
) -> Generator[Answer | Given | Img2PromptError, None, None]:
    """As `Engine.stream`."""
    stream = _Stream[Answer, Given](backend, io, report, patience_s)
    feeding = io.submit(stream.feed(jobs))
    feeding.add_done_callback(lambda _: stream.taken.put(END))
    try:
        while True:
            try:
                answer = stream.taken.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if answer is END:
                break
            try:
                io.call(stream.window.release)
            except RuntimeError as error:  # its loop is closed
                raise NoEngine(STOPPED) from error
            yield answer  # pyright: ignore[reportReturnType]
        feeding.result()
    except futures.CancelledError as error:
        raise NoEngine(STOPPED) from error
    finally:
        feeding.cancel()


class _Stream(Generic[Answer, Given]):
    """One call of `answers`. All but `taken` belongs to the engine's loop."""

    def __init__(self, backend: Backend, io: IoThread, report: Report, patience_s: float) -> None:
        self._backend = backend
        self._io = io
        self._report = report
        self._patience_s = patience_s
        self._out_since: float | None = None
        """When the engine was first found missing, if nobody has been answered since."""
        self._found, self._finding = False, asyncio.Lock()
        self._missing: EngineError | None = None
        """Why nobody answers, where that was so from the start."""
        self._answered = 0
        self._there: dict[int, Answer | Given | Img2PromptError] = {}
        self._next = 0
        self.window = asyncio.Semaphore(WINDOW)
        self.taken: queue.SimpleQueue[object] = queue.SimpleQueue()

    async def feed(self, jobs: Iterable[Callable[[], Request[Answer] | Step[Given] | Given]]) -> None:
        """Answer them all."""
        slots, index = self._io.slots, 0
        try:
            async with asyncio.TaskGroup() as group, aclosing(_read(jobs)) as read:
                async for job in read:
                    await self.window.acquire()
                    await slots.enter()
                    group.create_task(self._give(index, job)).add_done_callback(lambda _: slots.leave())
                    index += 1
        except BaseExceptionGroup as failures:
            first = failures.exceptions[0]
            raise first from first.__cause__

    async def _give(self, index: int, job: Callable[[], Request[Answer] | Step[Given] | Given]) -> None:
        """Put the job's answer where it belongs, and hand on those whose turn it is."""
        try:
            self._there[index] = await self._answer(job)
        except Img2PromptError as error:
            if error is self._missing:
                raise
            self._there[index] = error
        while self._next in self._there:
            self.taken.put(self._there.pop(self._next))
            self._next += 1

    async def _find(self) -> None:
        """See that somebody answers, before the first request. Raises EngineError, which ends it all."""
        if self._found:
            return
        async with self._finding:
            if self._missing is not None:
                raise self._missing
            if not self._found:
                try:
                    await self._backend.ready(self._report)
                except EngineError as error:
                    self._missing = error
                    raise
                self._found = True
                self._io.slots.look()  # who answers is known now, and with it how many places there are

    async def _answer(self, job: Callable[[], Request[Answer] | Step[Given] | Given]) -> Answer | Given:
        tries = blamed = 0
        answered = self._answered
        while True:
            reached = not tries
            try:
                if tries:
                    await self._backend.ready(self._report)  # before the job: what it reads would wait in memory
                    reached = True
                return await self._once(job)
            except EngineError as error:
                # a server that is there, and breaks off or says nothing over this one again and again
                blamed += reached and isinstance(error, Unreachable)
                tries_again = self._may_try_again(error, tries)
                if blamed >= BLAMED_TRIES and (self._answered > answered or not tries_again):
                    raise _blamed(error) from error
                if error is self._missing or not tries_again:
                    raise
            await asyncio.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
            tries += 1

    async def _once(self, job: Callable[[], Request[Answer] | Step[Given] | Given]) -> Answer | Given:
        return await follow(await asyncio.to_thread(job), self._ask)

    async def _ask(self, request: Request[Any]) -> Any:
        await self._find()
        answering = self._backend.answer(request, self._report)
        del request  # its pictures may be large
        answer = await answering
        self._out_since = None
        self._answered += 1
        return answer

    def _may_try_again(self, error: EngineError, tries: int) -> bool:
        if not isinstance(error, OUTAGES):
            return has_failed(error) and self._patience_s > 0 and tries < FAILED_TRIES
        now = time.monotonic()
        self._out_since = self._out_since or now
        return now - self._out_since < self._patience_s


async def _read(jobs: Iterable[Job]) -> AsyncGenerator[Job, None]:
    """The jobs, read on a worker thread, many at one time; none waits long for those after it."""
    loop, iterator, there = asyncio.get_running_loop(), iter(jobs), deque[Job]()

    def read() -> bool:
        """Whether there may be more."""
        for _ in range(JOBS_AT_ONCE):
            if (job := next(iterator, None)) is None:
                return False
            there.append(job)
        return True

    reading = loop.run_in_executor(None, read)
    try:
        while True:
            await asyncio.wait([reading], timeout=SLOW_S)
            is_read = reading.done()
            while there:
                yield there.popleft()
            if is_read:
                if not reading.result():
                    return
                reading = loop.run_in_executor(None, read)
    finally:
        reading.cancel()


def _blamed(error: EngineError) -> Refused:
    """The same, as the picture's own: others are answered, or the server is there."""
    refused = Refused(
        f"{error} It is there for others, so it may be this picture: save it again, scale it down, or leave it out."
    )
    refused.status = SERVER_ERROR
    return refused


def has_failed(error: EngineError) -> bool:
    """Whether the server failed at a request that may be none the worse for that: vLLM says so (500) while it dies."""
    return isinstance(error, Refused) and (error.status or 0) >= SERVER_ERROR
