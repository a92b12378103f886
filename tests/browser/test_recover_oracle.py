"""ComfyUI's real interface as the judge: what it would execute of a workflow is what `ui.py` must make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.prompts.recover.comfyui.api import from_api
from img2prompt.prompts.recover.comfyui.describe import described
from img2prompt.prompts.recover.comfyui.graph import Graph, Link
from img2prompt.prompts.recover.comfyui.ui import from_ui
from img2prompt.scripts.samples import template_workflows
from playwright.sync_api import Page

EXECUTED = "async workflow => { await app.loadGraphData(workflow); return (await app.graphToPrompt()).output }"
TEXTS = {"text", "prompt", "string", "string_a", "string_b", "delimiter", "clip_l", "t5xxl", "value"}
SETTINGS = {"seed", "noise_seed", "steps", "cfg", "sampler_name", "scheduler", "denoise", "guidance", "width", "height"}
FILES = {"ckpt_name", "unet_name", "lora_name", "vae_name", "strength_model"}

TEMPLATES = (
    "sdxl_refiner_prompt_example",  # primitives into two samplers, one after the other
    "flux_schnell_full_text_to_image",
    "hidream_e1_full",  # reroutes, a guider of three conditionings
    "video_wan2_2_14B_flf2v",  # bypassed parts, a sampling in two halves
    "ltxv_image_to_video",
    "flux_depth_lora_example",  # a subgraph, its values inside
    "image_netayume_lumina_t2i",  # a text of parts, in a subgraph
    "image_omnigen2_t2i",
    "image_qwen_image_instantx_controlnet",  # values in the instance
    "image_qwen_image_edit_2509_relight",
    "sd3.5_large_depth",  # subgraphs in subgraphs
    "image_flux2_text_to_image_9b",
)
"""Templates all of whose nodes this ComfyUI has; of another one the interface does not know what is a value."""


def seen(graph: Graph) -> dict[tuple[str, str], object]:
    """Every link of a graph, and the values that prompts and parameters are read from, by node and input."""
    kept = TEXTS | SETTINGS | FILES
    return {
        (key, name): value
        for key, node in graph.nodes.items()
        for name, value in node.inputs.items()
        if isinstance(value, Link) or name in kept
    }


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    return {file.stem: json.loads(file.read_text()) for file in template_workflows() if file.stem in TEMPLATES}


def test_a_workflow_is_what_the_interface_would_execute(page: Page, templates: dict[str, dict[str, Any]]) -> None:
    assert sorted(templates) == sorted(TEMPLATES)
    for name, workflow in templates.items():
        executed, ours = from_api(page.evaluate(EXECUTED, workflow)), from_ui(workflow)
        assert seen(ours) == seen(executed), name
        truth, told = described(executed), described(ours)
        assert [(one.positive, one.negative) for one in told.prompts] == [
            (one.positive, one.negative) for one in truth.prompts
        ], name
        assert told.positive, name
        assert told.parameters == truth.parameters, name
