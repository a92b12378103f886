from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from img2prompt.engine import Engine, Settings
from img2prompt.engine.backend import Report
from img2prompt.engine.errors import BadAnswer, NoEngine, StartFailed
from img2prompt.engine.io_thread import PREPARE_THREADS
from img2prompt.engine.sketch import SketchBackend
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.errors import PictureError
from img2prompt.prompts.request import Request
from img2prompt.tests.seeing import COLORS, draw
from img2prompt.tests.seeing_server import SeeingServer
from PIL import Image

if TYPE_CHECKING:
    from img2prompt.tests.unit.engine.conftest import MakeEngine, Until


def asking(picture: Image.Image) -> Request[ImageAnalysis]:
    return Request((picture,), "Look.", ImageAnalysis)


def some(count: int) -> list[Request[ImageAnalysis]]:
    return [asking(draw(size=(20 + index, 20))) for index in range(count)]


def test_twenty_pictures_are_answered_in_their_order(server: SeeingServer, engine: Engine) -> None:
    delays = [index * 0.02 for index in range(20)]
    random.Random(3).shuffle(delays)
    server.control.script = [{"delay_s": delay} for delay in delays]
    pairs = [(center, border) for center in list(COLORS)[3:8] for border in list(COLORS)[:4]]
    finished: list[int] = []
    answers = engine.ask_many(
        (asking(draw(*pair)) for pair in pairs), on_answer=lambda index, _: finished.append(index)
    )
    assert [tuple(tag.split()[0] for tag in answer.tags) for answer in answers] == pairs
    assert sorted(finished) == list(range(20))
    assert finished != sorted(finished)


def test_no_requests_no_answers(engine: Engine) -> None:
    assert engine.ask_many([]) == []


def test_at_most_so_many_wait_for_the_model_whoever_asks(server: SeeingServer, engine: Engine, until: Until) -> None:
    server.control.hold = True
    batches = [engine.submit_many(some(30)), engine.submit_many(some(20))]
    until(lambda: server.counts.in_flight == 16)
    server.control.hold = False
    assert [len(batch.result(20)) for batch in batches] == [30, 20]
    assert server.counts.max_in_flight == 16


def test_the_limit_is_a_setting(server: SeeingServer, make_engine: MakeEngine) -> None:
    server.control.delay_s = 0.02
    make_engine(max_in_flight=3).ask_many(some(12))
    assert server.counts.max_in_flight == 3


def test_requests_are_made_only_when_they_are_wanted_and_their_pictures_let_go(
    server: SeeingServer, make_engine: MakeEngine, until: Until
) -> None:
    pictures: list[weakref.ref[Image.Image]] = []
    kept: list[int] = []
    threads: set[threading.Thread] = set()

    def alive() -> int:
        return sum(picture() is not None for picture in pictures)

    def made() -> Iterator[Request[ImageAnalysis]]:
        for index in range(60):
            threads.add(threading.current_thread())
            picture = draw(size=(1000 + index, 1000))
            pictures.append(weakref.ref(picture))
            kept.append(alive())
            request = [asking(picture)]
            del picture
            yield request.pop()

    server.control.hold = True
    answering = make_engine(max_in_flight=8).submit_many(made())
    # eight wait for the model, eight are encoded, and no further one is made
    until(lambda: server.counts.in_flight == 8 and len(pictures) == 16 and alive() == 0)
    server.control.hold = False
    assert len(answering.result(20)) == 60
    assert max(kept) <= PREPARE_THREADS + 3
    assert threading.main_thread() not in threads
    assert len(threads) <= PREPARE_THREADS


def test_cancel_closes_every_connection(server: SeeingServer, engine: Engine, until: Until) -> None:
    server.control.hold = True
    answering = engine.submit_many(some(40))
    until(lambda: server.counts.in_flight == 16)
    assert answering.cancel()
    with pytest.raises(CancelledError):
        answering.result(1)
    until(lambda: server.counts.in_flight == 0)
    assert server.counts.cancelled == 16
    assert server.counts.requests == 16
    server.control.hold = False
    assert len(engine.ask_many(some(20))) == 20  # no place was lost


def test_cancel_of_one_batch_leaves_another_alone(server: SeeingServer, engine: Engine, until: Until) -> None:
    server.control.hold = True
    one, other = engine.submit_many(some(5)), engine.submit_many(some(6))
    until(lambda: server.counts.in_flight == 11)
    one.cancel()
    until(lambda: server.counts.cancelled == 5)
    server.control.hold = False
    assert len(other.result(20)) == 6


def test_the_first_failing_picture_ends_the_batch_and_is_named(
    server: SeeingServer, engine: Engine, until: Until
) -> None:
    def one_by_one() -> Iterator[Request[ImageAnalysis]]:
        for index, request in enumerate(some(8)):
            while server.counts.requests < min(index, 3):
                threading.Event().wait(0.01)
            yield request

    server.control.script = [{"delay_s": 60}, {"delay_s": 60}, {"content": "no JSON"}]
    with pytest.raises(BadAnswer, match=r"^Picture 3 of 8: The answer is not JSON"):
        engine.ask_many(one_by_one(), total=8)
    until(lambda: server.counts.in_flight == 0)
    assert server.counts.cancelled >= 2


@pytest.mark.parametrize(
    ("requests", "total", "says"),
    [
        ([asking(Image.new("RGB", (0, 1)))], None, "^The picture is empty"),
        ([asking(Image.new("RGB", (0, 1))), *some(1)], None, "^Picture 1 of 2: The picture is empty"),
        (iter([asking(Image.new("RGB", (0, 1)))]), 1, "^The picture is empty"),
        (iter([asking(Image.new("RGB", (0, 1)))]), None, "^Picture 1: The picture is empty"),
    ],
)
def test_a_picture_is_named_where_there_are_several(engine: Engine, requests: Any, total: int, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        engine.ask_many(requests, total=total)


def test_what_the_iterable_raises_ends_the_batch(server: SeeingServer, engine: Engine, until: Until) -> None:
    def broken() -> Iterator[Request[ImageAnalysis]]:
        yield from some(2)
        while server.counts.in_flight < 2:
            threading.Event().wait(0.01)
        raise PictureError("It has no pixels.")

    server.control.hold = True
    with pytest.raises(PictureError, match=r"^Picture 3 of 5: It has no pixels\.$"):
        engine.ask_many(broken(), total=5)
    until(lambda: server.counts.cancelled == 2)


def test_a_bug_in_the_iterable_is_not_dressed_up(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        engine.ask_many(1 // 0 for _ in range(3))  # type: ignore[misc]


def test_what_on_answer_raises_ends_the_batch(server: SeeingServer, engine: Engine, until: Until) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(index: int, answer: ImageAnalysis) -> None:
        raise Interrupted

    server.control.script = [{}, *[{"delay_s": 60}] * 3]
    with pytest.raises(Interrupted):
        engine.ask_many(some(4), on_answer=interrupt)
    until(lambda: server.counts.in_flight == 0)


class Slow(SketchBackend):
    """A backend that wakes when `go` is set, and fails once before."""

    name = "slow"

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.wakes = self.closes = 0

    async def wake(self, report: Report) -> None:
        self.wakes += 1
        if self.wakes == 1:
            raise StartFailed("It did not start; look at its log.")
        report("starting")
        while not self.go.is_set():
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.closes += 1


def test_getting_ready_tells_and_fails_and_closing_is_done_once(until: Until) -> None:
    backend = Slow()
    engine = Engine(backend, Settings(cache=False))
    said: list[str] = []
    with pytest.raises(StartFailed):
        engine.wake(said.append)
    with ThreadPoolExecutor() as pool:
        ready = pool.submit(engine.wake, said.append)
        until(lambda: said)
        assert not ready.done()
        backend.go.set()
        assert ready.result(20).engine == "slow"
    assert said == ["starting", ""]
    engine.close()
    engine.close()
    assert backend.closes == 1


def test_stop_ends_what_is_asked_and_the_next_question_starts_again(
    server: SeeingServer, engine: Engine, until: Until
) -> None:
    engine.close()
    others = set(threading.enumerate())  # of engines in other tests
    server.control.hold = True
    outcome: list[BaseException] = []

    def ask() -> None:
        with pytest.raises(NoEngine, match="stopped") as caught:
            engine.ask_many(some(3))
        outcome.append(caught.value)

    asker = threading.Thread(target=ask)
    asker.start()
    until(lambda: server.counts.in_flight == 3)
    engine.close()
    asker.join(20)
    assert outcome
    until(lambda: server.counts.cancelled == 3)
    assert not [t for t in set(threading.enumerate()) - others if t.name == "img2prompt-engine"]
    server.control.hold = False
    assert len(engine.ask_many(some(3))) == 3


INTERRUPTED = """
import signal, sys, threading
from img2prompt.engine import Engine, Settings
from img2prompt.engine.client import ChatClient
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

with SeeingServer() as server:
    server.control.hold = True
    settings = Settings(endpoint=server.url, cache=False)
    engine = Engine(ChatClient(settings, server.url), settings)

    def interrupt():
        while server.counts.in_flight < 4:
            threading.Event().wait(0.01)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    try:
        engine.ask_many([Request((draw(),), "Look.", ImageAnalysis)] * 4)
    except KeyboardInterrupt:
        while server.counts.cancelled < 4:
            threading.Event().wait(0.01)
        print("interrupted")
"""


def test_ctrl_c_cancels_everything() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr


def test_importing_the_engine_is_cheap() -> None:
    code = (
        "import sys, img2prompt.engine as e; e.shared_engine, e.Engine; print({'openai', 'sqlite3'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
