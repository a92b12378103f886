"""Places that change while they are used."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.engine.gate import Gate
from img2prompt.engine.pace import AHEAD, FIRST, SETTLED_FOR, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_first_come_first_served_and_more_places_let_more_in() -> None:
    async def run() -> None:
        places = 2
        gate = Gate(lambda: places)
        order: list[int] = []

        async def come(number: int) -> None:
            await gate.enter()
            order.append(number)

        tasks = [asyncio.create_task(come(number)) for number in range(6)]
        await settle()
        assert (order, gate.inside, gate.waiting) == ([0, 1], 2, 4)
        gate.leave()
        await settle()
        assert order == [0, 1, 2]
        places = 4
        gate.look()
        await settle()
        assert (order, gate.inside) == ([0, 1, 2, 3, 4], 4)
        places = 1  # sends nobody out, and lets nobody in until there is room
        gate.leave()
        await settle()
        assert (order, gate.inside) == ([0, 1, 2, 3, 4], 3)
        for _ in range(3):
            gate.leave()
        await settle()
        assert (order, gate.inside) == ([0, 1, 2, 3, 4, 5], 1)
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_whoever_comes_finds_that_there_are_more_places() -> None:
    async def run() -> None:
        places = 1
        gate = Gate(lambda: places)
        tasks = [asyncio.create_task(gate.enter()) for _ in range(2)]
        await settle()
        places = 3
        tasks.append(asyncio.create_task(gate.enter()))
        await settle()
        assert (gate.inside, gate.waiting) == (3, 0)
        await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(run(), 10))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["enter", "leave", "cancel", "let in and cancel", "cancel all and leave"]), max_size=40),
    st.integers(1, 3),
)
def test_no_place_is_ever_lost_or_given_twice(steps: list[str], places: int) -> None:
    async def run() -> None:
        gate = Gate(lambda: places)
        inside: list[int] = []
        waiting: dict[int, asyncio.Task[None]] = {}

        async def come(number: int) -> None:
            await gate.enter()
            inside.append(number)
            waiting.pop(number)

        for number, step in enumerate(steps):
            if step == "enter":
                waiting[number] = asyncio.create_task(come(number))
            elif step == "leave" and inside:
                inside.pop()
                gate.leave()
            elif step == "cancel all and leave" and inside:
                for task in waiting.values():
                    task.cancel()
                waiting.clear()
                inside.pop()
                gate.leave()
            elif waiting:
                if step == "let in and cancel" and inside:
                    inside.pop()
                    gate.leave()  # the first that waits is let in, and does not know it yet
                waiting.pop(next(iter(waiting))).cancel()
            await settle()
            assert gate.inside == len(inside) <= places
            assert (gate.waiting, gate.crowded) == (len(waiting), bool(waiting))
            assert not waiting or len(inside) == places

    asyncio.run(run())


def served(pace: Pace, clock: Clock, batch: int, rounds: int) -> None:
    """The pace against a server that answers `batch` requests together in a second, whoever waits."""
    for _ in range(rounds):
        in_flight = pace.limit
        done = min(batch, in_flight)
        clock.now += 1
        for _ in range(done):
            pace.answered()


class Crowded(Pace):
    """One for which more always wait than it has places."""

    @property
    def crowded(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Crowded(256, clock)


@pytest.mark.parametrize("batch", [24, 64, 200])
def test_it_grows_to_what_the_server_batches_and_not_far_beyond(pace: Pace, clock: Clock, batch: int) -> None:
    served(pace, clock, batch, 40 * SETTLED_FOR)
    seen = []
    for _ in range(20):
        served(pace, clock, batch, 5)
        seen.append(pace.limit)
    assert min(seen) >= batch / 1.5
    assert sorted(seen)[len(seen) // 2] <= 2.3 * batch


def test_it_does_not_grow_where_there_are_no_more_requests(clock: Clock) -> None:
    pace = Pace(256, clock)
    served(pace, clock, 64, 100)
    assert pace.limit == FIRST


def test_a_refusal_cuts_it_once_for_all_that_come_together(pace: Pace, clock: Clock) -> None:
    pace.limit = pace.inside = 100
    for _ in range(60):
        pace.refused()
    assert pace.limit == 70
    clock.now += 2
    pace.refused()
    assert pace.limit == 49
    for _ in range(40):
        clock.now += 2
        pace.refused()
    assert pace.limit == 1


def metrics(running: int, waiting: int) -> str:
    return (
        "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
        f'vllm:num_requests_running{{engine="0",model_name="Qwen"}} {running}.0\n'
        f'vllm:num_requests_waiting{{engine="0",model_name="Qwen"}} {waiting}.0\n'
        f'vllm:num_requests_waiting_by_reason{{engine="0",reason="capacity"}} {waiting}.0\n'
    )


def test_what_vllm_tells_goes_before_what_was_measured(pace: Pace, clock: Clock) -> None:
    pace.inside = pace.limit
    pace.told(metrics(16, 0))
    assert pace.limit == 25
    pace.inside = 25
    pace.told(metrics(20, 5))  # a full batch, and a quarter of it waits: right
    assert pace.limit == 25
    pace.told(metrics(20, 12))
    assert pace.limit == 18
    served(pace, clock, 200, 50)
    assert pace.limit == 18
    pace.told("")  # no metrics any more: measured again
    served(pace, clock, 200, 50)
    assert pace.limit > 18


def test_it_keeps_to_its_bounds(clock: Clock) -> None:
    pace = Crowded(3, clock)
    assert (pace.limit, pace.wanted) == (3, 6)
    pace.inside = 3
    pace.told(metrics(3, 0))
    assert pace.limit == 3
    pace.told(metrics(3, 500))
    assert pace.limit == 1
    assert Pace(256).wanted == FIRST + AHEAD
