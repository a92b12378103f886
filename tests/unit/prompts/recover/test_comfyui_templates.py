"""ComfyUI's own workflow templates: 643 real graphs of its interface. What must be read was written by hand, from
looking at the graphs; test_recover_oracle.py compares some with what the interface itself would execute.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from img2prompt.prompts.recover.comfyui.describe import described
from img2prompt.prompts.recover.comfyui.ui import from_ui, is_ui
from img2prompt.prompts.recover.recovered import Lora, Recovered
from img2prompt.scripts.samples import template_workflows

FILES: dict[str, Path] = {file.stem: file for file in template_workflows()}


def told(name: str) -> Recovered:
    return described(from_ui(json.loads(FILES[name].read_text(encoding="utf-8"))))


@dataclass(frozen=True)
class Expected:
    """What one template must give; the texts are how they begin."""

    file: str
    positive: str
    negative: str = ""
    node: str = ""
    """The id of the node with the positive text."""
    parameters: dict[str, Any] = field(default_factory=dict)


WAN = "色调艳丽，过曝，静态，细节模糊不清"
ANIMA = "worst quality, low quality, sc"
LOOKED_AT = [
    # flat graphs
    Expected("image_sdxl_simple", "a giant classical marble statue", "color, colored, lowres", "10", {"steps": 25}),
    Expected(
        "hidream_i1_full",
        "A lo-fi, grungy wide shot of",
        "bad ugly jpeg artifacts",
        "91",
        {"steps": 50, "seed": 647719102242276},
    ),
    Expected(
        "video_humo",
        "A young boy in sci-fi style clothing",
        WAN,
        "6",
        {
            "seed": 1067760026265042,
            "loras": (Lora("lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors", 1.0),),
            "width": 640,
        },
    ),
    Expected(
        "image_qwen_image_2512_with_2steps_lora",
        "High-contrast black and white fashion photography",
        "",
        "108",
        {"steps": 2, "width": 1328, "height": 1328, "checkpoint": "qwen_image_2512_fp8_e4m3fn.safetensors"},
    ),
    Expected("hidream_e1_full", "Let the girl put on the VR", "low quality, blurry", "6", {"cfg_scale": 5.0}),
    # subgraphs: the text in the inner node
    Expected("flux_dev_checkpoint_example", "Beautiful photography of a gorgeous-haired", "", "56:51", {"steps": 20}),
    Expected("flux_depth_lora_example", "A cute ghost-shaped desktop ornament", "", "150:23", {"guidance": 10.0}),
    Expected(
        "video_wan2_2_14B_i2v",
        "The white dragon warrior stands still",
        WAN,
        "129:93",
        {"seed": 264244520398999, "checkpoint": "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors"},
    ),
    # the text in the instance, another one stale inside
    Expected(
        "video_ltx2_5_t2v", "A close-up of an Arctic hunter's face", "pc game, console game", "405:376", {"steps": 3}
    ),
    Expected("image_qwen_image_2_1_t2i", "Greyscale fashion editorial portrait of an avant-garde", "", "459:474"),
    # two subgraphs, one of them bypassed
    Expected("video_ltx2_depth_to_video", "An expansive, sunlit modern lounge", "blurry, low quality", "143:124"),
    # a switch whose one side is empty takes the value that the instance shows of another node
    Expected("template_ltx2_3_ic_lora_ingredients", "### Reference Sheet Description **Top Row Left", "blurry, out"),
    # parts of a text
    Expected("image_newbieimage_exp0_1-t2i", "You are an assistant designed", "You are an assistant designed"),
    # positive and negative behind the model
    Expected("video_wan2_1_infinitetalk", "The camera zooms in. Two characters are talking."),
    Expected("image_ideogram4_t2i_int8", '{"aspect_ratio":"1:1","high_level_description"', "", "98:24"),
    # nodes that make pictures by themselves, with names and without
    Expected(
        "api_flux_video_edit", "Replace the guitarist with a photorealistic gorilla", "", "7", {"seed": 2423860214}
    ),
    Expected("api_runway_text_to_image", "Close-up portrait of a 20-year-old Nordic girl", "", "3"),
    Expected("api_seedance2_0_mini_t2v", "[Style] Photorealistic futuristic space warfare", "", "1"),
    Expected("api_grok_image_edit", "Keep the original robot design and framing.", "", "9"),
    Expected("template_contact_sheet-step_1.app", "Generate a fashion editorial photoshoot", "", "125"),
    Expected("template_eric_thumbnail_generator", "how to feed dogs", "", "23"),
    Expected("api_minimax_h3_max_r2v", "subject_definitions:\n<Subject 1> is the otherworldly samurai", "", "14"),
    Expected("api_wan2_6_t2v", "Edge light, side light, soft light", "low quality, blurry, out of focus"),
]


@pytest.mark.parametrize("expected", LOOKED_AT, ids=lambda expected: expected.file)
def test_a_template(expected: Expected) -> None:
    found = told(expected.file)
    assert (found.positive[: len(expected.positive)], found.negative[: len(expected.negative)]) == (
        expected.positive,
        expected.negative,
    )
    assert bool(found.negative) == bool(expected.negative)
    if expected.node:
        assert [ref.id for ref in found.prompts[0].positive_nodes] == [expected.node]
    assert {name: getattr(found.parameters, name) for name in expected.parameters} == expected.parameters


def test_every_output_s_prompt_is_told() -> None:
    """Two films, then the two pictures that they begin and end with."""
    found = told("template_eric_exploded_view")
    assert [prompt.positive[:20] for prompt in found.prompts] == [
        "Slowly, its real phy",
        "All expanded compone",
        "Analyze the input im",
        "a car",
    ]


NOT_IN_THE_FILE = (
    "image_krea2_turbo_t2i",
    "image_ernie_image",
    "image_flux3_klein_t2i",
    "template_qwen_multiangle.app",
)
"""Their texts are rewritten by a model when the graph runs."""


@pytest.mark.parametrize("name", NOT_IN_THE_FILE)
def test_a_text_that_is_not_in_the_file_is_not_made_up(name: str) -> None:
    found = told(name)
    assert found.positive == ""
    assert "makes while the graph runs" in found.notes[0]


NO_PROMPT = ("utility-gan_upscaler", "3d_hunyuan3d-v2.1", "llm_qwen3_text_gen", "api_anthropic_claude")


@pytest.mark.parametrize("name", NO_PROMPT)
def test_a_template_without_a_prompt(name: str) -> None:
    assert told(name).prompts == ()


def test_nearly_every_template_with_a_prompt_is_read() -> None:
    """A quarter of them. 72 of 100 hold a prompt; the others make meshes, sounds or texts, or only change a picture."""
    graphs = [json.loads(file.read_text(encoding="utf-8")) for file in list(FILES.values())[::4]]
    found = [described(from_ui(graph)) for graph in graphs if is_ui(graph)]
    assert len(found) > 150
    assert sum(bool(one.positive) for one in found) / len(found) > 0.7
