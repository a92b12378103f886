"""Easy Diffusion's record: one PNG text for each name, or JSON in EXIF's UserComment of JPEG and WebP.

The names are either those of its requests ("use_stable_diffusion_model") or, where text files are saved too, those of
its window ("Stable Diffusion model"): easydiffusion/easydiffusion ui/easydiffusion/utils/save_utils.py
(TASK_TEXT_MAPPING); how they get into the file is sdkit/utils/file_utils.py (save_dicts) of easydiffusion/sdkit.
"""

from __future__ import annotations

from ast import literal_eval
from typing import Any

from .carried import Carried
from .recovered import Lora, Parameters, Recovered, RecoveredPrompt
from .values import as_float, as_int, as_other, as_text, json_object

_WINDOW = {
    "Prompt": "prompt",
    "Negative Prompt": "negative_prompt",
    "Seed": "seed",
    "Stable Diffusion model": "use_stable_diffusion_model",
    "Clip Skip": "clip_skip",
    "VAE model": "use_vae_model",
    "Sampler": "sampler_name",
    "Width": "width",
    "Height": "height",
    "Steps": "num_inference_steps",
    "Guidance Scale": "guidance_scale",
    "Prompt Strength": "prompt_strength",
    "LoRA model": "use_lora_model",
    "LoRA Strength": "lora_alpha",
}
"""The names of its window, and of its requests."""
_MODELS = ("use_stable_diffusion_model", "Stable Diffusion model")
_MOST_LIST = 10_000
"""Characters of a list that stands as Python text."""


def read(carried: Carried) -> Recovered | None:
    """From the PNG texts or the UserComment."""
    texts = {field.key: field for field in carried.fields if field.place == "PNG text"}
    for name in _MODELS:
        if name in texts and ("prompt" in texts or "Prompt" in texts):
            found = _recovered({key: field.text for key, field in texts.items()})
            prompt = texts.get("prompt") or texts["Prompt"]
            return Recovered("Easy Diffusion", *found, prompt.source)
    for field in carried.fields:
        if field.key == "UserComment" and any(f'"{name}"' in field.text for name in _MODELS):
            return Recovered(
                "Easy Diffusion", *_recovered(json_object(field.text, "Easy Diffusion data")), field.source
            )
    return None


def _recovered(record: dict[str, Any]) -> tuple[tuple[RecoveredPrompt, ...], Parameters]:
    # In a PNG what is nothing is the word that Python has for it.
    known = {_WINDOW.get(name, name): value for name, value in record.items() if value != "None"}
    positive, negative = as_text(known.get("prompt")), as_text(known.get("negative_prompt"))
    parameters = Parameters(
        seed=as_int(known.get("seed")),
        steps=as_int(known.get("num_inference_steps")),
        sampler=as_text(known.get("sampler_name")),
        cfg_scale=as_float(known.get("guidance_scale")),
        denoise=as_float(known.get("prompt_strength")),
        width=as_int(known.get("width")),
        height=as_int(known.get("height")),
        clip_skip=_clip_skip(known.get("clip_skip")),
        checkpoint=as_text(known.get("use_stable_diffusion_model")),
        vae=as_text(known.get("use_vae_model")),
        loras=_loras(known),
        other=as_other(
            {name: value for name, value in record.items() if value != "None"}, {*_WINDOW, *_WINDOW.values()}
        ),
    )
    return (RecoveredPrompt(positive, negative),) if positive or negative else (), parameters


def _clip_skip(value: object) -> int | None:
    """It is a switch: the last layer but one, or the last."""
    if value in (True, "True", "true"):
        return 2
    return 1 if value in (False, "False", "false") else None


def _loras(known: dict[str, Any]) -> tuple[Lora, ...]:
    names, weights = _listed(known.get("use_lora_model")), _listed(known.get("lora_alpha"))
    found = []
    for number, name in enumerate(map(as_text, names)):
        weight = as_float(weights[number]) if number < len(weights) else None
        found += [Lora(name, 1.0 if weight is None else weight)] if name else []
    return tuple(found)


def _listed(value: Any) -> list[Any]:
    """A list, one value, or a text that is either: as Python writes a list, or with commas."""
    if isinstance(value, list) or value is None:
        return value or []
    if not isinstance(value, str):
        return [value]
    if value.startswith("[") and len(value) <= _MOST_LIST:
        try:
            found = literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return []
        return found if isinstance(found, list) else []
    return value.split(", ")
