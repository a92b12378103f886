"""Writes AUTOMATIC1111's text, so that it, Civitai and the readers of others understand it and `a1111.parse` reads it
back equal.

In the ordinary case it is what A1111 itself would write, byte for byte. What that form cannot say stands, beside it, in
fields of their own that others pass over: a text that would be divided wrongly (one with a line "Negative prompt:" or
"Steps: 20" in it) or lose blanks at its ends in "Raw prompt" and "Raw negative prompt", as Fooocus does with texts of
several lines (lllyasviel/Fooocus modules/meta_parser.py); LoRAs that no tag in the prompt names in "Lora weights",
which is Fooocus' too; a parameter that would be read as something else in "Raw parameters", as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields

from .a1111 import OURS, RAW_NEGATIVE, RAW_PARAMETERS, RAW_PROMPT, parse
from .a1111_line import is_plain_name, quoted
from .loras import list_of_loras, loras_of
from .recovered import Parameters
from .values import clean

_FEWEST_PAIRS = 3
"""A1111 takes a line with fewer for the prompt's last."""
Pairs = list[tuple[str, str]]


def write(positive: str, negative: str, parameters: Parameters) -> str:
    """The text for the PNG text "parameters" or EXIF's UserComment. Control characters, which nothing would read back,
    are left out, and line ends are written as "\\n". LoRA tags in the prompt are read back as LoRAs, applied or not."""
    positive, negative = clean(positive), clean(negative)
    first, others = list(_standard(positive, parameters)), list(_others(parameters))
    read = parse(_form(positive, negative, [*first, *others]))
    few = len(first) + len(others) + 1 < _FEWEST_PAIRS
    if few or read is None or (read.positive, read.negative) != (positive, negative):
        first += [(RAW_PROMPT, positive), (RAW_NEGATIVE, negative)]
        read = parse(_form(positive, negative, [*first, *others]))
    if told := _told_apart(read.parameters if read else Parameters(), parameters):
        first.append((RAW_PARAMETERS, told))
    return _form(positive, negative, [*first, *others])


def _form(positive: str, negative: str, pairs: Pairs) -> str:
    second = f"\nNegative prompt: {negative}" if negative else ""
    return f"{positive}{second}\n{_line(pairs)}".strip()


def _line(pairs: Pairs) -> str:
    return ", ".join(f"{name}: {quoted(value)}" for name, value in [*pairs, ("Version", OURS)])


def _standard(positive: str, parameters: Parameters) -> Iterator[tuple[str, str]]:
    """A1111's own fields, in its order."""
    size = f"{parameters.width}x{parameters.height}" if parameters.width and parameters.height else ""
    tagged = loras_of(positive)
    found = {
        "Steps": _number(parameters.steps),
        "Sampler": parameters.sampler,
        "Schedule type": parameters.scheduler,
        "CFG scale": _number(parameters.cfg_scale),
        "Distilled CFG Scale": _number(parameters.guidance),
        "Seed": _number(parameters.seed),
        "Size": size,
        "Model hash": parameters.checkpoint_hash,
        "Model": parameters.checkpoint,
        "VAE": parameters.vae,
        "Clip skip": _number(parameters.clip_skip),
        "Denoising strength": _number(parameters.denoise),
        "Lora weights": list_of_loras(lora for lora in parameters.loras if lora not in tagged),
    }
    yield from ((name, clean(value)) for name, value in found.items() if value)


def _others(parameters: Parameters) -> Iterator[tuple[str, str]]:
    """Those of the other fields that A1111 would read as they are. The version is ours."""
    for name, value in parameters.other.items():
        if is_plain_name(name) and name not in ("Version", RAW_PROMPT, RAW_NEGATIVE, RAW_PARAMETERS):
            yield name, clean(value)


def _number(value: float | None) -> str:
    """7.0 as 7, as A1111 does."""
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(value)


def _told_apart(read: Parameters, wanted: Parameters) -> str:
    """The fields of which the plain form reads back something else, as JSON; "" if there are none."""
    found: dict[str, object] = {}
    for field in fields(Parameters):
        value = getattr(wanted, field.name)
        if getattr(read, field.name) == value or (field.name == "loras" and not value):
            continue
        if field.name == "loras":
            value = [[lora.name, lora.weight, lora.clip_weight] for lora in wanted.loras]
        found[field.name] = dict(wanted.other) if field.name == "other" else value
    return json.dumps(found, ensure_ascii=False) if found else ""
