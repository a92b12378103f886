"""What helps a person is there: a tooltip on everything, and locales/en as the node schemas say."""

from __future__ import annotations

import json
from typing import Any

from img2prompt.scripts import locales


def test_the_english_names_and_tooltips_are_current() -> None:
    written = json.loads((locales.LOCALES / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
    assert written == locales.node_definitions(), "run scripts/locales.py (environment comfyui), and translate"


def test_every_node_input_and_output_is_explained() -> None:
    def missing(found: dict[str, Any], place: str) -> list[str]:
        return [
            spot
            for key, value in found.items()
            for spot in (missing(value, f"{place} {key}") if isinstance(value, dict) else [f"{place} {key}"])
            if isinstance(value, dict) or not (value or "").strip()
        ]

    assert missing(locales.node_definitions(), "") == []
