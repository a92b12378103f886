"""Prompt Engine and Release Prompt Engine in real graphs: who is asked, who must not be, and what passes through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from img2prompt.engine.choice import MODELS
from img2prompt.tests.comfyui.graphs import describe, release, shown, with_engine
from img2prompt.tests.comfyui.server import ComfyServer, Outcome, Rejected
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from PIL import ImageChops

ASKING = ("Img2Prompt_ImageToPrompt", "Img2Prompt_ImageToText")


@pytest.fixture
def other() -> Iterator[SeeingServer]:
    """Another server on this machine, which the settings do not name."""
    with SeeingServer() as server:
        yield server


@pytest.fixture
def picture(comfyui: ComfyServer) -> str:
    return comfyui.upload_image("engine.png", draw("green"))


def prompts(outcome: Outcome) -> list[str]:
    assert outcome.status == "success", outcome.error
    return outcome.outputs["prompt"]["text"]


def refusal(rejected: pytest.ExceptionInfo[Rejected]) -> str:
    """What the front end shows at the node."""
    return " ".join(error["details"] for error in rejected.value.errors("engine"))


@pytest.mark.parametrize("node", ASKING)
def test_the_engine_stands_behind_the_inputs_that_a_node_needs_and_may_be_left_out(
    comfyui: ComfyServer, node: str
) -> None:
    inputs = comfyui.get(f"/object_info/{node}")[node]
    optional = ["engine", *(["known_prompt", "min_confidence"] if node == "Img2Prompt_ImageToPrompt" else [])]  # later
    assert list(inputs["input"]["optional"]) == optional
    assert inputs["input"]["optional"]["engine"][0] == "IMG2PROMPT_ENGINE"
    assert inputs["input_order"]["optional"] == optional


def test_as_it_comes_it_changes_nothing(comfyui: ComfyServer, endpoint: SeeingServer, picture: str) -> None:
    (text,) = prompts(comfyui.run(with_engine(describe(picture, seed=80))))
    assert "green center" in text
    assert endpoint.counts.requests == 1


def test_another_endpoint_on_this_machine_is_asked_and_gets_no_key(
    comfyui: ComfyServer, endpoint: SeeingServer, other: SeeingServer, picture: str
) -> None:
    comfyui.settings_file.write_text('api_key = "sk-of-the-settings"\nmodel = "seeing-model"\n')
    try:
        prompts(comfyui.run(with_engine(describe(picture, seed=81), endpoint=other.url)))
        assert (endpoint.counts.requests, other.counts.requests) == (0, 1)
        assert "sk-of-the-settings" not in json.dumps([other.counts.headers, other.counts.payloads])
        # under the settings' own endpoint the node says nothing new, and the key is sent
        prompts(comfyui.run(with_engine(describe(picture, seed=81), endpoint=endpoint.url)))
        assert endpoint.counts.headers[0]["authorization"] == "Bearer sk-of-the-settings"
    finally:
        comfyui.settings_file.unlink()


def test_both_nodes_ask_the_chosen_engine(
    comfyui: ComfyServer, endpoint: SeeingServer, other: SeeingServer, picture: str
) -> None:
    graph = with_engine(describe(picture, seed=82), endpoint=other.url)
    graph["text"] = {
        "class_type": "Img2Prompt_ImageToText",
        "inputs": {
            **{"image": ["load0", 0], "preset": "detailed-caption", "language": "English", "extra_instruction": ""},
            **{"seed": 0, "engine": ["engine", 0]},
        },
    }
    prompts(comfyui.run(graph))
    assert (endpoint.counts.requests, other.counts.requests) == (0, 2)


def test_another_choice_asks_again_and_the_same_does_not(
    comfyui: ComfyServer, endpoint: SeeingServer, other: SeeingServer, picture: str
) -> None:
    first = with_engine(describe(picture, seed=83))
    prompts(comfyui.run(first))
    assert "prompt" in comfyui.run(first).cached
    prompts(comfyui.run(with_engine(describe(picture, seed=83), endpoint=other.url)))
    assert (endpoint.counts.requests, other.counts.requests) == (1, 1)


def test_the_chosen_model_is_asked_for(comfyui: ComfyServer, endpoint: SeeingServer, picture: str) -> None:
    endpoint.control.models = ["seeing-model", MODELS[1]]
    graph = describe(picture, seed=84)
    prompts(comfyui.run(with_engine(graph, model=MODELS[1], precision="fp8")))
    prompts(comfyui.run(with_engine(graph, model="from settings")))
    assert [payload["model"] for payload in endpoint.counts.payloads] == [MODELS[1], "seeing-model"]


def test_a_model_that_the_endpoint_does_not_have_is_an_error(
    comfyui: ComfyServer, endpoint: SeeingServer, picture: str
) -> None:
    outcome = comfyui.run(with_engine(describe(picture, seed=85), model=MODELS[2]))
    assert MODELS[2] in outcome.error and "seeing-model" in outcome.error
    assert not outcome.outputs


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"endpoint": "http://192.0.2.7:8000/v1"}, 'allowed_endpoints = ["http://192.0.2.7:8000/v1"]'),
        ({"endpoint": "https://evil.example"}, "would send pictures to https://evil.example/v1"),
        ({"endpoint": "http://me:pass-77@127.0.0.1:8000/v1"}, "workflows are passed on"),
        ({"endpoint": "http://127.0.0.1:8000/v1?key=pass-77"}, "workflows are passed on"),
        ({"endpoint": "127.0.0.1:8000"}, "must be a base URL"),
    ],
)
def test_an_endpoint_that_a_workflow_may_not_choose_is_refused_before_anything_runs(
    comfyui: ComfyServer, endpoint: SeeingServer, picture: str, inputs: dict[str, Any], says: str
) -> None:
    with pytest.raises(Rejected) as rejected:
        comfyui.run(with_engine(describe(picture), **inputs))
    assert refusal(rejected).count(says) == 1
    assert "pass-77" not in json.dumps(rejected.value.body) + comfyui.log()
    assert endpoint.counts.requests == 0


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"model": "evil/checkpoint"}, "cannot choose the model 'evil/checkpoint'"),
        ({"precision": "int3"}, "cannot choose the precision 'int3'"),
        ({"release": "never"}, "release cannot be 'never'"),
    ],
)
def test_what_the_menus_do_not_offer_cannot_be_chosen(
    comfyui: ComfyServer, endpoint: SeeingServer, picture: str, inputs: dict[str, Any], says: str
) -> None:
    outcome = comfyui.run(with_engine(describe(picture), **inputs))
    assert says in outcome.error and not outcome.outputs
    assert endpoint.counts.requests == 0


def test_an_endpoint_that_comes_over_a_link_is_checked_too(
    comfyui: ComfyServer, endpoint: SeeingServer, picture: str
) -> None:
    graph = with_engine(describe(picture, seed=86), endpoint=["url", 0])
    graph["url"] = {"class_type": "PrimitiveString", "inputs": {"value": "http://192.0.2.7:8000/v1"}}
    outcome = comfyui.run(graph)
    assert 'put allowed_endpoints = ["http://192.0.2.7:8000/v1"] into' in outcome.error
    assert endpoint.counts.requests == 0 and not outcome.outputs


def test_settings_of_the_user_allow_an_endpoint(comfyui: ComfyServer, endpoint: SeeingServer, picture: str) -> None:
    comfyui.settings_file.write_text('allowed_endpoints = ["http://192.0.2.7:9/v1"]\nconnect_timeout_s = 0.2\n')
    try:
        outcome = comfyui.run(with_engine(describe(picture, seed=87), endpoint="http://192.0.2.7:9"))
        assert outcome.error.startswith("Nobody answers at http://192.0.2.7:9/v1")  # it was tried
        assert endpoint.counts.requests == 0
    finally:
        comfyui.settings_file.unlink()


@pytest.mark.parametrize("release_when", ["when VRAM is needed", "after each run", "keep", "stop after each run"])
def test_an_endpoint_is_asked_whatever_is_released(
    comfyui: ComfyServer, endpoint: SeeingServer, picture: str, release_when: str
) -> None:
    for seed in (88, 89):
        graph = with_engine(describe(picture, extra_instruction=release_when, seed=seed), release=release_when)
        assert len(prompts(comfyui.run(graph))) == 1
    assert endpoint.counts.requests == 2


@pytest.mark.parametrize("action", ["sleep", "stop"])
def test_release_passes_pictures_texts_and_lists_through(
    comfyui: ComfyServer, endpoint: SeeingServer, picture: str, action: str
) -> None:
    graph = describe(picture, comfyui.upload_image("engine2.png", draw("blue")), seed=90)
    graph["release"] = release(graph["prompt"]["inputs"]["image"], action)
    graph["prompt"]["inputs"]["image"] = ["release", 0]
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["release", 0], "filename_prefix": "passed"}}
    graph["after"] = release(["prompt", 0], action)
    graph["show"] = shown("after", 0)
    outcome = comfyui.run(graph)
    green, blue = prompts(outcome)
    assert "green center" in green and "blue center" in blue
    passed = "".join(outcome.outputs["show"]["text"])
    assert green in passed and blue in passed
    saved = comfyui.image(outcome, "save", 1).convert("RGB")
    assert not ImageChops.difference(saved, draw("blue")).getbbox()


def test_an_action_that_there_is_not(comfyui: ComfyServer, picture: str) -> None:
    graph = describe(picture)
    graph["release"] = release(["load0", 0], "explode")
    graph["prompt"]["inputs"]["image"] = ["release", 0]
    with pytest.raises(Rejected) as rejected:
        comfyui.run(graph)
    assert "action cannot be 'explode'" in rejected.value.errors("release")[0]["details"]
