"""Draw Things' XMP: JSON in exif:UserComment, and the same as text in dc:description; xmp:CreatorTool is "Draw Things".

The JSON's own names are `c` (prompt), `uc` (negative), `seed`, `steps`, `scale`, `sampler`, `model`, `size`
("1024x768"), `strength`, `lora` or `v2.loras` (file, weight), and `v2`, the whole configuration. The text is the
prompt, the negative behind "-" on a line of its own, and a line as A1111's with "Guidance Scale". Draw Things' exporter
is not published; read from files' readers: S1D1T1/metaDataBot, receyuki/stable-diffusion-prompt-reader
(sd_prompt_reader/format/drawthings.py) and kcjerrell/dtm.
"""

from __future__ import annotations

from typing import Any

from .a1111_line import is_parameters, pairs
from .carried import Carried, Field
from .recovered import Lora, Parameters, Recovered, RecoveredPrompt
from .values import as_float, as_int, as_list, as_other, as_record, as_size, as_text, json_object

_READ = frozenset(("c", "uc", "seed", "steps", "scale", "sampler", "model", "size", "strength", "lora", "v2"))
_LINE = {"Steps": "steps", "Sampler": "sampler", "Guidance Scale": "scale", "Seed": "seed", "Size": "size"} | {
    "Model": "model",
    "Strength": "strength",
}
"""The names of the text's line, and of the JSON."""


def read(carried: Carried) -> Recovered | None:
    """From the UserComment in XMP or EXIF; from the description where that is missing."""
    for field in carried.fields:
        if field.key in ("exif:UserComment", "UserComment") and '"c"' in field.text and '"uc"' in field.text:
            return _recovered(json_object(field.text, "Draw Things data"), field)
    tool, field = carried.first("xmp:CreatorTool"), carried.first("dc:description")
    if field and tool and tool.text.strip() == "Draw Things":
        return _recovered(_record(field.text), field)
    return None


def _record(text: str) -> dict[str, Any]:
    """The description, by the JSON's names."""
    prompts, _, line = text.strip().rpartition("\n")
    if not is_parameters(line):
        prompts, line = text, ""
    positive, _, negative = f"\n{prompts}".partition("\n-")
    found: dict[str, Any] = {"c": positive, "uc": negative}
    loras: list[dict[str, str]] = []
    for name, value in pairs(line):
        if name == "LoRA Model":
            loras.append({"file": value})
        elif name == "LoRA Weight" and loras:
            loras[-1]["weight"] = value
        else:
            found.setdefault(_LINE.get(name, name), value)
    return {**found, "lora": loras}


def _recovered(record: dict[str, Any], field: Field) -> Recovered:
    width, height = as_size(record.get("size"))
    positive, negative = as_text(record.get("c")), as_text(record.get("uc"))
    parameters = Parameters(
        seed=as_int(record.get("seed")),
        steps=as_int(record.get("steps")),
        sampler=as_text(record.get("sampler")),
        cfg_scale=as_float(record.get("scale")),
        denoise=as_float(record.get("strength")),
        width=width,
        height=height,
        checkpoint=as_text(record.get("model")),
        loras=_loras(record),
        other=as_other({**as_record(record.get("v2")), **record}, _READ | {"loras"}),
    )
    prompts = (RecoveredPrompt(positive, negative),) if positive or negative else ()
    return Recovered("Draw Things", prompts, parameters, field.source)


def _loras(record: dict[str, Any]) -> tuple[Lora, ...]:
    listed = as_list(record.get("lora")) or as_list(as_record(record.get("v2")).get("loras"))
    found = []
    for entry in map(as_record, listed):
        name = as_text(entry.get("model")) or as_text(entry.get("file")) or as_text(entry.get("name"))
        weight = as_float(entry.get("weight"))
        found += [Lora(name, 1.0 if weight is None else weight)] if name else []
    return tuple(found)
