"""Answers of the real vLLM, behind its guard, heard while they are written."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from img2prompt.engine import Engine, Settings
from img2prompt.engine.backend import Watch
from img2prompt.engine.client import ChatClient
from img2prompt.prompts import ImageAnalysis, Request, analysis_request
from img2prompt.tests.seeing_model.scenes import draw, new_scene
from img2prompt.tests.vllm.server import VllmServer
from img2prompt.tests.waiting import until


class Listening(Watch):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def asked(self) -> bool:
        self.heard.clear()
        return True

    def wrote(self, text: str) -> None:
        self.heard.append(text)


@pytest.fixture(scope="module")
def engine(vllm_server: VllmServer) -> Iterator[Engine]:
    settings = Settings(cache=False, temperature=0.0)
    engine = Engine(ChatClient(settings, vllm_server.url, vllm_server.api_key), settings)
    yield engine
    engine.close()


def question(seed: int) -> tuple[str, Request[ImageAnalysis]]:
    """What a drawn picture shows, and what is asked about it."""
    chance = Random(seed)
    scene = new_scene(chance)
    return scene.name, analysis_request(draw(scene, 256, 256, chance))


def test_what_is_heard_is_the_answer(engine: Engine) -> None:
    asked = [question(700 + number) for number in range(4)]
    listening = [Listening() for _ in asked]
    answers = engine.submit_many([request for _, request in asked], watch=lambda index: listening[index]).result(300)
    assert sum(name in answer.caption for (name, _), answer in zip(asked, answers, strict=True)) >= 3
    for one, answer in zip(listening, answers, strict=True):
        assert len(one.heard) > 50
        assert ImageAnalysis.model_validate_json("".join(one.heard)) == answer
    assert engine.status().tokens_per_s > 0  # vLLM has told how many there were
    assert answers[0] == engine.ask(asked[0][1])  # as without a stream


def test_a_cancel_in_the_middle_of_the_words_frees_vllm(engine: Engine, vllm_server: VllmServer) -> None:
    listening = Listening()
    answering = engine.submit_many([question(710)[1]], watch=lambda _: listening)
    until(lambda: len(listening.heard) > 5, timeout_s=120)
    answering.cancel()
    until(lambda: vllm_server.busy() == 0)
    assert vllm_server.metric("vllm:num_requests_running") == 0
