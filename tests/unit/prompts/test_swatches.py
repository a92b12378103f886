"""Colour names as swatches: what they look like to a person, as hue, lightness and vividness, and never an error."""

from __future__ import annotations

import colorsys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from img2prompt.prompts import swatches
from img2prompt.prompts.swatches import swatch
from img2prompt.tests.unit.prompts.strategies import any_code_points, any_text

COLORS = tomllib.loads((Path(swatches.__file__).parent / "data" / "colors.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("navy", "#14244f"),  # what look.py calls so, and not CSS's
        ("dark gray", "#5b5b5b"),
        ("dark grey", "#5b5b5b"),
        ("Dark-Grey", "#5b5b5b"),
        ("dusty rose", "#c0737a"),
        ("off-white", "#ffffe4"),
        ("off_white", "#ffffe4"),
        ("terracotta", "#ca6641"),
        ("burnt orange", "#c04e01"),
        ("dark olive green", "#556b2f"),  # CSS has it as one word
        ("crimson", "#dc143c"),
        ("  Teal ", "#0f7c7f"),
        ("medium blue", "#1f55de"),
        ("golden", "#d8a323"),
        ("silver", "#c5c9c7"),
        ("#A1b2C3", "#a1b2c3"),
        ("", ""),
        ("?", ""),
        ("happy", ""),
        ("light", ""),
        ("dark mood", ""),
        ("ish", ""),
        ("selfish", ""),
        ("rgb(255, 0, 0)", ""),
        ("hsl(0, 100%, 50%)", ""),
        ("#12345", ""),
        ("url(javascript:red)", ""),
        ("red red red red red red", ""),
    ],
)
def test_a_name_has_its_value(name: str, expected: str) -> None:
    assert swatch(name) == expected


def test_every_name_that_is_measured_with_has_its_own_value() -> None:
    assert {name: swatch(name) for name in COLORS} == COLORS


def hls(name: str) -> tuple[float, float, float]:
    """Hue in degrees, lightness and saturation, 0 to 1."""
    value = swatch(name)
    assert value, name
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in bytes.fromhex(value[1:])))
    return hue * 360, light, saturation


@pytest.mark.parametrize(
    ("lighter", "darker"),
    [
        ("light teal", "teal"),
        ("pale teal", "light teal"),
        ("teal", "deep teal"),
        ("deep teal", "dark teal"),
        ("pastel purple", "purple"),
        ("light mustard", "mustard"),
        ("white", "off-white"),
        ("light grayish blue", "grayish blue"),
    ],
)
def test_a_word_makes_it_lighter_or_darker(lighter: str, darker: str) -> None:
    assert hls(lighter)[1] > hls(darker)[1]


@pytest.mark.parametrize(
    ("vivid", "dull"),
    [("teal", "muted teal"), ("bright mustard", "muted mustard"), ("vivid sage", "sage"), ("blue", "dusty blue")],
)
def test_a_word_makes_it_duller_or_brighter(vivid: str, dull: str) -> None:
    assert hls(vivid)[2] > hls(dull)[2]
    assert hls(vivid)[0] == pytest.approx(hls(dull)[0], abs=25), "and leaves the hue"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("reddish brown", 5, 24),  # brown is at 27
        ("yellowish green", 60, 130),  # green at 131
        ("bluish gray", 200, 240),
        ("purplish", 270, 300),
        ("blue-green", 140, 220),
        ("warm gray", 20, 45),
        ("cool gray", 200, 230),
        ("warm light brown", 20, 40),
        ("rusty orange", 15, 30),
    ],
)
def test_two_colours_meet_between(name: str, low: float, high: float) -> None:
    assert low <= hls(name)[0] <= high


@given(any_text | any_code_points)
def test_any_name_gives_a_colour_or_nothing(name: str) -> None:
    value = swatch(name)
    assert value == "" or (len(value) == 7 and value[0] == "#" and bytes.fromhex(value[1:]) is not None)
