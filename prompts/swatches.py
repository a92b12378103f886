"""Plain colour names, as a model writes them, as sRGB values: for small swatches beside the names, nothing more.

A name is looked up in `data/colors.toml`, by which `look.py` names what it measures, then in `data/shades.toml`, then
among CSS's names, where some differ from what people mean ("dark gray" is lighter there than "gray"). A name that is
nowhere is taken apart, from its end: "pale reddish brown" is brown, with some red in it, and more white. How far each
word changes a colour was set by eye.
"""

from __future__ import annotations

import colorsys
import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageColor

Rgb = tuple[float, float, float]
"""Red, green and blue, 0 to 1, as sRGB has them."""

DATA = Path(__file__).parent / "data"
MOST_CHARACTERS, MOST_WORDS = 60, 5
SAME = {
    "grey": "gray", "greyish": "grayish", "golden": "gold", "silvery": "silver", "rusty": "rust", "rosy": "rose",
    "sandy": "sand", "ashen": "gray", "smoky": "gray", "slatey": "slate", "earthy": "brown", "peachy": "peach",
    "creamy": "cream", "mossy": "moss", "vermilion": "vermillion", "aubergine": "eggplant", "ocher": "ochre",
    "blonde": "straw", "blond": "straw",
}  # fmt: skip
"""Other words for what has a name in the tables."""
EMPTY = frozenset(
    ("very", "slightly", "somewhat", "medium", "true", "natural", "color", "colour", "colored", "coloured", "tone")
)
"""Words that leave a colour as it is."""
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
ORANGE, AZURE = (1.0, 0.6, 0.1), (0.2, 0.5, 1.0)
MIXED_IN: dict[str, tuple[Rgb, float]] = {
    **dict.fromkeys(("light", "soft", "pastel"), (WHITE, 0.45)),
    **dict.fromkeys(("pale", "icy", "powdery"), (WHITE, 0.6)),
    **dict.fromkeys(("dark", "darker", "midnight"), (BLACK, 0.45)),
    **dict.fromkeys(("deep", "rich"), (BLACK, 0.25)),
    "warm": (ORANGE, 0.15),
    **dict.fromkeys(("cool", "cold"), (AZURE, 0.15)),
}
"""What a word mixes into the colour after it, and how much of it."""
GRAYER = frozenset(("muted", "dull", "faded", "desaturated", "dusty", "dusky", "washed", "subdued"))
BRIGHTER = frozenset(("bright", "vivid", "vibrant", "neon", "electric", "saturated", "intense"))
OF_GRAY, OF_BRIGHT, OF_ISH, OF_OTHER = 0.45, 0.6, 0.3, 0.5
"""How far such words go; how much "reddish" and "red" give to the colour after them."""


@lru_cache(maxsize=512)
def swatch(name: str) -> str:
    """The colour as "#rrggbb", always the same for one name; "" for a name that is no known colour."""
    text = name[:MOST_CHARACTERS].strip().lower()
    if re.fullmatch(r"#[0-9a-f]{6}", text):
        return text
    written: list[str] = re.findall(r"[a-z]+", text.replace("'", ""))
    words = [SAME.get(word, word) for word in written if word not in EMPTY]
    if not words or len(words) > MOST_WORDS or (color := _color(tuple(words))) is None:
        return ""
    return "#" + "".join(f"{round(part * 255):02x}" for part in color)


def _color(words: tuple[str, ...]) -> Rgb | None:
    """What the words call, None for what is no colour."""
    if (known := _known(" ".join(words))) is not None:
        return known
    first, *others = words
    if not others:
        return _known_ish(first)
    color = _color(tuple(others))
    return None if color is None else _changed(color, first)


def _changed(color: Rgb, word: str) -> Rgb | None:
    """The colour with a word before it, None where that word says nothing of colours."""
    if word in GRAYER:
        gray = sum(color) / 3
        return _mix(color, (gray, gray, gray), OF_GRAY)
    if word in BRIGHTER:
        return _brighter(color)
    if word in MIXED_IN:
        other, share = MIXED_IN[word]
    elif (other := _known_ish(word)) is not None:
        share = OF_ISH
    else:
        other, share = _known(word), OF_OTHER
    return None if other is None else _mix(color, other, share)


def _mix(color: Rgb, other: Rgb, share: float) -> Rgb:
    """A colour with so much of another in it."""
    red, green, blue = (a + (b - a) * share for a, b in zip(color, other, strict=True))
    return red, green, blue


def _brighter(color: Rgb) -> Rgb:
    """The same hue, nearer to its purest."""
    hue, light, saturation = colorsys.rgb_to_hls(*color)
    if not saturation:
        return _mix(color, WHITE, OF_OTHER)
    return colorsys.hls_to_rgb(hue, light + (0.5 - light) * OF_BRIGHT, saturation + (1 - saturation) * OF_BRIGHT)


def _known_ish(word: str) -> Rgb | None:
    """The colour of "reddish", "bluish" or "greenish"; None for other words."""
    if not word.endswith("ish"):
        return None
    stem = word.removesuffix("ish").removesuffix("-")
    return next((color for name in (stem, stem + "e", stem[:-1]) if (color := _known(name)) is not None), None)


def _known(name: str) -> Rgb | None:
    """The colour of a name that stands in one of the tables."""
    bare = name.replace(" ", "")
    value = _tables().get(name) or (bare if bare in ImageColor.colormap else None)
    if value is None:
        return None
    red, green, blue = ImageColor.getrgb(value)[:3]
    return red / 255, green / 255, blue / 255


@cache
def _tables() -> dict[str, str]:
    tables = [tomllib.loads((DATA / file).read_text(encoding="utf-8")) for file in ("shades.toml", "colors.toml")]
    return tables[0] | tables[1]
