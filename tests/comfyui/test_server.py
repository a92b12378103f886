"""The ground that the other tests stand on: ComfyUI starts, takes the pack, and paints what a prompt says."""

from __future__ import annotations

import pytest
from img2prompt.scripts.comfyui import PACK
from img2prompt.tests.comfyui.graphs import paint
from img2prompt.tests.comfyui.server import ComfyServer, Rejected
from PIL import ImageChops


def test_it_is_the_comfyui_that_we_support(comfyui: ComfyServer) -> None:
    assert comfyui.get("/system_stats")["system"]["comfyui_version"] == "0.3.75"


def test_it_loads_the_pack(comfyui: ComfyServer) -> None:
    (line,) = [line for line in comfyui.log().splitlines() if line.endswith(f"/custom_nodes/{PACK}")]
    assert "seconds:" in line, line  # "seconds (IMPORT FAILED):" otherwise


def test_the_prompt_decides_the_picture(comfyui: ComfyServer) -> None:
    pictures = {}
    for name, prompt in {"cat": "a white cat", "again": "a white cat", "boat": "a red boat at night"}.items():
        outcome = comfyui.run(paint(prompt, ""))
        assert outcome.status == "success", outcome.error
        pictures[name] = comfyui.image(outcome, "save").convert("RGB")
    assert pictures["cat"].size == (64, 64)
    assert pictures["cat"].tobytes() == pictures["again"].tobytes()
    assert ImageChops.difference(pictures["cat"], pictures["boat"]).getbbox()


def test_a_sampler_reports_its_steps(comfyui: ComfyServer) -> None:
    with comfyui.events() as events:
        prompt_id = comfyui.submit(paint("a green hill", ""), events.client_id)
        events.wait_for("execution_success", lambda data: data["prompt_id"] == prompt_id)
        states = [event.data["nodes"].get("sample") for event in events.all("progress_state")]
    assert {"value": 2, "max": 2} in [{"value": state["value"], "max": state["max"]} for state in states if state]


def test_a_bad_graph_is_rejected(comfyui: ComfyServer) -> None:
    graph = paint("anything", "")
    del graph["sample"]["inputs"]["latent_image"]
    with pytest.raises(Rejected) as rejected:
        comfyui.run(graph)
    assert [error["type"] for error in rejected.value.errors("sample")] == ["required_input_missing"]
