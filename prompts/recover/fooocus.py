"""Fooocus' two schemes, both in the PNG text "parameters" or in EXIF's UserComment (JPEG, WebP), with "fooocus_scheme"
or EXIF's MakerNote beside it (lllyasviel/Fooocus modules/meta_parser.py and modules/private_logger.py).

"fooocus" is JSON with `prompt`, the user's own, and `full_prompt`, what styles and expansion made of it; the second is
kept in `other`. "a1111" is A1111's text, with the user's own in "Raw prompt". RuinedFooocus writes JSON of its own
(civitai/civitai src/utils/metadata/rfooocus.metadata.ts).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import a1111
from .carried import Carried, Field
from .recovered import Lora, Parameters, Recovered, RecoveredPrompt
from .values import as_float, as_int, as_list, as_other, as_record, as_size, as_text, json_object

_READ = frozenset(
    (
        *("prompt", "negative_prompt", "seed", "steps", "sampler", "scheduler", "guidance_scale", "resolution"),
        *("clip_skip", "base_model", "base_model_hash", "vae", "loras"),
    )
)
_RUINED = frozenset(
    (
        *("Prompt", "Negative", "seed", "steps", "sampler_name", "scheduler", "cfg", "width", "height", "denoise"),
        *("loras", "base_model_name", "base_model_hash", "clip_skip"),
    )
)


def read(carried: Carried) -> Recovered | None:
    """From the PNG text, from the UserComment, or from what is hidden in the pixels."""
    for field in carried.fields:
        possible = field.key in ("parameters", "UserComment") or field.place == "pixels"
        if possible and (found := _read(field, carried)):
            return replace(found, source=field.source)
    return None


def _read(field: Field, carried: Carried) -> Recovered | None:
    if not field.text.lstrip().startswith("{"):
        found = a1111.parse(field.text, sure=False) if "Version: Fooocus" in field.text else None
        return found if found and found.generator == "Fooocus" else None
    if '"RuinedFooocus"' in field.text:
        return _ruined(json_object(field.text, "RuinedFooocus metadata"))
    if _is_own(field, carried):
        return _fooocus(json_object(field.text, "Fooocus metadata"))
    return None


def _is_own(field: Field, carried: Carried) -> bool:
    if (scheme := carried.first("fooocus_scheme", "MakerNote")) and scheme.text.strip() == "fooocus":
        return True
    if (software := carried.first("Software")) and software.text.startswith("Fooocus"):
        return True
    return '"base_model"' in field.text and any(mark in field.text for mark in ('"adm_guidance"', '"Fooocus v'))


def _fooocus(record: dict[str, Any]) -> Recovered:
    width, height = as_size(record.get("resolution"))
    loras = _loras(record)
    parameters = Parameters(
        seed=as_int(record.get("seed")),
        steps=as_int(record.get("steps")),
        sampler=as_text(record.get("sampler")),
        scheduler=as_text(record.get("scheduler")),
        cfg_scale=as_float(record.get("guidance_scale")),
        width=width,
        height=height,
        clip_skip=as_int(record.get("clip_skip")),
        checkpoint=as_text(record.get("base_model")),
        checkpoint_hash=as_text(record.get("base_model_hash")),
        vae=as_text(record.get("vae")),
        loras=loras,
        other=as_other(_joined(record), _READ | {name for name in record if name.startswith("lora_combined_")}),
    )
    return _with_texts("Fooocus", record.get("prompt"), record.get("negative_prompt"), parameters)


def _joined(record: dict[str, Any]) -> dict[str, Any]:
    """The full prompts are lists of texts, one for each part of the conditioning."""
    for name in ("full_prompt", "full_negative_prompt"):
        if isinstance(parts := record.get(name), list):
            record = {**record, name: ", ".join(as_text(part) for part in parts)}
    return record


def _loras(record: dict[str, Any]) -> tuple[Lora, ...]:
    """Lists of name, weight and hash; else texts "name : 0.5" or "True : name : 0.5"."""
    found = []
    for entry in as_list(record.get("loras")):
        name, weight, *_ = (*as_list(entry), None, None)
        found += _lora(as_text(name), weight)
    if found:
        return tuple(found)
    for name in sorted(name for name in record if name.startswith("lora_combined_")):
        parts = as_text(record[name]).split(" : ")
        enabled = len(parts) < 3 or parts[0] == "True"
        found += _lora(parts[-2], parts[-1]) if len(parts) >= 2 and enabled else []
    return tuple(found)


def _lora(name: str, weight: object) -> list[Lora]:
    number = as_float(weight)
    return [Lora(name, 1.0 if number is None else number)] if name and name != "None" else []


def _ruined(record: dict[str, Any]) -> Recovered:
    loras = (as_record(lora) for lora in as_list(record.get("loras")))
    parameters = Parameters(
        seed=as_int(record.get("seed")),
        steps=as_int(record.get("steps")),
        sampler=as_text(record.get("sampler_name")),
        scheduler=as_text(record.get("scheduler")),
        cfg_scale=as_float(record.get("cfg")),
        denoise=as_float(record.get("denoise")),
        width=as_int(record.get("width")),
        height=as_int(record.get("height")),
        clip_skip=as_int(record.get("clip_skip")),
        checkpoint=as_text(record.get("base_model_name")),
        checkpoint_hash=as_text(record.get("base_model_hash")),
        loras=tuple(lora for each in loras for lora in _lora(as_text(each.get("name")), each.get("weight"))),
        other=as_other(record, _RUINED),
    )
    return _with_texts("RuinedFooocus", record.get("Prompt"), record.get("Negative"), parameters)


def _with_texts(generator: str, positive: object, negative: object, parameters: Parameters) -> Recovered:
    texts = as_text(positive), as_text(negative)
    return Recovered(generator, (RecoveredPrompt(*texts),) if any(texts) else (), parameters)
