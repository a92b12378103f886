"""Stories on a real vLLM: the grammar alone makes them whole, and their pictures are computed once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from img2prompt.engine import Engine, Settings
from img2prompt.engine.chat import prepare, second_try, to_payload
from img2prompt.engine.client import ChatClient
from img2prompt.engine.errors import Contradiction
from img2prompt.prompts import Request, Sampling, story_request
from img2prompt.prompts.request import INCONSISTENT
from img2prompt.prompts.story import Story
from img2prompt.tests.seeing_model.scenes import draw, new_scene
from img2prompt.tests.vllm.server import CHECKPOINT, VllmServer
from PIL import Image
from pydantic import BaseModel, Field, ValidationError
from tokenizers import Tokenizer

UNSEEN = 30_261_122
"""The first seed of the pictures drawn here, apart from those of other tests."""
PICTURE_TOKENS = 64
"""Of one picture: the seeing model's own limit."""
CONTEXT = 8192
"""As the plan of a CPU has it, in tokens."""
BLOCK = 128
"""Tokens that vLLM keeps together on a CPU: the prefix cache holds whole blocks."""


def pictures(count: int, first: int = UNSEEN) -> list[Image.Image]:
    chances = [Random(first + number) for number in range(count)]
    return [draw(new_scene(chance), 256, 256, chance) for chance in chances]


@pytest.fixture
def engine(vllm_server: VllmServer, tmp_path: Path) -> Iterator[Engine]:
    # the longest story has no room in the shortest context that can be set: the server's own is what counts
    settings = Settings.model_validate(
        {"cache": False, "cache_dir": tmp_path, "temperature": 0.0, "max_model_len": 2048}
    )
    engine = Engine(ChatClient(settings, vllm_server.url, vllm_server.api_key), settings)
    yield engine
    engine.close()


def keeps_to_its_schema(told: Any, request: Request[Story]) -> bool:
    """Whether the answer is of the request's type, but for what it says about pictures and characters elsewhere in it:
    that is looked at when all else is right."""
    try:
        request.answer.model_validate(told)
    except ValidationError as error:
        return {problem["type"] for problem in error.errors()} == {INCONSISTENT}
    return True


def test_stories_of_two_eight_and_sixteen_pictures(vllm_server: VllmServer, engine: Engine) -> None:
    """The grammar alone makes them whole, and no answer is cut short: the model was not taught such long ones."""

    def asked(count: int, beats: int) -> tuple[Request[Story], dict[str, Any]]:
        request = story_request(pictures(count), beats=beats)
        chat = prepare(request, engine.pixels_each(request), None)
        # without the guard against repetition, which such a model runs into
        return request, vllm_server.chat(second_try(to_payload(chat, model=vllm_server.model, for_vllm=True)))

    counts, beats = (2, 8, 16), (2, 3, 16)
    with ThreadPoolExecutor(len(counts)) as pool:
        for count, number, (request, reply) in zip(counts, beats, pool.map(asked, counts, beats), strict=True):
            told = json.loads(reply["choices"][0]["message"]["content"], strict=False)
            assert keeps_to_its_schema(told, request)
            assert (len(told["observations"]), len(told["beats"])) == (count, number)
            assert reply["usage"]["prompt_tokens"] + request.sampling.max_tokens <= CONTEXT


def test_a_story_is_whole_or_its_contradiction_is_named(engine: Engine) -> None:
    try:
        story = engine.ask(story_request(pictures(2, UNSEEN + 50), beats=3))
    except Contradiction as error:
        assert re.match(r"The answer contradicts itself, twice \(.+\); choose another seed", str(error))
    else:
        assert ([one.image for one in story.observations], len(story.beats)) == ([1, 2], 3)


class Word(BaseModel, extra="forbid"):
    word: str = Field(max_length=5)


def test_the_same_pictures_with_another_instruction_come_from_the_prefix_cache(vllm_server: VllmServer) -> None:
    shown = tuple(pictures(8, UNSEEN + 100))

    def usage(instruction: str) -> tuple[int, int, int]:
        """The tokens of the prompt, those before the instruction, and those that came from the cache."""
        chat = prepare(Request(shown, instruction, Word, Sampling(temperature=0.0, max_tokens=32)), 65_536, None)
        reply = vllm_server.chat(to_payload(chat, model=vllm_server.model, for_vllm=True))
        json.loads(reply["choices"][0]["message"]["content"])
        prompt, cached = reply["usage"]["prompt_tokens"], reply["usage"]["prompt_tokens_details"]["cached_tokens"]
        after = f"{instruction}<|im_end|>\n<|im_start|>assistant\n"
        return prompt, prompt - len(Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json")).encode(after).ids), cached

    prompt, before, cached = usage("Name the first one.")
    assert before > len(shown) * PICTURE_TOKENS
    assert cached < before - len(shown) * PICTURE_TOKENS  # no more than the system prompt
    again = usage("And now say in one word what all of them have in common.")
    assert again[0] > prompt and again[1] == before
    assert before - BLOCK < again[2] <= before
