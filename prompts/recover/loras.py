"""LoRAs as prompts and lists of texts name them.

`<lora:name:0.8>` weighs both models; `<lora:name:0.8:0.5>` is the text encoder's weight and then the diffusion model's,
as is `te=` and `unet=` (AUTOMATIC1111/stable-diffusion-webui extensions-builtin/Lora/extra_networks_lora.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .recovered import Lora
from .values import as_float, as_list, as_record, as_text

_TAG = re.compile(r"<(?:lora|lyco):([^<>:\n]{1,300})((?::[^<>:\n]{0,100}){0,6})>")


def loras_of(prompt: str) -> tuple[Lora, ...]:
    """The LoRAs that a prompt's tags load, each name once, in their order."""
    found: dict[str, Lora] = {}
    for name, rest in _TAG.findall(prompt):
        found.setdefault(name.strip(), _weighted(name.strip(), rest.split(":")[1:]))
    return tuple(lora for name, lora in found.items() if name)


def _weighted(name: str, arguments: list[str]) -> Lora:
    named = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    places = [as_float(argument) for argument in arguments if "=" not in argument]
    encoder = as_float(named.get("te"))
    encoder = encoder if encoder is not None else places[0] if places else None
    encoder = 1.0 if encoder is None else encoder
    diffusion = as_float(named.get("unet"))
    diffusion = diffusion if diffusion is not None else places[1] if len(places) > 1 else None
    if diffusion is None or diffusion == encoder:
        return Lora(name, encoder)
    return Lora(name, diffusion, encoder)


def listed_loras(text: str) -> tuple[Lora, ...]:
    """Those of "name: 0.8, other: 0.5", as Fooocus writes "Lora weights"; a second number is the text encoder's."""
    return tuple(lora for entry in text.split(", ") if (lora := _listed(entry)))


def _listed(entry: str) -> Lora | None:
    name, _, last = entry.rpartition(": ")
    weight = as_float(last)
    before, _, second = name.rpartition(": ")
    first = as_float(second)
    if before and first is not None and weight is not None:
        return Lora(before, first, weight)
    return Lora(name, weight) if name and weight is not None else None


def list_of_loras(loras: Iterable[Lora]) -> str:
    """What `listed_loras` reads."""
    entries = ([lora.name, lora.weight, lora.clip_weight] for lora in loras)
    return ", ".join(": ".join(str(part) for part in entry if part is not None) for entry in entries)


def civitai_resources(value: Any) -> tuple[tuple[Lora, ...], str]:
    """The LoRAs and the checkpoint of "Civitai resources", a list of objects with type (or air, which holds it),
    weight, modelName and modelVersionName. Without a name a LoRA is told by its AIR or version."""
    loras, checkpoint = [], ""
    for resource in map(as_record, as_list(value)):
        air = as_text(resource.get("air"))
        kind = as_text(resource.get("type")) or (air.split(":")[3:4] or [""])[0]
        version = resource.get("modelVersionId")
        name = as_text(resource.get("modelName")) or air or (str(version) if isinstance(version, int) else "")
        weight = as_float(resource.get("weight"))
        if kind.lower() in ("lora", "lycoris", "locon", "dora") and name:
            loras.append(Lora(name, 1.0 if weight is None else weight))
        elif kind.lower() == "checkpoint" and not checkpoint:
            checkpoint = name
    return tuple(loras), checkpoint
