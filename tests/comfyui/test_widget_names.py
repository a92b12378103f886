"""The table of values' names, held against ComfyUI's own definitions of its nodes."""

from __future__ import annotations

from typing import Any

from img2prompt.prompts.recover.comfyui.widget_names import WIDGET_NAMES
from img2prompt.tests.comfyui.server import ComfyServer

VALUES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}


def widgets(definition: dict[str, Any]) -> tuple[str, ...]:
    """The inputs that the interface shows as widgets, in its order."""
    names: list[str] = []
    for section, order in definition["input_order"].items():
        for name in order if section != "hidden" else ():
            kind, *options = definition["input"][section][name]
            linked = bool(options) and isinstance(options[0], dict) and options[0].get("forceInput")
            if (isinstance(kind, list) or kind in VALUES) and not linked:
                names.append(name)
    return tuple(names)


def test_the_table_is_as_comfyui_defines_its_nodes(comfyui: ComfyServer) -> None:
    """A row of the table may stop early, but must not differ."""
    defined = {kind: widgets(one) for kind, one in comfyui.get("/object_info").items()}
    ours = {kind: names for kind, names in WIDGET_NAMES.items() if kind in defined}
    assert len(ours) > 100
    assert {kind: names for kind, names in ours.items() if defined[kind][: len(names)] != names} == {}
