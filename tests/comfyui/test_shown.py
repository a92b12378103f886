"""What nodes show of their results: `ui["shown"]`, the same that the front end draws."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from comfy_execution.utils import CurrentNodeContext
from img2prompt.engine import Engine, Settings, choose_backend
from img2prompt.engine.backend import Status
from img2prompt.nodes import vram
from img2prompt.nodes.asking import ask_all
from img2prompt.nodes.comfy import Progress
from img2prompt.nodes.shown import Answered, answered_by, short_name, shown_prompts
from img2prompt.prompts import ImageAnalysis, Request, family_names, load_family, render
from img2prompt.tests.comfyui.graphs import describe, read_prompt, save_prompt, story
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.comfyui.test_render_and_mix import ANALYSIS, mix_prompt, render_prompt
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.prompts.examples import CAFE, analysis
from img2prompt.tests.unit.prompts.recover.containers import png

KEYS = {
    *("title", "text", "more", "style", "swatches", "tokens", "budget", "chunk", "family"),
    *("engine", "seconds", "cached", "notes"),
}
TEXT = {"class_type": "Img2Prompt_ImageToText"}
TEXT_INPUTS = {"preset": "detailed-caption", "language": "English", "extra_instruction": "", "seed": 0}
A1111 = "a fox\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x48"


def shown(nodes: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = nodes[name]["shown"]
    assert all(one.keys() <= KEYS and one.keys() >= {"title", "text"} for one in found)
    assert not [part for one in found for name, part in one.items() if part == [] or (part == "" and name != "text")]
    return found


def test_every_node_shows_its_result(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    """All nodes in one run."""
    files = [comfyui.upload_image(f"shown-{color}.png", draw(color)) for color in ("navy", "pink")]
    carrying = comfyui.upload_image("shown-a1111.png", png({"parameters": A1111}))
    graph = describe(*files, seed=81)
    pictures = graph["prompt"]["inputs"]["image"]
    graph["text"] = {**TEXT, "inputs": {"image": pictures, **TEXT_INPUTS}}
    graph["render"] = render_prompt(["prompt", ANALYSIS], family="flux1")
    graph["mix"] = mix_prompt(["prompt", ANALYSIS], ["prompt", ANALYSIS])
    graph["story"] = story(images=pictures, seed=81)
    graph["read"], graph["empty"] = read_prompt(carrying), read_prompt(files[0])
    graph["save"] = save_prompt(pictures, "shown/connected", prompt=["read", 2])
    graph["bare"] = save_prompt(pictures, "shown/bare")
    outcome = comfyui.run(graph)
    assert outcome.status == "success", outcome.error
    nodes = outcome.outputs

    asked = shown(nodes, "prompt")
    assert [one["text"] for one in asked] == nodes["prompt"]["text"]
    assert [one["swatches"] for one in asked] == [
        [["navy", "#14244f"], ["white", "#fafafa"]],
        [["pink", "#fb93bb"], ["white", "#fafafa"]],
    ]
    first = asked[0]
    assert (
        dict(first["style"])["Palette"] == "navy, white"
        and dict(first["more"])["negative"] == nodes["prompt"]["negative"][0]
    )
    assert (first["family"], first["chunk"], first["title"]) == ("sdxl", 75, "prompt")
    assert 0 < first["tokens"] <= first["budget"]
    assert (first["engine"], first["cached"]) == ("seeing-model", False) and first["seconds"] > 0

    assert [(one["title"], one["text"]) for one in shown(nodes, "text")] == [
        ("text", text) for text in nodes["text"]["text"]
    ]
    assert shown(nodes, "text")[0]["engine"] == "seeing-model"
    rendered = shown(nodes, "render")
    assert [one["text"] for one in rendered] == nodes["render"]["text"]
    assert {one["chunk"] for one in rendered} == {0} and not {"engine", "seconds", "cached"} & rendered[0].keys()
    assert [one["text"] for one in shown(nodes, "mix")] == nodes["mix"]["text"]

    (tale,) = shown(nodes, "story")
    assert [prompt for _, prompt in tale["more"]] == nodes["story"]["prompts"]
    assert [beat[:2] for beat, _ in tale["more"]] == ["1.", "2."]
    assert tale["title"] == "story" and 0 < tale["tokens"] <= tale["budget"]

    (found,) = shown(nodes, "read")
    assert (found["title"], found["text"]) == ("found prompt", "a fox")
    assert dict(found["more"])["negative"] == "fog" and "seed 42" in dict(found["more"])["made with"]
    assert shown(nodes, "empty") == [{"title": "found prompt", "text": "", "notes": ["The file carries no prompt."]}]
    (saved,) = shown(nodes, "save")
    assert (
        saved["title"] == "saved prompt"
        and saved["text"].startswith("a fox")
        and saved["text"] == nodes["save"]["text"][0]
    )
    (bare,) = shown(nodes, "bare")
    assert bare["text"] == "" and bare["notes"][0].startswith("No prompt is known")


def test_a_known_prompt_is_noted(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    graph = describe(comfyui.upload_image("shown-navy.png", draw("navy")), seed=82)
    graph["known"] = {"class_type": "PrimitiveString", "inputs": {"value": "a fox"}}
    graph["prompt"]["inputs"]["known_prompt"] = ["known", 0]
    (one,) = shown(comfyui.run(graph).outputs, "prompt")
    assert one["notes"] == ["The known prompt was used, not the model's words."]


def test_who_answered_is_told_apart() -> None:
    sketch, endpoint = Status("sketch", "", "", ""), Status("endpoint", "", "http://127.0.0.1:1/v1", "")
    model = Status("managed", "/models/Qwen/Qwen3-VL-8B-Instruct/", "", "")
    assert answered_by(sketch, None) == Answered("sketch (no model)", None, cached=False)
    assert answered_by(model, None) == Answered("Qwen3-VL-8B-Instruct", None, cached=True)
    assert answered_by(model, 1.2345).shown() == {"engine": "Qwen3-VL-8B-Instruct", "seconds": 1.23, "cached": False}
    assert answered_by(endpoint, 1.0).engine == "endpoint"


def test_what_comes_from_the_disk_is_told(endpoint: SeeingServer, tmp_path: Path) -> None:
    settings = Settings(endpoint=endpoint.url, cache=True, cache_dir=tmp_path)
    for cached in (False, True):
        engine = Engine(choose_backend(settings), settings)  # anew, as after a restart
        requests = [Request((draw(),), "Look.", ImageAnalysis)]
        with CurrentNodeContext("a prompt", "1", 0):
            (how,) = asyncio.run(ask_all(engine, vram.WHEN_NEEDED, requests, Progress(1))).how
        engine.close()
        assert (how.engine, how.cached, how.seconds is None) == ("seeing-model", cached, cached)
    assert endpoint.counts.requests == 1


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", "Qwen3-VL-8B-Instruct"),
        ("C:\\models\\a.gguf", "a.gguf"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_model_goes_by_its_short_name(model: str, name: str) -> None:
    assert short_name(model) == name


@pytest.mark.parametrize("family", family_names())
def test_each_family_has_its_meter(family: str) -> None:
    (one,) = shown_prompts([render(CAFE, family)], family)
    expected = 75 if load_family(family).encoder == "clip" else 0
    assert (one["chunk"], one["budget"], one["family"]) == (expected, load_family(family).budget, family)
    assert json.loads(json.dumps(one)) == one


def test_the_palette_is_shown_as_far_as_it_may_be() -> None:
    colors = [{"name": "dusty rose", "role": "accent"}, {"name": "Weltschmerz", "role": "dominant"}]
    found = analysis(caption="A hill.", palette=colors)
    (one,) = shown_prompts([render(found, "sdxl")], "sdxl")
    assert one["swatches"] == [["weltschmerz", ""], ["dusty rose", "#c0737a"]]
    child = analysis(caption="A little girl.", palette=[{"name": "nude", "role": "dominant"}, *colors])
    (one,) = shown_prompts([render(child, "sdxl")], "sdxl")
    assert "nude" not in json.dumps(one)
