"""Files whose text has AUTOMATIC1111's form, or is Midjourney's line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from img2prompt.prompts.recover.recovered import Lora
from img2prompt.tests.unit.prompts.recover.containers import exif, jpeg, png, stealth, webp, xmp
from img2prompt.tests.unit.prompts.recover.variant import FOX, HEN, Variant, in_files

LINE = (
    "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 1234567890123, Size: 832x1216, "
    "Model hash: 31e35c80fc, Model: sd_xl_base_1.0, VAE: sdxl_vae, Denoising strength: 0.4, Clip skip: 2, "
    "Hires upscale: 1.5, Hires steps: 9, Hires upscaler: 4x-UltraSharp, Version: v1.10.1"
)
NUMBERS: dict[str, Any] = {
    "steps": 20,
    "sampler": "DPM++ 2M",
    "scheduler": "Karras",
    "cfg_scale": 6.5,
    "seed": 1234567890123,
    "width": 832,
    "height": 1216,
    "checkpoint": "sd_xl_base_1.0",
    "checkpoint_hash": "31e35c80fc",
    "vae": "sdxl_vae",
    "denoise": 0.4,
    "clip_skip": 2,
    "other": {"Hires upscale": "1.5", "Hires steps": "9", "Hires upscaler": "4x-UltraSharp", "Version": "v1.10.1"},
}
A1111 = f"{FOX}\nNegative prompt: {HEN}\n{LINE}"
UUID = "a7421d2f-b262-44f9-977c-ac23e9c7d3e3"


def a1111() -> list[Variant]:
    def one(name: str, file: bytes, **more: Any) -> Variant:
        return Variant(f"A1111 {name}", file, "AUTOMATIC1111", FOX, HEN, NUMBERS, **more)

    found = [
        one(name, file, second=name in ("JPEG utf-16-be", "WebP utf-16-be", "animated WebP"))
        for name, file in in_files(A1111)
    ]
    for kind in ("iTXt", "iTXt compressed"):
        found.append(one(f"PNG {kind}", png({"parameters": A1111}, kind=kind), second=True))
    for kind in ("tEXt", "zTXt"):  # by the specification latin-1, by some tools UTF-8
        found.append(one(f"PNG {kind}", png({"parameters": A1111}, kind=kind)))
    found.append(one("PNG, text after the pixels", png(after_idat={"parameters": A1111}, kind="iTXt"), second=True))
    found.append(one("PNG, in EXIF", png(exif=exif(user_comment=A1111))))
    found.append(one("JPEG, comment", jpeg(comment=A1111)))
    for mode in ("alpha", "rgb"):
        for packed in (True, False):
            name = f"PNG, {mode}{' packed' if packed else ''}"
            found.append(one(name, stealth(A1111, mode=mode, compressed=packed), hidden=True))
    found.append(one("WebP, alpha packed", stealth(A1111, file="WEBP"), hidden=True))
    return found


def a1111_texts() -> list[Variant]:
    """Other texts of A1111's form and who writes them."""

    def one(name: str, text: str, generator: str = "AUTOMATIC1111", **more: Any) -> Variant:
        more = {"positive": "a fox", "second": False, **more}
        return Variant(name, png({"parameters": text}), generator, **more)

    civitai = [
        {"type": "checkpoint", "modelVersionId": 1, "modelName": "Pony [XL], best", "modelVersionName": "v6"},
        {"type": "lora", "weight": 0.85, "modelVersionId": 2, "modelName": "Double Exposure"},
    ]
    listed = f"Clip skip: 2, Created Date: 2024-09-23T06:17:42Z, Civitai resources: {json.dumps(civitai)}"
    of_civitai: dict[str, Any] = {
        "checkpoint": "Pony [XL], best",
        "loras": (Lora("Double Exposure", 0.85),),
        "clip_skip": 2,
        "other": {"Created Date": "2024-09-23T06:17:42Z"},
    }
    fooocus = (
        "cinematic a fox, intricate\nNegative prompt: bad, hen\nSteps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 7, "
        "Size: 896x1152, CFG scale: 4.0, Sharpness: 2.0, Model: juggernautXL, Model hash: aeb7, Scheduler: karras, "
        'VAE: Default (model), Raw prompt: a fox, Raw negative prompt: hen, Lora weights: "offset: 0.1, b: 0.5", '
        "Version: Fooocus v2.5.5"
    )
    of_fooocus: dict[str, Any] = {
        "scheduler": "karras",
        "loras": (Lora("offset", 0.1), Lora("b", 0.5)),
        "other": {"full_prompt": "cinematic a fox, intricate", "Sharpness": "2.0"},
    }
    flux = "Steps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 7, "
    flux += "Size: 896x1152, Model: flux1-dev, Version: f2.0.1v1.10.1, Module 1: ae"
    return [
        one("no negative", f"a fox\n{LINE}", parameters=NUMBERS, second=True),
        one(
            "several lines",
            f"a fox,\nin snow\nNegative prompt: a\nb\n{LINE}",
            positive="a fox,\nin snow",
            negative="a\nb",
            second=True,
        ),
        one("the mark in the prompt", f"a Negative prompt: sign\n{LINE}", positive="a Negative prompt: sign"),
        one("no parameters", "a fox\nNegative prompt: hen", negative="hen"),
        one("a prompt alone", "a fox"),
        one(
            "old sampler",
            "a fox\nSteps: 5, Sampler: DPM++ 2M Karras, Seed: 1",
            parameters={"sampler": "DPM++ 2M Karras"},
            second=True,
        ),
        one(
            "quoted values",
            'a fox <lora:b:0.8> <lora:c:0.8:0.5>\nSteps: 5, Seed: 1, Lora hashes: "b: 1f, c: 2e", TI hashes: "d: 3c", '
            r'ControlNet 0: "Module: canny, Model: x [d], Weight: 1", Note: "say \"a, b\""',
            positive="a fox <lora:b:0.8> <lora:c:0.8:0.5>",
            parameters={
                "loras": (Lora("b", 0.8), Lora("c", 0.5, 0.8)),
                "other": {
                    "Lora hashes": "b: 1f, c: 2e",
                    "TI hashes": "d: 3c",
                    "ControlNet 0": "Module: canny, Model: x [d], Weight: 1",
                    "Note": 'say "a, b"',
                },
            },
        ),
        one("Forge, FLUX", f"a fox\n{flux}", "Forge", parameters={"guidance": 3.5, "cfg_scale": 1.0}, second=True),
        one("SD.Next", "a fox\nNegative prompt: \nSteps: 9, Size: 8x9, Seed: 1, App: SD.Next, Version: 7f", "SD.Next"),
        one(
            "ComfyUI's text", "a fox\nSteps: 9, Seed: 1, Size: 8x9, Version: ComfyUI", "ComfyUI", parameters={"seed": 1}
        ),
        one("Civitai", f"a fox\nSteps: 22, Seed: 7, {listed}", "Civitai", parameters=of_civitai),
        one(
            "Civitai in one line",
            f"a fox Negative prompt: Steps: 22, Seed: 7, {listed}",
            "Civitai",
            parameters=of_civitai,
        ),
        Variant(
            "Civitai JPEG, resources alone",
            jpeg(exif=exif(user_comment=f"a fox\nCivitai resources: {json.dumps(civitai)}, Civitai metadata: {{}}")),
            *("Civitai", "a fox", "", {"checkpoint": "Pony [XL], best", "loras": (Lora("Double Exposure", 0.85),)}),
        ),
        Variant(
            "a prompt alone, hidden",
            stealth("a fox", mode="alpha"),
            *("AUTOMATIC1111", "a fox"),
            hidden=True,
        ),
        Variant(
            "Civitai JPEG",
            jpeg(exif=exif(user_comment=f"a fox\nSteps: 22, Seed: 7, {listed}")),
            *("Civitai", "a fox", "", of_civitai),
        ),
        one("Fooocus, A1111's scheme", fooocus, "Fooocus", negative="hen", parameters=of_fooocus),
        Variant(
            "Fooocus JPEG, A1111's scheme",
            jpeg(exif=exif(user_comment=fooocus, encoding="utf-8", header=b"", software="Fooocus v2.5.5")),
            *("Fooocus", "a fox", "hen", of_fooocus),
        ),
    ]


def midjourney() -> list[Variant]:
    flags = "--ar 16:9 --style raw --no hen, blurry --seed 987 --tile --s 250 --v 6.1"
    text = f"a red fox -- in --deep snow, 🦊::2 {flags} Job ID: {UUID}"
    other = {"--ar": "16:9", "--style": "raw", "--s": "250", "--v": "6.1", "--tile": "", "Job ID": UUID}
    guid = {"Iptc4xmpExt:DigImageGUID": UUID}

    def one(name: str, file: bytes, more: Mapping[str, str] = other) -> Variant:
        numbers = {"seed": 987, "other": more}
        return Variant(
            f"Midjourney {name}", file, "Midjourney", "a red fox -- in --deep snow, 🦊::2", "hen, blurry", numbers
        )

    texts = {"Author": "somebody", "Description": text, "Creation Time": "Tue, 05 Mar 2024 12:00:00 GMT"}
    without = text[: text.index(" Job ID")]
    return [
        one("PNG", png(texts, kind="iTXt")),
        one("PNG, tEXt", png(texts)),
        one("XMP", png(xmp=xmp({"dc:description": text, **guid}))),
        one("XMP without job", jpeg(xmp=xmp({"dc:description": without, **guid})), {"--ar": "16:9", "--v": "6.1"}),
        one("EXIF", jpeg(exif=exif(image_description=text))),
        one("WebP", webp(exif=exif(image_description=text))),
    ]
