"""SwarmUI's JSON: the PNG text "parameters", or EXIF's UserComment of the other formats (docs/Image Metadata Format.md
and src/Utils/Image.cs of mcmonkeyprojects/SwarmUI; older files have it in EXIF's Model).

`sui_image_params` has the parameters by their ids; any may be missing, values may be texts, and lists may be texts with
commas. `sui_extra_data` has what came of it, `sui_models` the models' hashes. The prompt's own syntax, as
`<segment:face>` or `<refiner>`, stays in the text.
"""

from __future__ import annotations

from typing import Any

from .carried import Carried
from .recovered import Lora, Parameters, Recovered, RecoveredPrompt
from .values import as_float, as_int, as_list, as_other, as_record, as_text, json_object

_MARK = '"sui_image_params"'
_READ = frozenset(
    (
        *("prompt", "negativeprompt", "seed", "steps", "sampler", "scheduler", "cfgscale", "fluxguidancescale"),
        *("initimagecreativity", "width", "height", "clipstopatlayer", "model", "vae", "loras", "loraweights"),
        *("loratencweights",),
    )
)


def read(carried: Carried) -> Recovered | None:
    """From any text that has SwarmUI's mark, also one hidden in the pixels."""
    for field in carried.fields:
        if _MARK not in field.text:
            continue
        whole = json_object(field.text, "SwarmUI metadata")
        record = as_record(whole.get("sui_image_params"))
        positive, negative = as_text(record.get("prompt")), as_text(record.get("negativeprompt"))
        prompts = (RecoveredPrompt(positive, negative),) if positive or negative else ()
        return Recovered("SwarmUI", prompts, _parameters(record, whole), field.source)
    return None


def _parameters(record: dict[str, Any], whole: dict[str, Any]) -> Parameters:
    last_layer = as_int(record.get("clipstopatlayer"))
    return Parameters(
        seed=as_int(record.get("seed")),
        steps=as_int(record.get("steps")),
        sampler=as_text(record.get("sampler")),
        scheduler=as_text(record.get("scheduler")),
        cfg_scale=as_float(record.get("cfgscale")),
        guidance=as_float(record.get("fluxguidancescale")),
        denoise=as_float(record.get("initimagecreativity")),
        width=as_int(record.get("width")),
        height=as_int(record.get("height")),
        clip_skip=-last_layer if last_layer is not None and last_layer < 0 else None,
        checkpoint=as_text(record.get("model")),
        checkpoint_hash=_hash(whole),
        vae=as_text(record.get("vae")),
        loras=_loras(record),
        other=as_other({**as_record(whole.get("sui_extra_data")), **record}, _READ),
    )


def _hash(whole: dict[str, Any]) -> str:
    models = map(as_record, as_list(whole.get("sui_models")))
    return next((as_text(model.get("hash")) for model in models if model.get("param") == "model"), "")


def _loras(record: dict[str, Any]) -> tuple[Lora, ...]:
    weights, encoders = _listed(record.get("loraweights")), _listed(record.get("loratencweights"))
    found = []
    for number, name in enumerate(map(as_text, _listed(record.get("loras")))):
        weight = as_float(weights[number]) if number < len(weights) else None
        encoder = as_float(encoders[number]) if number < len(encoders) else None
        found += [Lora(name, 1.0 if weight is None else weight, encoder)] if name else []
    return tuple(found)


def _listed(value: Any) -> list[Any]:
    """A list, or a text with commas."""
    return value.split(",") if isinstance(value, str) else as_list(value)
