"""Files that the generators themselves wrote. What must be read of each was written by hand, from looking at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from img2prompt.prompts import Recovered, recover
from img2prompt.scripts.samples import animated_pictures, generator_pictures

DUCK: dict[str, Any] = {
    "seed": 235284042,
    "steps": 15,
    "sampler": "UniPC",
    "cfg_scale": 5.0,
    "width": 512,
    "height": 400,
    "checkpoint": "realistic_realisticVisionV20_v20",
    "checkpoint_hash": "c0d1994c73",
}
HANDS = (
    "(hands), text, error, cropped, (worst quality:1.2), (low quality:1.2), normal quality, (jpeg artifacts:1.3), "
    "signature, watermark, username, blurry, artist name, monochrome, sketch, censorship, censor, (copyright:1.2), "
    "extra legs, (forehead mark) (depth of field) (emotionless) (penis) (pumpkin)"
)
DREAM = (
    "professional full body photo of young woman, hyper long brunette hair, elegant hair, wearing a bikini top and "
    "asymmetric short skirt, curvy body, long legs, (imperfect skin), detailed skin, intense freckles, super long eye "
    "lashes, at night, outside, city background, 8k ultra detailed, realistic, high quality, film grain, low contrast"
)
NOVELAI = (
    "lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, worst quality, "
    "low quality, normal quality, jpeg artifacts, signature, watermark, username, blurry, lowres, bad anatomy, bad "
    "hands, text, error, missing fingers, extra digit, fewer digits, cropped, worst quality, low quality, normal "
    "quality, jpeg artifacts, signature, watermark, username, blurry"
)
WAN = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，残缺的，多余的手指，"
    "画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"
)


@dataclass(frozen=True)
class Expected:
    """What one file must give."""

    file: str
    generator: str
    positive: str
    negative: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    nodes: tuple[str, str] = ("", "")
    """The ids of the node with the text, and of the sampler."""
    prompts: int = 1


PICTURES = [
    Expected("parsers/AUTOMATIC1111/automatic1111_cropped.png", "AUTOMATIC1111", "photo of a duck", "monochrome", DUCK),
    Expected("parsers/AUTOMATIC1111/automatic1111_cropped.jpg", "AUTOMATIC1111", "photo of a duck", "monochrome", DUCK),
    Expected("bad_images/text_after_idat.png", "AUTOMATIC1111", "photo of a duck", "monochrome", DUCK),
    Expected(
        "parsers/ComfyUI/img2img_cropped.png",
        "ComfyUI",
        "photograph of victorian woman with wings, sky clouds, meadow grass",
        "watermark, text",
        {
            "seed": 280823642470253,
            "steps": 20,
            "sampler": "sample_dpmpp_2m",
            "scheduler": "normal",
            "cfg_scale": 8.0,
            "denoise": pytest.approx(0.87),
            "checkpoint": "v1-5-pruned-emaonly.ckpt",
            "width": None,
        },
        ("6", "3"),
    ),
    Expected(
        "parsers/ComfyUI/night_evening_day_morning_cropped.png",
        "ComfyUI",
        "(best quality) beautiful (HDR:1.2) (realistic:1.2) landscape breathtaking amazing view nature scenery "
        "photograph forest mountains ocean daytime night evening morning, (sky:1.2)",
        HANDS,
        {
            "seed": 1122440447966177,
            "steps": 14,
            "sampler": "dpmpp_2m",
            "scheduler": "simple",
            "cfg_scale": 7.0,
            "denoise": 0.5,
            "checkpoint": "AbyssOrangeMix2_hard.safetensors",
            "vae": "vae-ft-mse-840000-ema-pruned.safetensors",
            "clip_skip": 2,
            "width": 1088,
            "height": 1920,
        },
        ("26", "24"),
        prompts=2,
    ),
    Expected(
        "parsers/ComfyUI/noisy_latents_3_subjects_cropped.png",
        "ComfyUI",
        "girl (flat chest:0.9), (fennec ears:1.0)\xa0 (fox ears:1.0), (messy hair), (highlights), (realistic starry "
        "eyes pupil:1.1), (hoodie), open jacket, running (school uniform)\nsky clouds nature national park beautiful "
        "winter snow scenery HDR landscape\n(sunset)",
        HANDS,
        {"seed": 1084614416978598, "steps": 9, "denoise": 0.54, "checkpoint": "Anything-V3.0.ckpt"},
        ("54", "24"),
        prompts=6,
    ),
    Expected(
        "parsers/ComfyUI/unclip_2pass_cropped.png",
        "ComfyUI",
        "beautiful scenery landscape outdoors mountains",
        "(hands), text, error, cropped, (jpeg artifacts:1.3), signature, watermark, username, blurry, artist name, "
        "monochrome, sketch, censorship, censor, (copyright:1.2), extra legs, (forehead mark)  (penis)",
        {
            "seed": 119080905858220,
            "steps": 8,
            "sampler": "dpmpp_sde",
            "cfg_scale": 9.0,
            "checkpoint": "cardosAnimated_v20.safetensors",
            "vae": "kl-f8-anime2.ckpt",
        },
        ("49", "41"),
        prompts=2,
    ),
    Expected(
        "parsers/Fooocus/fooocus1_cropped.png",
        "Fooocus",
        "a smiling goldfish",
        "",
        {
            "seed": 6952411511246973023,
            "steps": 30,
            "sampler": "dpmpp_2m_sde_gpu",
            "scheduler": "karras",
            "cfg_scale": 4.0,
            "width": 768,
            "height": 1280,
            "clip_skip": 2,
            "checkpoint": "juggernautXL_v8Rundiffusion",
            "checkpoint_hash": "aeb7e9e689",
            "loras": (),
        },
    ),
    Expected(
        "parsers/InvokeAI/invokeai_dream1.png",
        "InvokeAI",
        DREAM,
        "rendering, glowing eyes, skinny",
        {"seed": 2980747362, "steps": 50, "sampler": "k_lms", "cfg_scale": 5.0, "width": 512, "height": 768},
    ),
    Expected(
        "parsers/InvokeAI/invokeai_sdmeta1.png",
        "InvokeAI",
        DREAM,
        "rendering, glowing eyes, skinny",
        {
            "seed": 2980747362,
            "steps": 50,
            "sampler": "k_lms",
            "cfg_scale": 5.0,
            "width": 512,
            "height": 768,
            "checkpoint": "deliberateForInvoke_v08",
            "checkpoint_hash": "56d1442a0feefd64836a19ac8e3527ec71c884fc962e246ddf67b03e42921272",
        },
    ),
    Expected(
        "parsers/InvokeAI/invokeai_imeta1.png",
        "InvokeAI",
        "digital artwork, oil painting. painterly brushstrokes, holidays,",
        "grainy+, photo, oversaturated, overexposed, blurry, compressed jpg+, noisy++, unfocused , black and white",
        {
            "seed": 3293022630,
            "steps": 35,
            "sampler": "euler",  # InvokeAI calls it the scheduler
            "cfg_scale": 8.0,
            "width": 1024,
            "height": 1024,
            "checkpoint": "juggernautXL",
            "vae": "VAEFix",
        },
    ),
    Expected(
        "parsers/NovelAI/novelai1_cropped.png",
        "NovelAI",
        "masterpiece, best quality,  cat, space, icon",
        NOVELAI,
        {
            "seed": 2253955223,
            "steps": 50,
            "sampler": "k_euler_ancestral",
            "cfg_scale": 10.0,
            "denoise": 0.4,
            "checkpoint": "Stable Diffusion 1D44365E",
        },
    ),
]
"""Of sd-parsers; the stealth picture stands apart."""

ANIMATED = [
    Expected(
        "image_to_video_wan-1.webp",
        "ComfyUI",
        "a cute anime girl with massive fennec ears and a big fluffy tail wearing a maid outfit turning around",
        WAN,
        {
            "seed": 987948718394761,
            "steps": 20,
            "sampler": "uni_pc",
            "scheduler": "simple",
            "cfg_scale": 6.0,
            "width": 512,
            "height": 512,
            "checkpoint": "wan2.1_i2v_480p_14B_fp16.safetensors",
            "vae": "wan_2.1_vae.safetensors",
        },
        ("6", "3"),
    ),
    Expected(
        "ltxv_image_to_video-1.webp",
        "ComfyUI",
        "A red fox moving gracefully, its russet coat vibrant against the white landscape, leaving perfect star-shaped "
        "prints behind as steam rises from its breath in the crisp winter air. The scene is wrapped in snow-muffled "
        "silence, broken only by the gentle murmur of water still flowing beneath the ice.",
        "low quality, worst quality, deformed, distorted, disfigured, motion smear, motion artifacts, fused fingers, "
        "bad anatomy, weird hand, ugly",
        {
            "seed": 1092847494041144,
            "steps": 30,
            "sampler": "euler",
            "cfg_scale": 3.0,
            "width": 768,
            "height": 512,
            "checkpoint": "ltx-video-2b-v0.9.5.safetensors",
        },
        ("6", "72"),
    ),
    Expected(
        "text_to_video_wan-1.webp",
        "ComfyUI",
        "a fox moving quickly in a beautiful winter scenery nature trees sunset tracking camera",
        WAN,
        {"seed": 878361741413693, "steps": 30, "width": 832, "height": 480, "sampler": "uni_pc"},
        ("6", "3"),
    ),
    Expected(
        "wan2.1_flf2v_720_f16-1.webp",
        "ComfyUI",
        "glass flower blossom",
        WAN + ",过曝，",
        # the workflow that the front end shows has another seed already
        {"seed": 93700763144420, "steps": 20, "width": 512, "height": 512, "cfg_scale": 3.0},
        ("6", "90"),
    ),
]


def check(expected: Expected, found: Recovered | None) -> None:
    assert found is not None
    assert (found.generator, found.positive, found.negative) == (
        expected.generator,
        expected.positive,
        expected.negative,
    )
    assert len(found.prompts) == expected.prompts
    assert {name: getattr(found.parameters, name) for name in expected.parameters} == expected.parameters
    if expected.nodes[0]:
        first = found.prompts[0]
        assert ([node.id for node in first.positive_nodes], first.sampler and first.sampler.id) == (
            [expected.nodes[0]],
            expected.nodes[1],
        )


@pytest.mark.parametrize("expected", PICTURES, ids=lambda expected: Path(expected.file).name)
def test_a_generators_picture(expected: Expected) -> None:
    check(expected, recover(generator_pictures() / expected.file))


@pytest.mark.parametrize("expected", ANIMATED, ids=lambda expected: expected.file)
def test_an_animated_webp_of_comfyui(expected: Expected) -> None:
    check(expected, recover(animated_pictures()[expected.file]))


def test_the_executed_graph_wins() -> None:
    """This one was drawn from a picture; the prompt in the workflow beside it belongs to a part that did not run."""
    found = recover(animated_pictures()["txt_to_image_to_video-1.webp"])
    assert found is not None
    assert (found.generator, found.positive, found.prompts) == ("ComfyUI", "", ())
    assert (found.parameters.seed, found.parameters.checkpoint) == (698927863164185, "svd.safetensors")
    assert "photograph beautiful scenery" not in str(found.prompts)
    assert found.notes


def test_a_prompt_in_the_pixels_is_read_only_when_asked_for() -> None:
    file = generator_pictures() / "parsers/AUTOMATIC1111/automatic1111_stealth.png"
    assert recover(file) is None
    found = recover(file, stealth=True)
    assert found is not None
    assert (found.generator, found.source) == ("AUTOMATIC1111", "pixels alpha")
    assert (found.positive, found.negative, found.parameters.seed) == ("a circle", "a square", 2015833630)


@pytest.mark.parametrize("name", ["empty_image.png", "empty_image.jpg"])
def test_a_picture_that_says_nothing(name: str) -> None:
    assert recover(generator_pictures() / "bad_images" / name, stealth=True) is None
