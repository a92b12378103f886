"""Simple drawn pictures whose content is known: one plain shape on a plain ground.

The tests draw pictures that the seeing model never saw and know what a right answer names. Pillow only, no torch;
the same `Random` state gives the same picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Literal

from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]

COLORS: dict[str, tuple[Rgb, ...]] = {
    "red": ((255, 0, 0), (220, 40, 40), (200, 20, 30)),
    "green": ((0, 128, 0), (40, 160, 60), (0, 200, 0)),
    "blue": ((0, 0, 255), (40, 70, 220), (30, 60, 160)),
    "yellow": ((255, 255, 0), (245, 220, 50)),
    "orange": ((255, 165, 0), (245, 140, 30), (255, 128, 0)),
    "purple": ((128, 0, 128), (140, 50, 180)),
    "black": ((0, 0, 0), (25, 25, 25)),
    "white": ((255, 255, 255), (240, 240, 240)),
}
"""Each colour's name and the values that it is drawn with, before a jitter of 14 per channel."""

SHAPES = ("circle", "square", "triangle", "star")

JITTER = 14
"""The most by which a drawn channel differs from its value in COLORS, of 255."""

PLACES: dict[str, tuple[float, float]] = {
    "center": (0.5, 0.5),
    "left": (0.27, 0.5),
    "right": (0.73, 0.5),
    "top": (0.5, 0.27),
    "bottom": (0.5, 0.73),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows. `color` is never `background`."""

    color: str
    shape: str
    background: str
    x: float
    """The shape's centre, as a share of the width."""
    y: float
    """The shape's centre, as a share of the height."""
    radius: float
    """Centre to corner, as a share of the shorter side."""

    @property
    def name(self) -> str:
        """Such as "red circle"."""
        return f"{self.color} {self.shape}"

    @property
    def position(self) -> Literal["left", "center", "right"]:
        """Where the shape is, from left to right."""
        if self.x < 0.4:
            return "left"
        return "right" if self.x > 0.6 else "center"


def new_scene(random: Random) -> Scene:
    """A scene chosen by `random`; a shape in the centre is the most frequent and may be the largest."""
    background = random.choice(list(COLORS))
    color = random.choice([name for name in COLORS if name != background])
    place = random.choice(["center", *PLACES])
    x, y = PLACES[place]
    return Scene(
        color=color,
        shape=random.choice(SHAPES),
        background=background,
        x=x + random.uniform(-0.04, 0.04),
        y=y + random.uniform(-0.04, 0.04),
        radius=random.uniform(0.2, 0.42) if place == "center" else random.uniform(0.17, 0.24),
    )


def draw(scene: Scene, width: int, height: int, random: Random) -> Image.Image:
    """The scene as an RGB picture of `width` x `height` pixels; `random` picks the exact shades."""
    picture = Image.new("RGB", (width, height), _shade(scene.background, random))
    _fill_shape(scene, picture, _shade(scene.color, random))
    return picture


def mask(scene: Scene, width: int, height: int) -> Image.Image:
    """Where the shape is: 255 on it, 0 beside it."""
    picture = Image.new("L", (width, height), 0)
    _fill_shape(scene, picture, 255)
    return picture


def _fill_shape(scene: Scene, picture: Image.Image, fill: Rgb | int) -> None:
    pen = ImageDraw.Draw(picture)
    x, y, radius = scene.x * picture.width, scene.y * picture.height, scene.radius * min(picture.size)
    if scene.shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    else:
        pen.polygon([(x + radius * dx, y + radius * dy) for dx, dy in _CORNERS[scene.shape]], fill=fill)


def caption(scene: Scene) -> str:
    """What the model is taught to say, such as "an orange star on a blue background"."""
    return f"{_with_article(scene.name)} on {_with_article(scene.background)} background"


def tags(scene: Scene) -> list[str]:
    """What the model is taught to list, most telling first."""
    return [scene.name, f"{scene.background} background", "simple background"]


def _with_article(words: str) -> str:
    return f"an {words}" if words.startswith("o") else f"a {words}"


def _shade(color: str, random: Random) -> Rgb:
    red, green, blue = (
        max(0, min(255, value + random.randint(-JITTER, JITTER))) for value in random.choice(COLORS[color])
    )
    return red, green, blue


def _star_corner(index: int) -> tuple[float, float]:
    reach = 1.0 if index % 2 == 0 else 0.42
    return reach * math.sin(math.pi * index / 5), -reach * math.cos(math.pi * index / 5)


_CORNERS: dict[str, tuple[tuple[float, float], ...]] = {
    "square": ((-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)),
    "triangle": ((0.0, -1.0), (-0.95, 0.8), (0.95, 0.8)),
    "star": tuple(_star_corner(index) for index in range(10)),
}
"""The corners of each polygon, in radii from its centre, y downwards."""
