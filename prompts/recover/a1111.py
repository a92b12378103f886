"""What AUTOMATIC1111's text says: Forge, reForge, SD.Next and Civitai write it too, and many ComfyUI nodes.

It stands in the PNG text "parameters", or in EXIF's UserComment (modules/images.py of
AUTOMATIC1111/stable-diffusion-webui); Forge names itself in "Version: f2.0.1…", SD.Next in "App" (vladmandic/sdnext
modules/processing_info.py), Civitai's site only by "Civitai resources".
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

from ..errors import RecoverError
from .a1111_line import Parts, take_apart
from .carried import Carried, Field
from .loras import civitai_resources, listed_loras, loras_of
from .recovered import Lora, Parameters, Recovered, RecoveredPrompt
from .values import as_float, as_int, as_list, as_record, as_size, as_text, clean, json_object, load_json

_TYPED: dict[str, tuple[str, Any]] = {
    "steps": ("steps", as_int),
    "sampler": ("sampler", as_text),
    "schedule type": ("scheduler", as_text),
    "scheduler": ("scheduler", as_text),
    "cfg scale": ("cfg_scale", as_float),
    "distilled cfg scale": ("guidance", as_float),
    "seed": ("seed", as_int),
    "denoising strength": ("denoise", as_float),
    "clip skip": ("clip_skip", as_int),
    "model": ("checkpoint", as_text),
    "model hash": ("checkpoint_hash", as_text),
    "vae": ("vae", as_text),
}
"""The fields, by their names in lower case."""
_JSON = re.compile(r"\s*+\{\s*+[\"}]")
_FORGE = re.compile(r"f\d|neo|classic", re.IGNORECASE)
OURS = "ComfyUI"
"""The version that `a1111_text` writes."""
RAW_PROMPT, RAW_NEGATIVE, RAW_PARAMETERS = "Raw prompt", "Raw negative prompt", "Raw parameters"
"""What the form cannot say is written so; the first two are Fooocus' own."""


def read(carried: Carried) -> Recovered | None:
    """From the PNG text "parameters" and from the pixels any text that is not JSON; from the other places only what is
    certain."""
    for field in carried.fields:
        sure = (field.place, field.key) == ("PNG text", "parameters") or field.place == "pixels"
        if (sure or _may_hold(field)) and (found := parse(field.text, sure=sure)):
            return replace(found, source=field.source)
    return None


def _may_hold(field: Field) -> bool:
    places = ("JPEG comment", "EXIF")
    keys = ("exif:UserComment", "Comment", "Description", "parameters")
    return (field.place in places or field.key in keys) and not _JSON.match(field.text)


def parse(text: str, *, sure: bool = True) -> Recovered | None:
    """What one text says; None for an empty one and for JSON, and unless it is `sure` by its place that it is A1111's,
    for one that has neither a negative nor parameters that nothing else has. `source` is left empty."""
    parts = take_apart(text)
    if not text.strip() or (not parts.certain and (not sure or _JSON.match(text))):
        return None
    rest = dict(parts.fields)
    generator = _generator(rest)
    positive, negative = _texts(parts, rest, generator)
    prompts = (RecoveredPrompt(positive, negative),) if positive or negative else ()
    return Recovered(generator, prompts, _parameters(positive, rest))


def _generator(rest: dict[str, str]) -> str:
    """Whose text it is. Our own version is taken out."""
    version = rest.get("Version", "")
    if version == OURS:
        del rest["Version"]
    if version.startswith("ComfyUI"):
        return "ComfyUI"
    if rest.get("App") == "SD.Next":
        return "SD.Next"
    if version.startswith("Fooocus"):
        return "Fooocus"
    if _FORGE.match(version) or "Distilled CFG Scale" in rest:
        return "Forge"
    return "Civitai" if "Civitai resources" in rest and not version else "AUTOMATIC1111"


def _texts(parts: Parts, rest: dict[str, str], generator: str) -> tuple[str, str]:
    """Positive and negative. Where a raw one stands beside them, it is the user's own; the other is then what Fooocus
    made of it."""
    positive, negative = as_text(parts.positive), as_text(parts.negative)
    if generator == "Fooocus":
        rest |= {"full_prompt": positive} if RAW_PROMPT in rest else {}
        rest |= {"full_negative_prompt": negative} if RAW_NEGATIVE in rest else {}
    return rest.pop(RAW_PROMPT, positive), rest.pop(RAW_NEGATIVE, negative)


def _parameters(positive: str, rest: dict[str, str]) -> Parameters:
    raw = rest.pop(RAW_PARAMETERS, "")
    values: dict[str, Any] = {}
    for name in [name for name in rest if name.lower() in _TYPED]:
        place, convert = _TYPED[name.lower()]
        value = convert(rest[name])
        if place not in values and value not in (None, ""):
            values[place] = value
            del rest[name]
    width, height = as_size(rest.get("Size"))
    if width:
        values |= {"width": width, "height": height}
        del rest["Size"]
    loras, checkpoint = _resources(rest)
    values |= {"checkpoint": checkpoint} if checkpoint and "checkpoint" not in values else {}
    tagged = loras_of(positive)
    names = {lora.name for lora in tagged}
    values["loras"] = (*tagged, *(lora for lora in loras if lora.name not in names))
    parameters = Parameters(**values, other={name: value for name, value in rest.items() if value})
    return _exactly(parameters, raw) if raw else parameters


def _resources(rest: dict[str, str]) -> tuple[tuple[Lora, ...], str]:
    """The LoRAs and the checkpoint that fields list; a list that was read wholly is taken out."""
    listed = rest.get("Lora weights", "")
    loras = listed_loras(listed)
    if loras and len(loras) == len(listed.split(", ")):
        del rest["Lora weights"]
    if "Civitai resources" not in rest:
        return loras, ""
    try:
        resources = load_json(rest["Civitai resources"], "list of Civitai's resources")
    except RecoverError:
        return loras, ""  # it stays in `other`, as it stands
    named, checkpoint = civitai_resources(resources)
    return (*loras, *named), checkpoint


def _exactly(parameters: Parameters, raw: str) -> Parameters:
    """With what `a1111_text.write` could not say in A1111's form."""
    try:
        told = json_object(raw, "list of raw parameters")
    except RecoverError:
        return replace(parameters, other={**parameters.other, RAW_PARAMETERS: raw})
    values: dict[str, Any] = {}
    for name in {field.name for field in fields(Parameters)} & set(told):
        value = told[name]
        if name == "loras":
            values[name] = tuple(filter(None, map(_raw_lora, as_list(value))))
        elif name == "other":
            values[name] = {clean(key): clean(text) for key, text in as_record(value).items() if isinstance(text, str)}
        elif name in _WHOLE:
            values[name] = as_int(value)
        elif name in _FRACTIONS:
            values[name] = as_float(value)
        else:
            values[name] = clean(value) if isinstance(value, str) else ""
    return replace(parameters, **values)


_WHOLE = ("seed", "steps", "width", "height", "clip_skip")
_FRACTIONS = ("cfg_scale", "guidance", "denoise")


def _raw_lora(value: object) -> Lora | None:
    name, weight, clip = (*as_list(value), None, None, None)[:3]
    weight = as_float(weight)
    return Lora(clean(name), weight, as_float(clip)) if isinstance(name, str) and weight is not None else None
