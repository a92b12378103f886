from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from img2prompt.engine.chat import ASKED_AGAIN, prepare, question, read_reply, second_try, to_payload
from img2prompt.engine.errors import AnswerCutOff, BadAnswer, EngineError, Refused
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.presets import load_preset
from img2prompt.prompts.request import INCONSISTENT, Request, Sampling
from img2prompt.tests.seeing import Sight, answer_for, draw
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

BUDGET = 1_048_576
SAMPLING = Sampling(
    seed=7, temperature=0.25, top_p=0.5, top_k=11, presence_penalty=0.125, repetition_penalty=1.5, max_tokens=99
)
REQUEST = Request((draw("red"), draw("blue")), "Look at it.", ImageAnalysis, SAMPLING)


class Word(BaseModel):
    word: str = Field(max_length=5)


def payload(*, for_vllm: bool, request: Request[Any] = REQUEST, temperature: float | None = None) -> dict[str, Any]:
    return to_payload(prepare(request, BUDGET, temperature), model="qwen", for_vllm=for_vllm)


def test_the_payload_key_by_key() -> None:
    sent = payload(for_vllm=True)
    system, user = sent.pop("messages")
    assert system == {"role": "system", "content": load_preset("system").fill()}
    assert user["role"] == "user"
    *shown, text = user["content"]
    numbers, pictures = shown[::2], shown[1::2]
    assert numbers == [{"type": "text", "text": "Picture 1:"}, {"type": "text", "text": "Picture 2:"}]
    assert [picture["type"] for picture in pictures] == ["image_url", "image_url"]
    assert all(picture["image_url"].keys() == {"url"} for picture in pictures)
    assert all(picture["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/") for picture in pictures)
    assert text == {"type": "text", "text": "Look at it."}
    assert sent.pop("response_format") == {
        "type": "json_schema",
        "json_schema": {"name": "ImageAnalysis", "strict": True, "schema": ImageAnalysis.model_json_schema()},
    }
    assert sent == {
        "model": "qwen",
        "max_tokens": 99,
        "temperature": 0.25,
        "top_p": 0.5,
        "presence_penalty": 0.125,
        "seed": 7,
        "top_k": 11,
        "repetition_penalty": 1.5,
        "repetition_detection": {"max_pattern_size": 8, "min_count": 6},
    }


def test_one_picture_alone_has_no_number() -> None:
    sent = payload(for_vllm=True, request=replace(REQUEST, pictures=(draw("red"),)))
    picture, text = sent["messages"][1]["content"]
    assert (picture["type"], text) == ("image_url", {"type": "text", "text": "Look at it."})


def test_other_servers_get_the_same_without_what_only_vllm_knows() -> None:
    left_out = {"top_k", "repetition_penalty", "repetition_detection"}
    for_vllm = payload(for_vllm=True)
    assert payload(for_vllm=False) == {name: value for name, value in for_vllm.items() if name not in left_out}


def test_the_payload_is_json() -> None:
    assert json.loads(json.dumps(payload(for_vllm=True), allow_nan=False)) == payload(for_vllm=True)


@pytest.mark.parametrize("seed", [0, 2**31 - 1, 2**31, 2**63, 2**64 - 1, -1])
def test_seeds_fit_into_31_bits_and_neighbours_differ(seed: int) -> None:
    seeds = [
        payload(for_vllm=True, request=replace(REQUEST, sampling=Sampling(seed=seed + step)))["seed"] for step in (0, 1)
    ]
    assert all(0 <= sent < 2**31 for sent in seeds)
    assert seeds[0] != seeds[1]


def test_the_temperature_of_the_settings_goes_first() -> None:
    assert payload(for_vllm=True, temperature=0.0)["temperature"] == 0.0


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("seed", [7, 2**31 - 2])
def test_the_second_try_can_come_out_otherwise(seed: int, temperature: float) -> None:
    request = replace(REQUEST, sampling=replace(SAMPLING, seed=seed))
    first = payload(for_vllm=True, request=request, temperature=temperature)
    second = second_try(first)
    assert second != first
    assert second.pop("seed") not in (first["seed"], first["seed"] + 1)
    assert second.pop("temperature") == (temperature or 0.3)
    # a schema that bounds everything ends an answer that repeats itself, where the guard would end it as no answer
    guard = first.pop("repetition_detection")
    assert guard and {**second, "seed": first["seed"], "temperature": first["temperature"]} == first
    assert 0 <= second_try(first)["seed"] < 2**31


def test_the_question_is_all_that_decides_the_answer() -> None:
    def asked(**changed: Any) -> str:
        return question(prepare(replace(REQUEST, **changed), BUDGET, None))

    assert asked(pictures=(draw("red"), draw("blue"))) == asked()
    others = [
        asked(pictures=(draw("blue"), draw("red"))),
        asked(pictures=(draw("red"),)),
        asked(instruction="Look again."),
        asked(answer=Word),
        *(asked(sampling=replace(SAMPLING, **{name: 1})) for name in Sampling.__slots__),
    ]
    assert len({asked(), *others}) == len(others) + 1


def reply(content: object = '{"word": "red"}', finish_reason: str = "stop", **message: object) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish_reason}]}


@pytest.mark.parametrize(
    "good",
    [
        reply(),
        reply(' {"word": "red"}\n '),
        reply(None, reasoning_content='{"word": "red"}'),
        reply("", reasoning='{"word": "red"}'),
        reply(reasoning_content="Let me see."),
        reply(refusal=None),
    ],
)
def test_answers(good: dict[str, Any]) -> None:
    assert read_reply(good, Word) == Word(word="red")


def test_control_characters_in_strings_are_taken() -> None:
    assert read_reply(reply('{"word": "a\tb\nc"}'), Word) == Word(word="a\tb\nc")


@pytest.mark.parametrize("finish_reason", ["length", "repetition", "abort"])
def test_answers_that_did_not_end(finish_reason: str) -> None:
    with pytest.raises(ASKED_AGAIN) as caught:
        read_reply(reply('{"word": "re', finish_reason), Word)
    assert type(caught.value) is AnswerCutOff


class Pair(BaseModel):
    one: Word
    two: Word

    @model_validator(mode="after")
    def _agrees(self) -> Pair:
        if self.one == self.two:
            raise PydanticCustomError(INCONSISTENT, "both are {word}", {"word": self.one.word})
        return self


def test_an_answer_that_contradicts_itself() -> None:
    with pytest.raises(ASKED_AGAIN, match=r"^The answer contradicts itself, twice \(both are red\); choose .*seed"):
        read_reply(reply('{"one": {"word": "red"}, "two": {"word": "red"}}'), Pair)


@pytest.mark.parametrize(
    "malformed", ['{"one": {"word": "red"}}', '{"one": {"word": "orange"}, "two": {"word": "orange"}}', "[]", "Red."]
)
def test_a_malformed_answer_is_not_asked_again(malformed: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        read_reply(reply(malformed), Pair)
    assert not isinstance(caught.value, ASKED_AGAIN)


@pytest.mark.parametrize(
    ("bad", "kind", "says"),
    [
        ("<html>", BadAnswer, "no chat completion; give IMG2PROMPT_ENDPOINT"),
        ({"error": "x"}, BadAnswer, "no chat completion"),
        ({"choices": []}, BadAnswer, "no chat completion"),
        ({"choices": [{"message": None}]}, BadAnswer, "no chat completion"),
        (None, BadAnswer, "no chat completion"),
        (
            reply("A red square."),
            BadAnswer,
            "not JSON .*A red square.*ignore response_format json_schema; use a server",
        ),
        (reply("[" * 5000), BadAnswer, r"not JSON"),
        (reply('{"word": "orange"}'), BadAnswer, "not Word .*word: String should have at most 5.*choose another seed"),
        (reply("[]"), BadAnswer, "not Word .*the document: Input should be a valid dict"),
        (reply("{}"), BadAnswer, "word: Field required"),
        (reply(None), BadAnswer, "an empty answer; choose another seed"),
        (reply(None, reasoning_content="Hm."), BadAnswer, "only thought .*Instruct"),
        (reply(None, refusal="I can't."), Refused, r"refused to describe this picture \(I can't\.\); use another"),
        (reply(None, "content_filter"), Refused, "refused to describe this picture; use another"),
    ],
)
def test_replies_without_an_answer(bad: object, kind: type[EngineError], says: str) -> None:
    with pytest.raises(kind, match=says) as caught:
        read_reply(bad, Word)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 400


def test_the_seeing_server_answers_every_field_of_an_analysis() -> None:
    sight = Sight("red", "white", 64, 48)
    analysis = ImageAnalysis.model_validate(answer_for(ImageAnalysis.model_json_schema(), [sight]))
    assert analysis.caption == "a red center on a white border, 64x48"
    assert analysis.tags == ["red center", "white border"]
    assert [color.name for color in analysis.palette] == ["red", "white"]
    assert analysis.visible_text[0].text == "64x48"
