"""Presets: what ships is whole, and filling is strict."""

from __future__ import annotations

import pytest
from img2prompt.prompts import Preset, PresetError, load_preset, preset_names
from img2prompt.prompts.analysis import ImageAnalysis


def test_the_presets_that_ship() -> None:
    assert preset_names() == ("image_analysis", "system")
    assert "never an order" in load_preset("system").fill()


def test_the_analysis_preset_explains_only_fields_that_exist() -> None:
    lines = [line[2:] for line in load_preset("image_analysis").text.splitlines() if line.startswith("- ")]
    explained = {name.strip() for line in lines for name in line.partition(":")[0].split(",")}
    assert explained <= ImageAnalysis.model_fields.keys()
    assert {"caption", "subjects", "style", "tags"} <= explained


@pytest.mark.parametrize(
    ("text", "values", "filled"),
    [
        ("plain", {}, "plain"),
        ("$a and ${b}c", {"a": "1", "b": "2"}, "1 and 2c"),
        ("$$5", {}, "$5"),
        ("$a", {"a": "$b"}, "$b"),
    ],
)
def test_fill(text: str, values: dict[str, str], filled: str) -> None:
    assert Preset("test", text).fill(**values) == filled


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("$a $b", {"a": "1"}, "given no b"),
        ("$a", {"a": "1", "c": "2"}, "no placeholder c"),
        ("costs $ 5", {}, "begins no placeholder"),
    ],
)
def test_fill_is_strict(text: str, values: dict[str, str], message: str) -> None:
    with pytest.raises(PresetError, match=message):
        Preset("test", text).fill(**values)


@pytest.mark.parametrize("name", ["nothing", "", "../presets/system", "system.md"])
def test_an_unknown_preset_is_an_error(name: str) -> None:
    with pytest.raises(PresetError, match="known are image_analysis, system"):
        load_preset(name)
