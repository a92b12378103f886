"""Several servers as one backend: who gets the work, and what becomes of it when one of them dies, flaps or refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from img2prompt.engine import Engine, pool, stream
from img2prompt.engine.errors import SettingsError, Unreachable, WrongKey
from img2prompt.engine.shared import bulk_engine
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.engine.conftest import Until
from img2prompt.tests.unit.engine.test_stream import Job, colors, job, seen

KEY = "sk-of-the-settings"


class Place:
    """A port at which a server may come and go."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.server = self._stack.enter_context(SeeingServer())
        self.url = self.server.url
        self.served = 0
        """Chat requests that were answered here, by all servers so far."""

    def end(self) -> None:
        self._stack.close()
        self.served += self.server.counts.answered

    def begin(self) -> None:
        self.server = self._stack.enter_context(SeeingServer(port=urlsplit(self.url).port or 0))


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Place, Place]]:
    monkeypatch.setenv("IMG2PROMPT_CACHE", "false")
    monkeypatch.setattr(stream, "PAUSES_S", (0.05,))
    monkeypatch.setattr(pool, "OUT_S", (0.05,))
    both = Place(), Place()
    yield both
    for one in both:
        one.end()


@pytest.fixture
def make(places: tuple[Place, Place]) -> Iterator[Callable[..., Engine]]:
    """An engine that asks both, as `caption --endpoint A --endpoint B` makes it."""
    made: list[Engine] = []

    def make(*more: str) -> Engine:
        made.append(bulk_engine([*(place.url for place in places), *more]))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def taking(engine: Engine, wanted: list[str], patience_s: float = 0.0) -> tuple[threading.Thread, list[str]]:
    """The answers, as they come on another thread."""
    found: list[str] = []

    def take() -> None:
        for one in engine.stream(map(job, wanted), patience_s=patience_s):
            found.append(*seen([one]))

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return thread, found


def test_both_are_asked_and_the_slow_one_gets_what_it_can_do(
    places: tuple[Place, Place], make: Callable[..., Engine], until: Until
) -> None:
    fast, slow = (place.server for place in places)
    slow.control.hold = True
    thread, found = taking(make(), colors(200))
    until(lambda: fast.counts.answered >= 150)
    slow.control.hold = False
    thread.join(30)
    assert found == colors(200)
    assert 0 < slow.counts.answered == 200 - fast.counts.answered


def test_the_work_of_one_that_dies_is_done_by_the_other(
    places: tuple[Place, Place], make: Callable[..., Engine], until: Until
) -> None:
    dies, stays = places
    dies.server.control.delay_s = stays.server.control.delay_s = 0.05
    engine = make()
    thread, found = taking(engine, colors(200))
    until(lambda: dies.server.counts.answered >= 20 and dies.server.counts.in_flight)
    dies.end()
    thread.join(30)
    assert found == colors(200)
    assert dies.served + stays.server.counts.answered >= 200 > dies.served
    assert f"1 of 2 servers answer: {stays.url}." in engine.status().detail


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_one_that_fails_at_everything_costs_nothing(
    status: int, places: tuple[Place, Place], make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 is what vLLM says while it dies."""
    monkeypatch.setattr("img2prompt.engine.wire.BUSY_WAITS_S", (0.01, 0.02))
    places[0].server.control.script = [{"status": status}] * 2000
    assert seen(make().stream(map(job, colors(60)))) == colors(60)
    assert places[0].server.counts.requests > 0


def test_one_that_fails_at_everything_is_left_alone_longer_and_longer(
    places: tuple[Place, Place], make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back at once the first time, fails again, and is left out then."""
    monkeypatch.setattr(pool, "OUT_S", (0.0, 1000.0))
    fails, works = (place.server for place in places)
    fails.control.script = [{"status": 500}] * 2000
    engine = make()
    assert seen(engine.stream(map(job, colors(300)))) == colors(300)
    assert 4 <= fails.counts.requests < 150
    assert f"1 of 2 servers answer: {works.url}." in engine.status().detail
    had = fails.counts.requests
    assert seen(engine.stream(map(job, colors(30)))) == colors(30)
    assert fails.counts.requests == had


def test_one_that_failed_for_a_while_is_used_again(places: tuple[Place, Place], make: Callable[..., Engine]) -> None:
    fails, works = (place.server for place in places)
    fails.control.script = [{"status": 500}] * 60
    works.control.delay_s = 0.02
    answers = make().stream(job("red") for _ in range(20_000) if not fails.counts.answered - 60 > 20)
    assert set(seen(answers)) == {"red"}
    assert fails.control.script == []


def test_requests_that_all_fail_at_put_none_out(places: tuple[Place, Place], make: Callable[..., Engine]) -> None:
    for place in places:
        place.server.control.script = [{"status": 500}] * 2000
    engine = make()
    assert seen(engine.stream(map(job, colors(40)))) == ["Refused"] * 40
    assert "2 of 2 servers answer" in engine.status().detail


class Pauses(tuple[float, ...]):
    """Notes which of them were taken."""

    taken: list[int]

    def __getitem__(self, index: Any) -> Any:
        self.taken.append(index)
        return super().__getitem__(index)


def test_one_that_dies_with_many_requests_is_left_alone_once(
    places: tuple[Place, Place], make: Callable[..., Engine], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = Pauses((1000.0,) * 5)
    pauses.taken = []
    monkeypatch.setattr(pool, "OUT_S", pauses)
    dies, _ = places
    dies.server.control.hold = True
    thread, found = taking(make(), colors(100))
    until(lambda: dies.server.counts.in_flight >= 10)
    dies.end()
    thread.join(30)
    assert found == colors(100)
    assert pauses.taken == [0]


def test_one_that_flaps_is_used_whenever_it_is_there(
    places: tuple[Place, Place], make: Callable[..., Engine], until: Until
) -> None:
    flaps, stays = places
    stays.server.control.delay_s = 0.1
    thread, found = taking(make(), colors(700))
    for _ in range(3):
        until(lambda: flaps.server.counts.answered >= 20)
        flaps.end()
        had = stays.server.counts.answered
        until(lambda had=had: stays.server.counts.answered >= had + 20)
        flaps.begin()
    thread.join(60)
    assert found == colors(700)
    assert flaps.server.counts.answered >= 20, "it was not used again"


def test_both_gone_for_a_while_are_waited_for(
    places: tuple[Place, Place], make: Callable[..., Engine], until: Until
) -> None:
    thread, found = taking(make(), colors(120), patience_s=60)
    until(lambda: sum(place.server.counts.answered for place in places) >= 30)
    for place in places:
        place.end()
    thread.join(0.3)
    assert thread.is_alive() and len(found) < 120
    places[1].begin()
    thread.join(30)
    assert found == colors(120)


def test_without_patience_both_gone_is_each_ones_failure(
    places: tuple[Place, Place], make: Callable[..., Engine], until: Until
) -> None:
    for place in places:
        place.server.control.hold = True
    thread, found = taking(make(), colors(30))
    until(lambda: all(place.server.counts.in_flight for place in places))
    for place in places:
        place.end()
    thread.join(30)
    assert found == ["Unreachable"] * 30


def test_one_that_is_not_there_yet_is_left_out_and_joins_later(
    places: tuple[Place, Place], make: Callable[..., Engine]
) -> None:
    late, there = places
    late.end()
    there.server.control.delay_s = 0.05
    engine = make()
    said: list[str] = []
    engine.wake(said.append)
    assert f"{late.url} does not answer and is left out for now." in said

    def until_it_joins() -> Iterator[Job]:
        """Pictures as long as it has answered nobody."""
        yield from (job("red") for _ in range(20_000) if not late.server.counts.answered)

    assert seen(engine.stream(map(job, colors(50)))) == colors(50)
    late.begin()
    assert set(seen(engine.stream(until_it_joins()))) == {"red"}
    assert late.server.counts.answered > 0


def test_nobody_there_is_told_at_once(places: tuple[Place, Place], make: Callable[..., Engine]) -> None:
    engine = make()
    for place in places:
        place.end()
    with pytest.raises(Unreachable, match="Nobody answers"):
        next(engine.stream([job("red")], patience_s=60))


def test_the_key_goes_only_to_endpoints_of_the_settings(
    places: tuple[Place, Place], make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = places
    with SeeingServer() as third:
        monkeypatch.setenv("IMG2PROMPT_API_KEY", KEY)
        monkeypatch.setenv("IMG2PROMPT_ENDPOINT", ours.url.removesuffix("/v1") + "/")
        monkeypatch.setenv("IMG2PROMPT_ENDPOINTS", f'["{third.url}/"]')
        assert len(list(make(third.url).stream(map(job, colors(90))))) == 90
        keyed = [{headers["authorization"] for headers in one.counts.headers} for one in (ours.server, third)]
        assert keyed == [{f"Bearer {KEY}"}] * 2
    assert others.server.counts.requests and KEY not in str(others.server.counts.headers)


def test_a_server_that_wants_a_key_which_is_not_for_it_is_told(
    places: tuple[Place, Place], make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2PROMPT_API_KEY", KEY)
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", places[0].url)
    places[1].server.control.api_key = KEY
    with pytest.raises(WrongKey, match=places[1].url):
        next(make().stream([job("red")]))


def test_servers_of_different_models_are_no_pool(
    places: tuple[Place, Place], make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    places[1].server.control.models = ["another", "seeing-model"]
    with pytest.raises(SettingsError, match=r"different models \(another, seeing-model\); set IMG2PROMPT_MODEL"):
        next(make().stream([job("red")]))
    monkeypatch.setenv("IMG2PROMPT_MODEL", "seeing-model")
    engine = make()
    assert seen(engine.stream(map(job, colors(10)))) == colors(10)
    assert engine.status().model == "seeing-model"


@pytest.mark.parametrize("endpoint", ["ftp://127.0.0.1/v1", "http://user:secret@127.0.0.1/v1", "nonsense"])
def test_an_endpoint_that_is_none_is_told_without_its_words(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="must be a base URL") as error:
        bulk_engine(["http://127.0.0.1:9", endpoint])
    assert "secret" not in str(error.value)


def test_closing_leaves_nobody_at_work(places: tuple[Place, Place], make: Callable[..., Engine], until: Until) -> None:
    for place in places:
        place.server.control.hold = True
    engine = make()
    thread, _ = taking(engine, colors(100))
    until(lambda: sum(place.server.counts.in_flight for place in places) >= 32)
    with pytest.MonkeyPatch.context() as quiet:
        quiet.setattr(threading, "excepthook", lambda _: None)  # that thread hears that the engine was stopped
        engine.close()
        thread.join(20)
    until(lambda: not any(place.server.counts.in_flight for place in places))


def test_one_that_comes_back_with_another_model_stays_out(
    places: tuple[Place, Place], make: Callable[..., Engine]
) -> None:
    goes, stays = places
    engine = make()
    assert seen(engine.stream(map(job, colors(20)))) == colors(20)
    goes.end()
    goes.begin()
    goes.server.control.models = ["another-model"]
    stays.server.control.delay_s = 0.02
    assert seen(engine.stream(map(job, colors(200)), patience_s=20)) == colors(200)
    assert {payload["model"] for payload in goes.server.counts.payloads} <= {"seeing-model"}  # which it refused
    assert 0 < goes.server.counts.requests < 40
    assert engine.status().model == "seeing-model"


def test_a_server_that_wants_a_key_is_told_how_it_gets_one(
    places: tuple[Place, Place], make: Callable[..., Engine]
) -> None:
    places[0].server.control.api_key = KEY
    with pytest.raises(WrongKey, match="add it to the setting endpoints"):
        next(make().stream([job("red")]))
