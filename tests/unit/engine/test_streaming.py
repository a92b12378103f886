"""Answers that come in pieces, and what is told of them while they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from img2prompt.engine import Engine, EngineError
from img2prompt.engine.backend import Watch
from img2prompt.engine.load import Load
from img2prompt.engine.streaming import tokens_of
from img2prompt.prompts import ImageAnalysis
from img2prompt.prompts.request import Request
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import Kind, SeeingServer
from img2prompt.tests.waiting import until

REQUEST = Request((draw("green"),), "Describe it.", ImageAnalysis)
MakeEngine = Callable[..., Engine]


class Listening(Watch):
    """Keeps what it hears: one list for each time that the model is asked."""

    def __init__(self) -> None:
        self.heard: list[list[str]] = []

    def asked(self) -> bool:
        self.heard.append([])
        return True

    def wrote(self, text: str) -> None:
        self.heard[-1].append(text)


def ask(engine: Engine, watch: Watch) -> Any:
    (answer,) = engine.submit_many([REQUEST], watch=lambda _: watch).result(30)
    return answer


@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "plain"])
def test_pieces_are_heard_and_make_the_same_answer(server: SeeingServer, make_engine: MakeEngine, kind: Kind) -> None:
    server.control.kind = kind
    engine, watch = make_engine(cache=False), Listening()
    answer = ask(engine, watch)
    assert answer == engine.ask(REQUEST)
    (heard,) = watch.heard
    assert len(heard) > 20
    assert ImageAnalysis.model_validate_json("".join(heard)) == answer
    assert [payload.get("stream") for payload in server.counts.payloads] == [True, None]
    assert [payload.get("stream_options") is not None for payload in server.counts.payloads] == [kind == "vllm", False]


def test_words_are_heard_while_the_rest_is_not_written(server: SeeingServer, make_engine: MakeEngine) -> None:
    server.control.pause_after = 10
    watch = Listening()
    answering = make_engine().submit_many([REQUEST], watch=lambda _: watch)
    until(lambda: watch.heard and len(watch.heard[0]) == 10)
    assert not answering.done()
    server.control.pause_after = -1
    answering.result(30)
    assert len(watch.heard[0]) > 10


def test_who_does_not_listen_gets_it_whole(server: SeeingServer, make_engine: MakeEngine) -> None:
    class Deaf(Listening):
        def asked(self) -> bool:
            super().asked()
            return False

    watch = Deaf()
    ask(make_engine(), watch)
    assert (watch.heard, server.counts.streamed) == ([[]], 0)


def test_an_answer_from_the_disk_was_not_asked_for(make_engine: MakeEngine) -> None:
    engine, first, second = make_engine(cache=True), Listening(), Listening()
    assert ask(engine, first) == ask(engine, second)
    assert (len(first.heard), second.heard) == (1, [])


def test_a_second_try_begins_anew(server: SeeingServer, make_engine: MakeEngine) -> None:
    server.control.script = [{"finish_reason": "length"}]
    watch = Listening()
    answer = ask(make_engine(cache=False), watch)
    assert len(watch.heard) == 2
    assert ImageAnalysis.model_validate_json("".join(watch.heard[1])) == answer


def test_a_server_that_does_not_stream_is_understood(server: SeeingServer, make_engine: MakeEngine) -> None:
    server.control.script = [{"no_stream": True}]
    watch = Listening()
    assert ask(make_engine(cache=False), watch).caption
    assert (server.counts.streamed, watch.heard) == (1, [[]])


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ({"break_after": 5}, "broke"),
        ({"error_after": 5}, "EngineCore died"),
        ({"refusal": "I will not look at that."}, "refused to describe"),
        ({"content": "I see a cat."}, "is not JSON"),
        ({"content": "", "reasoning": "Let me think about it."}, "only thought"),
        ({"status": 401}, "key"),
        ({"status": 200, "body": {"choices": 5}}, "no chat completion"),
        ({"status": 200, "body": "<html>"}, "broke its answer off"),
        ({"finish_reason": {"a": 1}}, "is not JSON"),
        ({"content": "x" * 1_000_001}, "does not end"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_goes_wrong_is_told_as_without_a_stream(
    server: SeeingServer, make_engine: MakeEngine, act: dict[str, Any], words: str
) -> None:
    server.control.script = [act, act]
    with pytest.raises(EngineError, match=words):
        ask(make_engine(cache=False), Listening())


def test_an_answer_that_trickles_is_not_waited_for_longer_than_any(
    server: SeeingServer, make_engine: MakeEngine
) -> None:
    server.control.words_per_s = 4  # so a word comes in time, and the whole would take 20 s
    with pytest.raises(EngineError, match=r"gave no answer in 1 s"):
        ask(make_engine(answer_timeout_s=1.0), Listening())


def test_a_number_of_tokens_that_is_none_is_not_counted() -> None:
    for told in (10**400, -5, "many", None, 3.5):
        assert tokens_of({"usage": {"completion_tokens": told}}) == 0
    assert tokens_of({"usage": {"completion_tokens": 77}}) == 77


def test_a_cancelled_stream_frees_the_server(server: SeeingServer, make_engine: MakeEngine) -> None:
    server.control.pause_after = 5
    watch = Listening()
    answering = make_engine().submit_many([REQUEST], watch=lambda _: watch)
    until(lambda: watch.heard and len(watch.heard[0]) == 5)
    answering.cancel()
    until(lambda: server.counts.in_flight == 0)
    assert server.counts.cancelled == 1


def test_the_status_tells_how_busy_the_model_is(server: SeeingServer, make_engine: MakeEngine) -> None:
    engine = make_engine(max_in_flight=2, cache=False)
    assert (engine.status().running, engine.status().waiting, engine.status().tokens_per_s) == (0, 0, 0.0)
    server.control.hold = True
    answering = engine.submit_many([REQUEST] * 5)
    until(lambda: (engine.status().running, engine.status().waiting) == (2, 2))  # so far ahead is read
    server.control.hold = False
    answering.result(30)
    assert (engine.status().running, engine.status().waiting) == (0, 0)
    assert engine.status().tokens_per_s > 0


def test_tokens_are_counted_for_as_long_as_the_model_works() -> None:
    now = [0.0]
    load = Load(lambda: now[0])
    with load.runs():
        now[0] = 2.0
        load.wrote(100)
        assert load.tokens_per_s == 50
        with load.runs():
            now[0] = 4.0
            load.wrote(100)
        assert load.tokens_per_s == 50
    now[0] = 100.0  # a pause is no work
    assert load.tokens_per_s == 50
    with load.runs():
        now[0] = 101.0
        assert load.tokens_per_s == 50  # of the last time: nothing is whole yet
        load.wrote(30)
        assert load.tokens_per_s == 30
