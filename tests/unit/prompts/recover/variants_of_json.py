"""Files whose text is one JSON object, or one text for each of its names."""

from __future__ import annotations

import json
from typing import Any

from img2prompt.prompts.recover.recovered import Lora
from img2prompt.tests.unit.prompts.recover.containers import exif, jpeg, png, stealth, webp, xmp
from img2prompt.tests.unit.prompts.recover.variant import FOX, HEN, Variant, in_files


def fooocus() -> list[Variant]:
    record: dict[str, Any] = {
        "adm_guidance": "(1.5, 0.8, 0.3)",
        "base_model": "juggernautXL_v8Rundiffusion",
        "base_model_hash": "aeb7e9e689",
        "clip_skip": 2,
        "full_negative_prompt": ["bad", HEN],
        "full_prompt": [f"cinematic {FOX}", "intricate"],
        "guidance_scale": 4,
        "loras": [["offset", 0.1, "4852686128"], ["b", 0.5, "0"]],
        "lora_combined_1": "offset : 0.1",
        "metadata_scheme": "fooocus",
        "negative_prompt": HEN,
        "prompt": FOX,
        "resolution": "(896, 1152)",
        "sampler": "dpmpp_2m_sde_gpu",
        "scheduler": "karras",
        "seed": "6952411511246973023",
        "steps": 30,
        "styles": "['Fooocus V2']",
        "vae": "Default (model)",
        "version": "Fooocus v2.5.5",
    }
    numbers: dict[str, Any] = {
        **{"seed": 6952411511246973023, "steps": 30, "cfg_scale": 4.0, "width": 896, "height": 1152, "clip_skip": 2},
        **{"sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "checkpoint": "juggernautXL_v8Rundiffusion"},
        "loras": (Lora("offset", 0.1), Lora("b", 0.5)),
        "other": {"full_prompt": f"cinematic {FOX}, intricate", "styles": "['Fooocus V2']"},
    }
    combined = {name: value for name, value in record.items() if name != "loras"}
    combined |= {"lora_combined_2": "True : b : 0.5", "lora_combined_3": "False : c : 1", "lora_combined_4": "None : 1"}
    ruined = {
        **{"Prompt": FOX, "Negative": HEN, "steps": 30, "seed": 7, "cfg": 4, "sampler_name": "euler", "width": 896},
        **{"base_model_name": "sdxl.safetensors", "software": "RuinedFooocus"},
    }

    def one(name: str, file: bytes, **more: Any) -> Variant:
        return Variant(f"Fooocus {name}", file, "Fooocus", FOX, HEN, numbers, **more)

    text = json.dumps(record)
    plain = exif(user_comment=text, encoding="utf-8", header=b"", software="Fooocus v2.5.5")
    return [
        one("PNG", png({"parameters": text, "fooocus_scheme": "fooocus"}), second=True),
        one("PNG without scheme", png({"parameters": text}), second=True),
        one("combined LoRAs", png({"parameters": json.dumps(combined), "fooocus_scheme": "fooocus"}), second=True),
        one("JPEG", jpeg(exif=plain)),
        one("WebP", webp(exif=plain)),
        Variant(
            "Fooocus JPEG, scheme alone",  # without anything in the text that tells
            jpeg(exif=exif(user_comment='{"prompt": "a fox"}', encoding="utf-8", header=b"", tags={0x927C: "fooocus"})),
            *("Fooocus", "a fox"),
        ),
        Variant(
            "RuinedFooocus",
            png({"parameters": json.dumps(ruined)}),
            *("RuinedFooocus", FOX, HEN, {"seed": 7, "cfg_scale": 4.0, "checkpoint": "sdxl.safetensors"}),
        ),
    ]


def swarmui() -> list[Variant]:
    prompt = f"{FOX} <segment:face> a muzzle <refiner> sharp"
    record: dict[str, Any] = {
        **{"prompt": prompt, "negativeprompt": HEN, "model": "Flux/flux1-dev-fp8", "seed": 42, "steps": 25},
        **{"cfgscale": 1.0, "fluxguidancescale": 3.5, "width": 1024, "height": 768, "sampler": "euler"},
        **{"scheduler": "simple", "vae": "ae.sft", "loras": ["dir/detail", "b"], "loraweights": ["0.8", "1"]},
        **{"initimagecreativity": 0.6, "clipstopatlayer": -2, "images": 4, "swarm_version": "0.9.3.1"},
    }
    whole = {
        "sui_image_params": record,
        "sui_extra_data": {"date": "2024-11-13", "original_prompt": "a <random:red,blue> fox"},
        "sui_models": [
            {"name": "ae.sft", "param": "vae", "hash": "0x1"},
            {"name": "flux1-dev-fp8.safetensors", "param": "model", "hash": "0x8e91"},
        ],
    }
    numbers: dict[str, Any] = {
        **{"seed": 42, "steps": 25, "cfg_scale": 1.0, "guidance": 3.5, "width": 1024, "height": 768, "denoise": 0.6},
        **{"sampler": "euler", "scheduler": "simple", "vae": "ae.sft", "clip_skip": 2, "checkpoint_hash": "0x8e91"},
        **{"checkpoint": "Flux/flux1-dev-fp8", "loras": (Lora("dir/detail", 0.8), Lora("b", 1.0))},
        "other": {"images": "4", "original_prompt": "a <random:red,blue> fox", "swarm_version": "0.9.3.1"},
    }
    texts = {"loras": "dir/detail,b", "loraweights": "0.8,1", "seed": "42", "cfgscale": "1.0"}
    text = json.dumps(whole, indent=2, ensure_ascii=False)

    def one(name: str, file: bytes, **more: Any) -> Variant:
        return Variant(f"SwarmUI {name}", file, "SwarmUI", prompt, HEN, numbers, **more)

    return [
        one("PNG", png({"parameters": text}, kind="iTXt")),
        one("PNG, values as texts", png({"parameters": json.dumps(whole | {"sui_image_params": record | texts})})),
        one("PNG, alpha packed", stealth(text), hidden=True),
        one("JPEG, EXIF's Model", jpeg(exif=exif(model=text))),
        *(one(name, file) for name, file in in_files(text)),
    ]


def easy_diffusion() -> list[Variant]:
    record: dict[str, Any] = {
        **{
            "prompt": FOX,
            "negative_prompt": HEN,
            "seed": 42,
            "use_stable_diffusion_model": "sd-v1-5",
            "clip_skip": True,
        },
        **{"use_vae_model": "", "sampler_name": "euler_a", "width": 512, "height": 768, "num_inference_steps": 25},
        **{"guidance_scale": 7.5, "use_lora_model": ["detail", "b"], "lora_alpha": [0.5, 0.8], "tiling": "xy"},
        **{"use_upscale": None, "prompt_strength": 0.6},
    }
    window: dict[str, Any] = {
        **{"Prompt": FOX, "Negative Prompt": HEN, "Seed": 42, "Stable Diffusion model": "sd-v1-5", "Clip Skip": True},
        **{"VAE model": None, "Sampler": "euler_a", "Width": 512, "Height": 768, "Steps": 25, "Guidance Scale": 7.5},
        **{"LoRA model": "detail, b", "LoRA Strength": "0.5, 0.8", "Prompt Strength": 0.6, "Seamless Tiling": "xy"},
    }
    numbers: dict[str, Any] = {
        **{
            "seed": 42,
            "steps": 25,
            "sampler": "euler_a",
            "cfg_scale": 7.5,
            "width": 512,
            "height": 768,
            "clip_skip": 2,
        },
        **{"denoise": 0.6, "checkpoint": "sd-v1-5", "vae": "", "loras": (Lora("detail", 0.5), Lora("b", 0.8))},
    }

    def one(name: str, file: bytes, tiling: str) -> Variant:
        return Variant(f"Easy Diffusion {name}", file, "Easy Diffusion", FOX, HEN, numbers | {"other": {tiling: "xy"}})

    def as_texts(own: dict[str, Any]) -> dict[str, str]:
        return {key: str(value) for key, value in own.items()}

    return [
        one("PNG, names of requests", png(as_texts(record)), "tiling"),
        one("PNG, names of the window", png(as_texts(window), kind="iTXt"), "Seamless Tiling"),
        one("JPEG, names of the window", jpeg(exif=exif(user_comment=json.dumps(window))), "Seamless Tiling"),
        *(one(f"{name}", file, "tiling") for name, file in in_files(json.dumps(record))),
    ]


def draw_things() -> list[Variant]:
    record: dict[str, Any] = {
        **{"c": FOX, "uc": HEN, "seed": 2441935286, "steps": 8, "scale": 4.5, "sampler": "Euler A", "size": "832x1216"},
        **{"model": "flux_1_dev_q8p.ckpt", "strength": 1, "seed_mode": "Scale Alike", "shift": 3},
        "v2": {"loras": [{"file": "detail.ckpt", "weight": 0.8, "mode": "all"}], "guidanceEmbed": 4.5},
    }
    older = {**record, "lora": [{"model": "detail.ckpt", "weight": 0.8}], "v2": {}}
    numbers: dict[str, Any] = {
        **{"seed": 2441935286, "steps": 8, "cfg_scale": 4.5, "sampler": "Euler A", "width": 832, "height": 1216},
        **{"denoise": 1.0, "checkpoint": "flux_1_dev_q8p.ckpt", "loras": (Lora("detail.ckpt", 0.8),)},
    }
    line = "Steps: 8, Sampler: Euler A, Guidance Scale: 4.5, Seed: 2441935286, Size: 832x1216, "
    line += (
        "Model: flux_1_dev_q8p.ckpt, Strength: 1.0, Seed Mode: Scale Alike, LoRA Model: detail.ckpt, LoRA Weight: 0.8"
    )
    described = f"{FOX}\n-{HEN}\n{line}"
    own = {"xmp:CreatorTool": "Draw Things", "exif:UserComment": json.dumps(record), "dc:description": described}

    def one(name: str, file: bytes, **more: Any) -> Variant:
        return Variant(f"Draw Things {name}", file, "Draw Things", FOX, HEN, numbers | more)

    mode = {"seed_mode": "Scale Alike"}
    return [
        one("PNG", png(xmp=xmp(own)), other=mode | {"guidanceEmbed": "4.5"}),
        one("JPEG", jpeg(xmp=xmp(own)), other=mode),
        one("WebP", webp(xmp=xmp(own)), other=mode),
        one("older", png(xmp=xmp({**own, "exif:UserComment": json.dumps(older)})), other=mode),
        one("description", png(xmp=xmp({name: own[name] for name in ("xmp:CreatorTool", "dc:description")}))),
        one("EXIF", jpeg(exif=exif(user_comment=json.dumps(record))), other=mode),
    ]
