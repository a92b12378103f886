"""What the pixels of a picture tell without a model: its colours, their temperature, darkness, mirror symmetry, shape.

Only what such measures got right when a person checked them on 97 pictures is here. Contrast, depth of field, "photo
or drawing", thirds, grain and sepia were measured too and were often wrong; they are left to a model. Knows nothing
of subjects.
"""

from __future__ import annotations

import tomllib
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict

from .errors import PictureError

Floats = npt.NDArray[np.floating]
Temperature = Literal["warm", "cool", "mixed", "neutral"]

# Sides of the copies that are measured, in pixels. 512 keeps all measures together near 0.1 s.
LOOK_SIDE = 512
PALETTE_SIDE = 96
MIRROR_SIDE = 64

# Found on 35 pictures that a person labelled and looked over on 97; not tuned on others.
MONOCHROME_CHROMA = 8.0
"""Monochrome: 98 % of the pixels have less CIELAB chroma than this. Two of nine hits had a small coloured accent."""
MIRROR_SYMMETRY = 0.7
"""From here up a person agreed (a statue, a portal, a frontal portrait); below, seldom."""

# Set here, by looking at what they did to 190 thumbnails of ComfyUI's workflow templates.
COLORFUL_CHROMA = 10.0
"""Below this chroma a hue is not seen as warm or cool."""
NEUTRAL_SHARE = 0.1
"""With fewer coloured pixels than this share, a picture is neither warm nor cool."""
ONE_TEMPERATURE = 0.7
"""Warm or cool: this share of the chroma; in between is "mixed", where a person hesitated too."""
LOW_KEY_MEDIAN = 25.0
LOW_KEY_UPPER = 35.0
"""Low key: half of the pixels are darker than the first L*, three quarters than the second…"""
LOW_KEY_LIGHT = 20.0
"""…and the lightest hundredth is this much lighter than the median: an evenly dark picture shows no light."""
ACCENT_CHROMA = 40.0
ACCENT_SHARE = 0.005
ACCENT_DISTANCE = 20.0
"""An accent: vivid pixels, half a percent of the picture, this far (CIEDE2000) from every colour of the palette."""
PALETTE_SHARE = 0.03
"""A colour below this share is no part of the palette."""
PALETTE_SIZE = 5
CLUSTERS = 8
FLAT_LIGHTNESS = 2.0
"""Rows that vary less than this (standard deviation of L*) have no left and right to compare."""

COMMON_RATIOS = tuple(Fraction(*pair) for pair in ((1, 1), (5, 4), (4, 3), (3, 2), (16, 9), (2, 1), (21, 9), (3, 1)))


class PaletteColor(BaseModel):
    """One plain colour name and the share of the picture that it covers, 0 to 1."""

    model_config = ConfigDict(frozen=True)

    name: str
    share: float


class Look(BaseModel):
    """What was measured on one picture."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    """Pixels, of the picture itself."""
    aspect: str
    """The nearest common format: "square", "landscape 3:2", "portrait 9:16"."""
    palette: tuple[PaletteColor, ...]
    """Up to five colours, the largest first; never empty. The shares of what is left out are not in it."""
    accent: str
    """A small but vivid colour that the palette lacks, else ""."""
    temperature: Temperature
    monochrome: bool
    low_key: bool
    symmetry: float
    """Correlation of the picture with its mirror image after each row's mean is taken away, 0 to 1."""

    @property
    def symmetrical(self) -> bool:
        """Whether a person would call the picture symmetrical."""
        return self.symmetry >= MIRROR_SYMMETRY


def measure(picture: Image.Image) -> Look:
    """Look at one picture of any mode and size, in about 0.1 s; the same pixels always give the same Look.

    Raises PictureError for a picture without pixels.
    """
    width, height = picture.size
    if not width or not height:
        raise PictureError(f"The picture has no pixels ({width} x {height}); give one that has.")
    copy = _rgb(picture, LOOK_SIDE)
    lab = _lab(np.asarray(copy).reshape(-1, 3))
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    monochrome = bool(np.percentile(chroma, 98) < MONOCHROME_CHROMA)
    palette, accent = _palette(_rgb(copy, PALETTE_SIDE))
    return Look(
        width=width,
        height=height,
        aspect=aspect_name(width, height),
        palette=palette,
        accent="" if monochrome else accent,
        temperature="neutral" if monochrome else _temperature(lab, chroma),
        monochrome=monochrome,
        low_key=_low_key(lab[:, 0]),
        symmetry=_symmetry(copy),
    )


def aspect_name(width: int, height: int) -> str:
    """The nearest common format of a picture of that size; beyond 3:1, the nearest whole number to one."""
    ratio = Fraction(max(width, height), min(width, height))
    if ratio > Fraction(7, 2):
        nearest = Fraction(round(ratio))
    else:
        nearest = min(COMMON_RATIOS, key=lambda common: max(ratio / common, common / ratio))
    long, short = (21, 9) if nearest == Fraction(7, 3) else nearest.as_integer_ratio()
    if long == short:
        return "square"
    return f"landscape {long}:{short}" if width > height else f"portrait {short}:{long}"


def color_name(lab: Floats) -> npt.NDArray[np.str_]:
    """The plain names nearest to CIELAB colours, (N, 3) -> (N,)."""
    names, values = _named_colors()
    return names[ciede2000(lab[:, None, :], values[None, :, :]).argmin(axis=1)]


def ciede2000(one: Floats, other: Floats) -> Floats:
    """The colour difference CIEDE2000 of CIELAB arrays (…, 3) that broadcast, kL = kC = kH = 1.

    Formulas and their order: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula", 2005, equations 2 to 22.
    """
    mean_chroma = (np.hypot(one[..., 1], one[..., 2]) + np.hypot(other[..., 1], other[..., 2])) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7))
    a1, a2, b1, b2 = stretch * one[..., 1], stretch * other[..., 1], one[..., 2], other[..., 2]
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = np.where(c1 * c2 == 0, 0.0, (h2 - h1 + 180) % 360 - 180)
    # The half turn itself counts as +180 in the paper.
    turn = np.where((turn == -180) & (h2 > h1), 180.0, turn)
    d_l, d_c, d_h = other[..., 0] - one[..., 0], c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    l_mean, c_mean = (one[..., 0] + other[..., 0]) / 2, (c1 + c2) / 2
    h_mean = np.where(c1 * c2 == 0, h1 + h2, (h1 + turn / 2) % 360)
    t = (
        1
        - 0.17 * np.cos(np.radians(h_mean - 30))
        + 0.24 * np.cos(np.radians(2 * h_mean))
        + 0.32 * np.cos(np.radians(3 * h_mean + 6))
        - 0.20 * np.cos(np.radians(4 * h_mean - 63))
    )
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / np.sqrt(20 + (l_mean - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    rotation = -2 * np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7))
    rotation = rotation * np.sin(np.radians(60 * np.exp(-(((h_mean - 275) / 25) ** 2))))
    l_term, c_term, h_term = d_l / s_l, d_c / s_c, d_h / s_h
    return np.sqrt(l_term**2 + c_term**2 + h_term**2 + rotation * c_term * h_term)


@cache
def _named_colors() -> tuple[npt.NDArray[np.str_], Floats]:
    """The names of data/colors.toml and their CIELAB values, (N,) and (N, 3)."""
    table = tomllib.loads((Path(__file__).parent / "data" / "colors.toml").read_text(encoding="utf-8"))
    rgb = np.array([list(bytes.fromhex(value[1:])) for value in table.values()], dtype=np.uint8)
    return np.array(list(table)), _lab(rgb)


def _lab(rgb: npt.NDArray[np.uint8]) -> Floats:
    """sRGB bytes (N, 3) to CIELAB under D65 (N, 3); IEC 61966-2-1 and CIE 15."""
    scale = np.arange(256) / 255
    linear = np.where(scale <= 0.04045, scale / 12.92, ((scale + 0.055) / 1.055) ** 2.4).astype(np.float32)[rgb]
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    # The matrix's own white, not the tabulated one, so that every gray has chroma 0.
    xyz = linear @ (to_xyz / to_xyz.sum(axis=1, keepdims=True)).T.astype(np.float32)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[:, 0], f[:, 1], f[:, 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def _rgb(picture: Image.Image, side: int) -> Image.Image:
    """An RGB copy whose longer side is at most `side`, transparency composited on white."""
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = Image.fromarray(_eight_bits(np.asarray(picture)))
    if picture.mode in ("P", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")  # resizing palette indexes would invent colours
    elif picture.mode not in ("L", "LA", "RGB", "RGBA"):
        picture = picture.convert("RGB")
    factor = min(1.0, side / max(picture.size))
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    if picture.mode in ("LA", "RGBA"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _eight_bits(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Gray values of a 16 or 32 bit or float picture as bytes: beyond 255 they count as 16 bit."""
    numbers = np.nan_to_num(values.astype(np.float64))
    if numbers.max() > 255:
        numbers = numbers / 257
    return np.clip(np.round(numbers), 0, 255).astype(np.uint8)


def _palette(copy: Image.Image) -> tuple[tuple[PaletteColor, ...], str]:
    """The colours of a small RGB copy by name, largest first, and the name of a vivid small one or ""."""
    lab = _lab(np.asarray(copy).reshape(-1, 3))
    start = copy.quantize(CLUSTERS, Image.Quantize.MEDIANCUT).convert("RGB")
    centers = _lab(np.unique(np.asarray(start).reshape(-1, 3), axis=0))
    nearest = _k_means(lab, centers)
    pixels: dict[str, int] = {}
    for cluster in np.unique(nearest):
        members = lab[nearest == cluster]
        name = str(color_name(members.mean(axis=0, keepdims=True))[0])
        pixels[name] = pixels.get(name, 0) + len(members)  # two clusters of one name are one colour to a person
    largest = sorted(pixels.items(), key=lambda item: (-item[1], item[0]))[:PALETTE_SIZE]
    kept = [item for item in largest if item[1] >= PALETTE_SHARE * len(lab)] or largest[:1]
    palette = tuple(PaletteColor(name=name, share=round(count / len(lab), 3)) for name, count in kept)
    return palette, _accent(lab, [color.name for color in palette])


def _k_means(points: Floats, centers: Floats, rounds: int = 12) -> npt.NDArray[np.intp]:
    """Which centre each point (N, 3) belongs to, (N,), after some rounds of Lloyd's algorithm."""
    for _ in range(rounds):
        nearest = _nearest(points, centers)
        counts = np.bincount(nearest, minlength=len(centers))[:, None]
        sums = np.stack([np.bincount(nearest, points[:, axis], len(centers)) for axis in range(3)], axis=1)
        centers = np.where(counts > 0, sums / np.maximum(counts, 1), centers)
    return _nearest(points, centers)


def _nearest(points: Floats, centers: Floats) -> npt.NDArray[np.intp]:
    """The index of the centre nearest to each point; |point|² is the same for all centres and left out."""
    return ((centers**2).sum(axis=1) - 2 * points @ centers.T).argmin(axis=1)


def _accent(lab: Floats, palette: list[str]) -> str:
    """The most vivid name among pixels that are far from the palette's named colours, or ""."""
    vivid = lab[np.hypot(lab[:, 1], lab[:, 2]) >= ACCENT_CHROMA]
    names, values = _named_colors()
    known = values[np.isin(names, palette)]
    apart = vivid[ciede2000(vivid[:, None, :], known[None, :, :]).min(axis=1) >= ACCENT_DISTANCE]
    if len(apart) < ACCENT_SHARE * len(lab):
        return ""
    found, which = np.unique(color_name(apart), return_inverse=True)
    # By vividness, not by area alone: an accent is what strikes the eye.
    vividness = np.bincount(which, np.hypot(apart[:, 1], apart[:, 2]) - ACCENT_CHROMA)
    best = vividness.argmax()
    return str(found[best]) if (which == best).sum() >= ACCENT_SHARE * len(lab) else ""


def _temperature(lab: Floats, chroma: Floats) -> Temperature:
    """Warm (red to yellow) against cool (green-blue to blue-violet) hues, weighed by chroma."""
    colorful = chroma >= COLORFUL_CHROMA
    if colorful.mean() < NEUTRAL_SHARE:
        return "neutral"
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    warm = chroma[colorful & ((hue < 105) | (hue >= 345))].sum()
    cool = chroma[colorful & (hue >= 150) & (hue < 310)].sum()
    all_chroma = chroma[colorful].sum()
    if warm >= ONE_TEMPERATURE * all_chroma:
        return "warm"
    return "cool" if cool >= ONE_TEMPERATURE * all_chroma else "mixed"


def _low_key(lightness: Floats) -> bool:
    """Whether most of the picture lies in the dark while something in it is lit."""
    median, upper, top = np.percentile(lightness, (50, 75, 99))
    return bool(median < LOW_KEY_MEDIAN and upper < LOW_KEY_UPPER and top - median >= LOW_KEY_LIGHT)


def _symmetry(copy: Image.Image) -> float:
    """How much the left half mirrors the right, 0 to 1; a plain picture or one of even rows has none."""
    small = copy.resize((MIRROR_SIDE, MIRROR_SIDE), Image.Resampling.BOX)
    lightness = _lab(np.asarray(small).reshape(-1, 3))[:, 0].reshape(MIRROR_SIDE, MIRROR_SIDE)
    # Without its row means a sky above a field, which mirrors perfectly, counts for nothing.
    across = lightness - lightness.mean(axis=1, keepdims=True)
    variance = (across**2).mean()
    if variance < FLAT_LIGHTNESS**2:
        return 0.0
    return round(float(max(0.0, (across * across[:, ::-1]).mean() / variance)), 3)
