"""A known prompt on Image → Prompt in a real ComfyUI: it is trusted over the model, and the model is told it."""

from __future__ import annotations

from typing import Any

import pytest
from img2prompt.tests.comfyui.graphs import NODE, batch, describe, image_to_prompt, rebatched, shown
from img2prompt.tests.comfyui.server import ComfyServer, Graph, Outcome
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

KNOWN = "a red fox <lora:snow_v2:0.8>, (deep snow:1.2), 雪, " + "detailed fur, " * 60 + "the end"
"""Longer than SDXL's budget: what is known is not cut."""


@pytest.fixture
def files(comfyui: ComfyServer) -> list[str]:
    return [comfyui.upload_image(f"{color}.png", draw(color)) for color in ("red", "blue")]


def known(text: str, *files: str, **inputs: Any) -> Graph:
    """The pictures as one batch into our node, which gets the text from another."""
    graph = describe(*files, known_prompt=["text", 0], **inputs)
    graph["text"] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": text}}
    return graph


def done(outcome: Outcome) -> dict[str, Any]:
    """What our node shows."""
    assert outcome.status == "success", outcome.error
    return outcome.outputs["prompt"]


def test_it_comes_out_as_written_for_every_picture_and_the_model_is_told_it(
    comfyui: ComfyServer, endpoint: SeeingServer, files: list[str]
) -> None:
    graph = known(KNOWN, *files, seed=40)
    graph["caption"] = shown("prompt", 3)
    outcome = comfyui.run(graph)
    told = done(outcome)
    assert told["text"] == [KNOWN] * 2
    assert told["note"] == ["The known prompt was used, not the model's words."]
    assert "center" in outcome.outputs["caption"]["text"][0]  # the model's own, of what it saw
    said = [payload["messages"][1]["content"][-1]["text"] for payload in endpoint.counts.payloads]
    assert len(said) == 2 and all("a red fox" in text for text in said)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_one_is_as_if_none_were_connected(
    comfyui: ComfyServer, endpoint: SeeingServer, files: list[str], text: str
) -> None:
    without = done(comfyui.run(describe(*files, seed=41)))
    asked = endpoint.counts.payloads[:2]
    told = done(comfyui.run(known(text, *files, seed=41)))
    for ui in (told, without):
        for one in ui["shown"]:
            del one["seconds"]  # how long it took
    assert told == without and told["note"] == []
    bodies = [[payload["messages"] for payload in asked], [p["messages"] for p in endpoint.counts.payloads[2:]]]
    assert sorted(map(str, bodies[0])) == sorted(map(str, bodies[1]))


def test_prefix_and_words_to_leave_out_hold_for_it_too(
    comfyui: ComfyServer, endpoint: SeeingServer, files: list[str]
) -> None:
    graph = known("a red fox, deep snow, blurry", files[0], prefix="mystyle", leave_out="blurry", seed=42)
    assert done(comfyui.run(graph))["text"] == ["mystyle, a red fox, deep snow"]


def test_of_one_aspect_the_model_writes_which_was_told(
    comfyui: ComfyServer, endpoint: SeeingServer, files: list[str]
) -> None:
    told = done(comfyui.run(known("a red fox in deep snow", files[0], look_at="style", seed=43)))
    assert "fox" not in told["text"][0]
    assert told["note"] == ["The model was told the known prompt, and wrote this."]
    assert "a red fox in deep snow" in endpoint.counts.payloads[0]["messages"][1]["content"][-1]["text"]


def test_of_lists_each_picture_has_its_own(comfyui: ComfyServer, endpoint: SeeingServer, files: list[str]) -> None:
    graph, link = batch(*files)
    first = image_to_prompt(link, seed=44)  # its prompts are the list
    graph |= {"first": first, "split": rebatched(link, 1)}
    graph["prompt"] = image_to_prompt(["split", 0], known_prompt=["first", 0], seed=45, prefix="again")
    outcome = comfyui.run(graph)
    assert done(outcome)["text"] == [f"again, {text}" for text in outcome.outputs["first"]["text"]]
    assert "red" in done(outcome)["text"][0] and "blue" in done(outcome)["text"][1]


def test_what_came_later_stands_last_so_that_saved_workflows_stay_as_they_were(comfyui: ComfyServer) -> None:
    found = comfyui.get(f"/object_info/{NODE}")[NODE]["input"]
    assert list(found["optional"]) == ["engine", "known_prompt", "min_confidence"]
    kind, about = found["optional"]["known_prompt"]
    assert kind == "STRING" and about["forceInput"] is True  # a socket, no widget
