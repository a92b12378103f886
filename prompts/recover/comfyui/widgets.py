"""Which input each value of a node's `widgets_values` belongs to: the interface stores them without their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .widget_names import WIDGET_NAMES

CONTROL = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""What the interface does with a seed after each run; it stands behind the seed, and is no input."""
UPLOAD = ("image", "", None)
"""What an upload button leaves behind the values."""
_LORA = "lora"
MOST_VALUES = 200
"""Of a node whose values are looked through; a large sampler has 40."""
_ROW = ("steps", "cfg", "sampler_name", "scheduler", "denoise")
_SAMPLER = re.compile(r"(?:euler|heun|dpm|lms|lcm|dd[ip]m|uni_pc|res_|er_sde|ipndm|deis|sa_solver|gradient_est|seeds_)")


def named(node_type: str, values: object, slots: Sequence[str], labelled: object = None) -> dict[str, object]:
    """Input name to value; "#0", "#1" and so on where the name is not known. `slots` are the names of the node's inputs
    that have a widget, which interfaces since 2024 store, some of them only where they are linked; `labelled` is what
    those of 2026 store beside: the values by name. Where the two differ, the list is what counts."""
    if isinstance(labelled, dict) and labelled:
        listed = values if isinstance(values, list) and len(values) == len(labelled) else labelled.values()
        pairs = zip(labelled, listed, strict=True)
        return {str(name): value for name, value in pairs if not _is_control(str(name), value)}
    if isinstance(values, dict):
        return {str(name): value for name, value in values.items() if name != "videopreview"}
    if not isinstance(values, list):
        return {}
    if any(isinstance(value, dict) and _LORA in value for value in values):
        return _lora_rows(values)
    plain = _without_control(values)
    known = WIDGET_NAMES.get(node_type, ())
    if len(plain) >= len(slots) and (not known or not set(slots) <= set(known)) and _fits(plain, slots):
        known = slots
    return _zip(values, known) if known else _sampling(_zip(values, known))


def _is_control(name: str, value: object) -> bool:
    return name.startswith("control_after_generate") or (name == value and name in CONTROL)


def _fits(plain: list[object], slots: Sequence[str]) -> bool:
    """Whether the named slots are all that the values can belong to."""
    rest = plain[len(slots) :]
    return bool(slots) and len(rest) <= 2 and all(value in UPLOAD for value in rest if not isinstance(value, list))


def _without_control(values: Iterable[object]) -> list[object]:
    plain: list[object] = []
    before: object = None
    for value in values:
        if not _controls(value, before):
            plain.append(value)
        before = value
    return plain


def _controls(value: object, before: object) -> bool:
    return isinstance(value, str) and value in CONTROL and isinstance(before, (int, float))


def _zip(values: list[object], names: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    before: object = None
    last = ""
    spare = len(values) - len(names)
    waiting = iter(names)
    for place, value in enumerate(values):
        if _controls(value, before) or (spare > 0 and isinstance(value, bool) and last in ("seed", "noise_seed")):
            if last.startswith("#"):
                found["seed"] = found.pop(last)  # of a node that nobody knows, but a seed it is
            before, last = None, ""
            continue
        last = next(waiting, f"#{place}")
        found[last] = before = value
    return found


def _sampling(found: dict[str, object]) -> dict[str, object]:
    """With names for steps, cfg, sampler, scheduler and denoise, which stand side by side in every sampler."""
    names, values = list(found), list(found.values())
    for place, (name, value) in enumerate(found.items() if len(found) <= MOST_VALUES else ()):
        if not (name.startswith("#") and isinstance(value, str) and _SAMPLER.match(value) and place >= 2):
            continue
        row = dict(zip(_ROW, values[place - 2 : place + 3], strict=False))  # the last may be missing
        fits = isinstance(row["steps"], int) and isinstance(row["cfg"], (int, float))
        if fits and isinstance(row.get("scheduler"), str):
            if not isinstance(row.get("denoise"), (int, float)):
                row.pop("denoise", None)
            replaced = dict(zip(names[place - 2 :], row, strict=False))
            return {replaced.get(key, key): one for key, one in found.items()}
    return found


def _lora_rows(values: list[object]) -> dict[str, object]:
    """rgthree's Power Lora Loader: one dict per row, between the widgets that only draw."""
    rows = [value for value in values if isinstance(value, dict) and _LORA in value]
    return {f"lora_{number}": row for number, row in enumerate(rows, 1)}
