"""Any number of requests in bounded memory, on the seeing server."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import pytest
from img2prompt.engine import Engine, stream
from img2prompt.engine.errors import Refused, Unreachable
from img2prompt.engine.stream import Step
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.errors import PictureError
from img2prompt.prompts.request import Request
from img2prompt.tests.seeing import COLORS, draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.engine.conftest import MakeEngine, Until
from PIL import Image

Job = Callable[[], Request[ImageAnalysis]]


def job(color: str) -> Job:
    return lambda: Request((draw(color),), "Look.", ImageAnalysis)


def colors(count: int) -> list[str]:
    names = [name for name in COLORS if name != "white"]
    return [names[index % len(names)] for index in range(count)]


def seen(answers: Iterable[object]) -> list[str]:
    """What each answer saw, or the error's type."""
    return [
        answer.palette[0].name if isinstance(answer, ImageAnalysis) else type(answer).__name__ for answer in answers
    ]


def test_answers_come_in_order_whoever_is_ready_first(server: SeeingServer, engine: Engine) -> None:
    server.control.script = [{"delay_s": 0.3 if index % 7 == 0 else 0.0} for index in range(100)]
    wanted = colors(100)
    assert seen(engine.stream(map(job, wanted))) == wanted
    assert server.counts.max_in_flight > 8


def test_what_fails_is_given_in_its_place_and_ends_nothing(server: SeeingServer, engine: Engine) -> None:
    def broken() -> Request[ImageAnalysis]:
        raise PictureError("cat.png is no picture.")

    jobs = [job("red"), broken, job("blue"), job("green"), job("red")]
    server.control.script = [{}, {"content": "no JSON"}, {"status": 400}]
    found = sorted(seen(engine.stream(jobs)))
    assert [name for name in found if name[0].isupper()] == ["BadAnswer", "PictureError", "Refused"]
    assert len(found) == 5
    assert seen(engine.stream([broken, job("red")])) == ["PictureError", "red"]


def test_a_fault_of_ours_is_no_answer(engine: Engine) -> None:
    def faulty() -> Request[ImageAnalysis]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(engine.stream([job("red"), faulty, job("red")]))

    def jobs() -> Iterator[Job]:
        yield job("red")
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        list(engine.stream(jobs()))


def test_no_more_is_asked_than_can_be_taken(
    server: SeeingServer, engine: Engine, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "WINDOW", 40)
    pictures: list[weakref.ref[Image.Image]] = []
    made = 0

    def one() -> Request[ImageAnalysis]:
        nonlocal made
        made += 1
        picture = draw()
        pictures.append(weakref.ref(picture))
        return Request((picture,), "Look.", ImageAnalysis)

    def jobs() -> Iterator[Job]:
        while True:
            yield one

    answers = engine.stream(jobs())
    assert len(list(islice(answers, 10))) == 10
    until(lambda: server.counts.answered == 50)
    threading.Event().wait(0.3)
    assert (made, server.counts.answered) == (50, 50)
    assert sum(picture() is not None for picture in pictures) == 0
    list(islice(answers, 30))
    until(lambda: server.counts.answered == 80)
    answers.close()
    until(lambda: server.counts.in_flight == 0)
    assert made <= 82


def test_closing_it_stops_what_is_in_flight_and_loses_no_place(
    server: SeeingServer, engine: Engine, until: Until
) -> None:
    server.control.hold = True
    server.control.script = [{"delay_s": 0}]
    answers = engine.stream(map(job, colors(200)))
    taking = threading.Thread(target=lambda: next(answers, None), daemon=True)
    taking.start()
    until(lambda: server.counts.in_flight == 16)
    server.control.hold = False
    taking.join(20)
    answers.close()
    until(lambda: server.counts.in_flight == 0)
    assert seen(engine.stream(map(job, colors(50)))) == colors(50)


def test_an_outage_is_waited_for_and_nothing_is_lost(
    server: SeeingServer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PAUSES_S", (0.05,))
    gone = {"hang_up": True}
    server.control.script = [{}] * 20 + [gone] * 40  # a broken connection is tried twice
    wanted = colors(120)
    assert seen(engine.stream(map(job, wanted), patience_s=30)) == wanted
    assert server.counts.requests >= 160


def test_without_patience_an_outage_is_each_ones_failure(server: SeeingServer, engine: Engine) -> None:
    server.control.script = [{"hang_up": True}] * 30  # two for each that fails, one at most for each that does not
    found = seen(engine.stream(map(job, colors(20))))
    assert 10 <= found.count("Unreachable") <= 15
    assert [name for name in zip(found, colors(20), strict=True) if name[0] not in ("Unreachable", name[1])] == []


def test_nobody_there_from_the_start_is_told_at_once(make_engine: MakeEngine) -> None:
    engine = make_engine(endpoint="http://127.0.0.1:9/v1")
    with pytest.raises(Unreachable, match="Nobody answers"):
        next(engine.stream([job("red")], patience_s=60))


def test_an_engine_that_is_closed_meanwhile_says_so(server: SeeingServer, engine: Engine, until: Until) -> None:
    server.control.hold = True
    answers = engine.stream(map(job, colors(5)))
    found: list[BaseException] = []

    def take() -> None:
        try:
            next(answers)
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            found.append(error)

    taking = threading.Thread(target=take, daemon=True)
    taking.start()
    until(lambda: server.counts.in_flight == 5)
    engine.close()
    taking.join(20)
    assert [type(error).__name__ for error in found] == ["NoEngine"]


@pytest.mark.parametrize("metrics", [True, False])
def test_the_pace_follows_a_server_that_batches(server: SeeingServer, make_engine: MakeEngine, metrics: bool) -> None:
    server.control.places, server.control.delay_s, server.control.metrics = 32, 0.6, metrics
    engine = make_engine(max_in_flight=256)
    assert len(list(engine.stream(map(job, colors(250))))) == 250
    assert 24 < server.counts.max_in_flight <= 100


def test_a_server_that_refuses_is_asked_for_less_and_all_is_answered(
    server: SeeingServer, make_engine: MakeEngine
) -> None:
    server.control.refuse_over, server.control.delay_s = 5, 0.05
    engine = make_engine(max_in_flight=64)
    wanted = colors(150)
    assert seen(engine.stream(map(job, wanted), patience_s=60)) == wanted
    assert server.counts.requests < 400


def test_one_answer_may_lead_to_another_question(server: SeeingServer, engine: Engine) -> None:
    def first() -> Step[ImageAnalysis]:
        return Step(job("red")(), lambda answer: Step(job("blue")(), lambda _: answer))

    def given() -> ImageAnalysis:
        return next(one for one in engine.stream([job("green")]) if isinstance(one, ImageAnalysis))

    jobs: list[Callable[[], Step[ImageAnalysis] | Request[ImageAnalysis] | ImageAnalysis]] = [first, job("yellow")]
    assert seen(engine.stream(jobs)) == ["red", "yellow"]
    assert server.counts.requests == 3
    green = given()
    assert seen(engine.stream([lambda: green, first])) == ["green", "red"]
    server.control.script = [{}, {"status": 400}]
    assert seen(engine.stream([first])) == ["Refused"]


def test_a_picture_that_always_breaks_the_connection_is_that_pictures_failure(
    server: SeeingServer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PAUSES_S", (0.05,))
    monkeypatch.setattr(stream, "WINDOW", 20)
    server.control.breaks_over = "green"
    wanted = colors(90)
    found = list(engine.stream(map(job, wanted), patience_s=60))
    assert seen(found) == ["Refused" if color == "green" else color for color in wanted]
    (why, *_) = {str(answer) for answer in found if isinstance(answer, Refused)}
    assert "may be this picture" in why


def test_a_list_that_grows_slowly_is_answered_as_it_grows(server: SeeingServer, engine: Engine) -> None:
    taken: list[str] = []
    more = threading.Semaphore(0)

    def jobs() -> Iterator[Job]:
        for color in colors(3):
            yield job(color)
            assert more.acquire(timeout=20), "it waits for the next before this one is answered"

    for answer in engine.stream(jobs()):
        taken += seen([answer])
        more.release()
    assert taken == colors(3)


def test_what_came_before_a_list_broke_off_is_asked(server: SeeingServer, engine: Engine, until: Until) -> None:
    def jobs() -> Iterator[Job]:
        yield from map(job, colors(3))
        until(lambda: server.counts.answered == 3)
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        list(engine.stream(jobs()))
