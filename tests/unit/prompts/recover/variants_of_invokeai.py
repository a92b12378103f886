"""NovelAI's and InvokeAI's files, of every age."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from img2prompt.prompts.recover.recovered import Lora
from img2prompt.tests.unit.prompts.recover.containers import exif, png, stealth, webp
from img2prompt.tests.unit.prompts.recover.variant import FOX, HEN, Variant


def novelai() -> list[Variant]:
    old = {"steps": 28, "sampler": "k_euler", "seed": 5, "scale": 11.0, "uc": HEN, "width": 832, "height": 1216}
    third = {"prompt": FOX, **old, "noise_schedule": "karras", "sm": False, "request_type": "PromptGenerateRequest"}
    third |= {"strength": 0.7}
    captions = [
        {"char_caption": "girl, red hair", "centers": [{"x": 0.3, "y": 0.7}]},
        {"char_caption": "boy", "centers": [{"x": 0.5, "y": 0.5}]},
    ]
    avoided = [{"char_caption": "hat", "centers": []}, {"char_caption": "", "centers": []}]
    fourth = third | {
        "v4_prompt": {
            "caption": {"base_caption": FOX, "char_captions": captions},
            "use_coords": True,
            "use_order": True,
        },
        "v4_negative_prompt": {"caption": {"base_caption": HEN, "char_captions": avoided}, "legacy_uc": False},
    }
    numbers: dict[str, Any] = {"steps": 28, "sampler": "k_euler", "seed": 5, "cfg_scale": 11.0, "width": 832}

    def texts(comment: Mapping[str, Any], source: str) -> dict[str, str]:
        description = {"Title": "NovelAI generated image", "Description": FOX, "Software": "NovelAI", "Source": source}
        return {**description, "Comment": json.dumps(comment)}

    def one(
        name: str, file: bytes, positive: str, source: str, own: Mapping[str, Any] = MappingProxyType({}), **more: Any
    ) -> Variant:
        read = {**numbers, "checkpoint": source, **own}
        return Variant(f"NovelAI {name}", file, "NovelAI", positive, HEN, read, **more)

    together = f"{FOX}, girl, red hair, boy"
    first, later = "Stable Diffusion 1D44365E", "NovelAI Diffusion V4.5 4BDE2A90"
    hidden = json.dumps(texts(fourth, later))
    return [
        one("1", png(texts(old, first), kind="iTXt"), FOX, first, second=True),
        one("1, from a picture", png(texts(old | {"strength": 0.7}, first)), FOX, first, {"denoise": 0.7}),
        one("3, no description", png(texts(third, first) | {"Description": ""}), FOX, first, {"denoise": None}),
        one("3", png(texts(third, first), kind="iTXt"), FOX, first, second=True),
        one("4", png(texts(fourth, later)), together, later),
        one("4, software changed", png(texts(fourth, later) | {"Software": "GIMP"}), together, later),
        Variant(
            "NovelAI without comment",
            png({"Software": "NovelAI", "Description": FOX}),
            "NovelAI",
            FOX,
            "",
            {"seed": None},
        ),
        one("4, alpha packed", stealth(hidden), together, later, hidden=True),
        one("4, alpha", stealth(hidden, compressed=False), together, later, hidden=True),
        one("4, colours packed", stealth(hidden, mode="rgb"), together, later, hidden=True),
        one("4, WebP", webp(exif=exif(user_comment=hidden)), together, later),
    ]


def invokeai() -> list[Variant]:
    start, rest = FOX[:10], FOX[11:]
    pictured = f'"{start} [{HEN}] {rest}" -s 50 -S 123 -A k_lms -I "in put.png" -f 0.4'
    dream = f'"{FOX} [{HEN}]" -s 50 -S 123 -W 512 -H 768 -C 7.5 -A k_lms -G 0.8'
    older: dict[str, Any] = {
        "steps": 50,
        "seed": 123,
        "width": 512,
        "height": 768,
        "cfg_scale": 7.5,
        "sampler": "k_lms",
    }
    image = {"prompt": [{"prompt": f"{FOX} [{HEN}]", "weight": 1.0}], "steps": 50, "cfg_scale": 7.5, "threshold": 0}
    image |= {"height": 768, "width": 512, "seed": 123, "sampler": "k_lms", "type": "txt2img"}
    second = {"model": "stable diffusion", "model_weights": "deliberate", "model_hash": "56d1", "image": image}
    third = {
        "generation_mode": "sdxl_txt2img",
        "positive_prompt": FOX,
        "negative_prompt": HEN,
        "width": 1024,
        "height": 768,
        "seed": 3293022630,
        "cfg_scale": 8.0,
        "steps": 35,
        "scheduler": "dpmpp_2m_k",
        "clip_skip": 0,
        "model": {"model_name": "juggernautXL", "base_model": "sdxl"},
        "vae": {"model_name": "VAEFix", "base_model": "sdxl"},
        "loras": [{"lora": {"model_name": "detail"}, "weight": 0.75}],
    }
    fifth = third | {
        "model": {"key": "k", "hash": "blake3:8aad", "name": "juggernautXL", "base": "sdxl", "type": "main"},
        "vae": {"key": "v", "name": "VAEFix"},
        "loras": [{"model": {"key": "l", "name": "detail"}, "weight": 0.75}],
        "app_version": "5.6.0",
    }
    flux = {"generation_mode": "flux_txt2img", "positive_prompt": FOX, "guidance": 4, "steps": 30, "seed": 3}
    flux |= {"model": {"name": "FLUX Dev (Quantized)", "hash": "blake3:8e53"}, "width": 1360, "height": 768}
    numbers: dict[str, Any] = {
        **{"seed": 3293022630, "steps": 35, "sampler": "dpmpp_2m_k", "cfg_scale": 8.0, "width": 1024, "clip_skip": 1},
        **{"checkpoint": "juggernautXL", "vae": "VAEFix", "loras": (Lora("detail", 0.75),)},
    }
    executed = {
        "nodes": {
            "p": {"id": "p", "type": "string", "value": FOX},
            "c": {"id": "c", "type": "sdxl_compel_prompt", "prompt": "stale"},
            "n": {"id": "n", "type": "sdxl_compel_prompt", "prompt": HEN},
            "all": {"id": "all", "type": "collect"},
            "d": {"id": "d", "type": "denoise_latents", "steps": 30},
            "m": {"id": "m", "type": "core_metadata", "steps": 30, "seed": 9, "model": {"name": "juggernautXL"}},
        },
        "edges": [
            {"source": {"node_id": start, "field": "x"}, "destination": {"node_id": end, "field": name}}
            for start, end, name in [
                ("p", "c", "prompt"),
                ("c", "all", "item"),
                ("all", "d", "positive_conditioning"),
                ("n", "d", "negative_conditioning"),
            ]
        ],
    }
    editor = {
        "nodes": [
            {"id": name, "type": "invocation", "data": {"id": name, "type": kind, "inputs": inputs}}
            for name, kind, inputs in [
                ("e", "flux_text_encoder", {"prompt": {"name": "prompt", "value": FOX}}),
                ("d", "flux_denoise", {"num_steps": {"value": 30}}),
            ]
        ],
        "edges": [
            {"source": "e", "sourceHandle": "conditioning", "target": "d", "targetHandle": "positive_text_conditioning"}
        ],
    }

    def one(name: str, texts: dict[str, object], negative: str = HEN, **more: Any) -> Variant:
        written = {key: text if isinstance(text, str) else json.dumps(text) for key, text in texts.items()}
        return Variant(f"InvokeAI {name}", png(written, kind="iTXt"), "InvokeAI", FOX, negative, **more)

    told = older | {"checkpoint": "deliberate", "checkpoint_hash": "56d1", "other": {"type": "txt2img"}}
    return [
        one("1", {"Dream": dream}, parameters=older | {"other": {"G": "0.8"}}, second=True),
        one("1, from a picture", {"Dream": pictured}, parameters={"denoise": 0.4, "other": {"I": "in put.png"}}),
        one(
            "1, short",
            {"Dream": f'"{FOX}" -s50 -S123 -W512 -H768 -C7.5 -Ak_lms'},
            "",
            parameters={"sampler": "", "seed": 123},
        ),
        one("2", {"Dream": dream, "sd-metadata": second}, parameters=told, second=True),
        one("2, one text", {"sd-metadata": second | {"image": image | {"prompt": f"{FOX} [{HEN}]"}}}, parameters=told),
        one("3", {"invokeai_metadata": third}, parameters=numbers, second=True),
        one("5", {"invokeai_metadata": fifth, "invokeai_graph": executed}, parameters=numbers, second=True),
        one(
            "FLUX", {"invokeai_metadata": flux}, "", parameters={"guidance": 4.0, "checkpoint": "FLUX Dev (Quantized)"}
        ),
        one("graph", {"invokeai_graph": executed}, parameters={"steps": 30, "seed": 9, "checkpoint": "juggernautXL"}),
        one(
            "metadata of a graph",
            {"invokeai_metadata": {"seed": 9}, "invokeai_graph": executed},
            parameters={"seed": 9},
        ),
        one("workflow", {"invokeai_workflow": editor}, ""),
    ]
