"""Render Prompt and Mix Prompt in a real ComfyUI: lists line up, and each aspect comes from its picture."""

from __future__ import annotations

from typing import Any

import pytest
from img2prompt.prompts import ImageAnalysis, Recipe, mix, render
from img2prompt.tests.comfyui.graphs import describe, shown
from img2prompt.tests.comfyui.server import ComfyServer, Graph, Outcome, Rejected
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.prompts.examples import CAFE, HARBOUR

OPTIONS: dict[str, Any] = {
    "family": "sdxl",
    "emphasis": "none",
    "unknown_tags": "keep",
    "prefix": "",
    "leave_out": "",
    "token_budget": 0,
}
ASPECTS = {"subject": "A", "setting": "A", "composition": "A", "light": "B", "color": "B", "style": "B"}
ANALYSIS = 4
"""Which output of Image → Prompt is the analysis."""


def render_prompt(analysis: list[Any], **inputs: Any) -> dict[str, Any]:
    """Render Prompt with its defaults, fed by a link."""
    options = {"look_at": "everything", **OPTIONS, **inputs}
    return {"class_type": "Img2Prompt_RenderPrompt", "inputs": {"analysis": analysis, **options}}


def mix_prompt(a: list[Any], b: list[Any], **inputs: Any) -> dict[str, Any]:
    """Mix Prompt with its defaults, fed by two links."""
    options = {**ASPECTS, **OPTIONS, **inputs}
    return {"class_type": "Img2Prompt_MixPrompt", "inputs": {"analysis_a": a, "analysis_b": b, **options}}


def texts(**analyses: ImageAnalysis | str) -> Graph:
    """Texts that stand in nodes of these names."""
    values = {name: one if isinstance(one, str) else one.model_dump_json() for name, one in analyses.items()}
    return {name: {"class_type": "PrimitiveString", "inputs": {"value": value}} for name, value in values.items()}


def batch(comfyui: ComfyServer, *colors: str) -> Graph:
    """Pictures with these colours in the middle, into Image → Prompt."""
    return describe(*(comfyui.upload_image(f"{color}-64x48.png", draw(color)) for color in colors))


def outputs(outcome: Outcome, *nodes: str) -> list[list[str]]:
    """What some nodes show."""
    assert outcome.status == "success", outcome.error
    return [outcome.outputs[node]["text"] for node in nodes]


def test_the_lists_of_a_batch_line_up(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    colors = ("red", "green", "blue")
    graph = batch(comfyui, *colors) | {"render": render_prompt(["prompt", ANALYSIS], family="flux1")}
    graph |= {"same": render_prompt(["prompt", ANALYSIS])}
    graph |= {f"show{i}": shown("render", i) for i in range(4)} | {"show_negative": shown("same", 1)}
    outcome = comfyui.run(graph)
    asked, rendered, same = outputs(outcome, "prompt", "render", "same")
    assert same == asked, "the same family gives the same prompts"
    shows = [outcome.outputs[f"show{i}"]["text"] for i in range(4)]
    assert shows[0] == rendered
    for of_batch in (rendered, shows[2], shows[3]):
        assert [color in text.lower() for color, text in zip(colors, of_batch, strict=True)] == [True] * 3
    assert shows[1] == ["", "", ""], "flux1 takes no negative"
    assert len(outcome.outputs["show_negative"]["text"]) == 3 and all(outcome.outputs["show_negative"]["text"])


def test_another_family_asks_nobody(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    graph = batch(comfyui, "purple", "orange") | {"render": render_prompt(["prompt", ANALYSIS])}
    (before,) = outputs(comfyui.run(graph), "render")
    asked = endpoint.counts.requests
    assert asked == 2
    graph["render"] = render_prompt(["prompt", ANALYSIS], family="flux1")
    outcome = comfyui.run(graph)
    (after,) = outputs(outcome, "render")
    assert endpoint.counts.requests == asked
    assert "prompt" in outcome.cached and "render" not in outcome.cached
    assert before != after


def test_a_mix_takes_what_it_says_from_each(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    graph = texts(a=CAFE, b=HARBOUR)
    graph |= {"mix": mix_prompt(["a", 0], ["b", 0]), "turned": mix_prompt(["b", 0], ["a", 0], setting="B")}
    graph |= {f"show{i}": shown("mix", i) for i in range(4)} | {"render": render_prompt(["mix", 3], family="flux1")}
    outcome = comfyui.run(graph)
    mixed = mix(CAFE, HARBOUR, Recipe())
    found = render(mixed, "sdxl")
    assert [outcome.outputs[f"show{i}"]["text"] for i in range(3)] == [
        [found.positive],
        [found.negative],
        [found.style],
    ]
    assert ImageAnalysis.model_validate_json(outcome.outputs["show3"]["text"][0]) == mixed
    (there,), (turned,), (chained,) = outputs(outcome, "mix", "turned", "render")
    assert all(word in there for word in ("woman", "narrow alley", "oil painting", "slate blue"))
    assert not any(word in there for word in ("boat", "harbour", "photograph", "golden hour", "navy"))
    assert all(word in turned for word in ("fishing boat", "narrow alley", "photograph", "golden hour"))
    assert not any(word in turned for word in ("woman", "harbour", "oil painting", "slate blue"))
    assert chained == render(mixed, "flux1").positive
    assert endpoint.counts.requests == 0


def test_each_picture_of_a_batch_is_mixed_with_one(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    graph = batch(comfyui, "red", "green") | texts(b=HARBOUR)
    graph["mix"] = mix_prompt(["prompt", ANALYSIS], ["b", 0], color="A")
    (found,) = outputs(comfyui.run(graph), "mix")
    assert [[color in text for color in ("red", "green")] for text in found] == [[True, False], [False, True]]
    assert all("oil painting" in text for text in found)


@pytest.mark.parametrize("text", ["", "a woman, red hair", '{"prompt": "a cat"}'])
def test_a_text_that_is_no_analysis_is_an_error(comfyui: ComfyServer, endpoint: SeeingServer, text: str) -> None:
    outcome = comfyui.run(texts(a=text) | {"render": render_prompt(["a", 0]), "show": shown("render", 0)})
    assert "connect the output 'analysis' of Image → Prompt" in outcome.error
    assert not outcome.outputs
    outcome = comfyui.run(texts(a=CAFE, b=text) | {"mix": mix_prompt(["a", 0], ["b", 0])})
    assert outcome.error.startswith("Picture B: ") and "connect the output 'analysis'" in outcome.error


def test_a_family_that_is_none_is_refused_before_anything_runs(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    for node in (render_prompt(["a", 0], family="sd9"), mix_prompt(["a", 0], ["a", 0], family="sd9")):
        with pytest.raises(Rejected) as rejected:
            comfyui.run(texts(a=CAFE) | {"node": node})
        (error,) = rejected.value.errors("node")
        assert (error["type"], "no model family 'sd9'" in error["details"]) == ("custom_validation_failed", True)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"emphasis": "all"}, "choose one of none, subject, style"),
        ({"unknown_tags": "burn"}, "choose one of keep, drop"),
        ({"style": "C"}, "choose one of A, B, neither"),
        (dict.fromkeys(ASPECTS, "neither"), "choose A or B for one aspect at least"),
    ],
)
def test_choices_that_cannot_be_are_an_error(
    comfyui: ComfyServer, endpoint: SeeingServer, inputs: dict[str, Any], says: str
) -> None:
    nodes = {"mix": mix_prompt(["a", 0], ["a", 0], **inputs)}
    if not inputs.keys() & ASPECTS.keys():
        nodes["render"] = render_prompt(["a", 0], **inputs)
    for name, node in nodes.items():
        outcome = comfyui.run(texts(a=CAFE) | {name: node})
        assert says in outcome.error and not outcome.outputs
