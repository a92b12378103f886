"""What the seeing model learns to answer: compact JSON about drawn scenes, and prompts whose words are noise.

A lesson is a list of pieces of text. The server's grammar forces the keys of whatever schema a test asks for, so the
model learns the whole text only for the real `ImageAnalysis`; for other sets of fields it learns the values alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from string import printable
from typing import Any, Literal

from img2prompt.prompts.analysis import Color, Flaws, ImageAnalysis, Style, Subject
from img2prompt.tests.seeing_model.scenes import COLORS, SHAPES, Scene, caption, new_scene, tags

PROSE_KEYS = ("caption", "description", "prompt", "summary", "alt_text", "observation", "what_is_seen", "text")
NAME_KEYS = ("title", "name", "subject", "label")
BACKGROUND_KEYS = ("background", "background_color", "backdrop")
TAG_KEYS = ("tags", "keywords", "labels", "terms")
LIST_KEYS = ("observations", "captions", "images", "descriptions")
"""Lists with one caption per picture, in the order of the pictures."""

PHRASES = (
    "Describe the image.",
    "You are a careful image annotator.",
    "Report only what is visible; do not invent details.",
    "Answer only with JSON that follows the schema.",
    "Look at every picture in order.",
    "Use short lowercase tags, most telling first.",
    "What do you see?",
    "Extract a prompt from this picture for an image generation model.",
    "The caption names the subject, its colour, shape, position and the background.",
    "Describe medium, style, light, palette, composition and mood.",
    "If something cannot be told, write an empty string, an empty list or unknown.",
    "No comments, no markdown.",
)
_LICENSE = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8")
"""Plain English that lies at hand and does not change: what prompts are made of in training."""
WORDS = sorted({word for word in _LICENSE.lower().split() if word.isalpha() and 3 <= len(word) <= 10})
_SCHEMA = json.dumps(ImageAnalysis.model_json_schema())

Kind = Literal["short", "part", "analysis", "observations"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the answer's text. What is not learned stands there as what the model has written so far."""

    text: str
    learned: bool = True
    key: bool = False
    picture: int = 0
    """Which of several pictures it is about, from 1."""


def analysis(scene: Scene) -> ImageAnalysis:
    """The right and whole analysis of a scene."""
    return ImageAnalysis(
        caption=caption(scene),
        medium="vector graphic",
        subjects=[
            Subject(
                kind="object",
                count=1,
                gender="not applicable",
                age="not applicable",
                known_character="",
                appearance=[scene.color, scene.shape],
                clothing=[],
                action=[],
                expression="",
                position=scene.position,
            )
        ],
        setting=[f"{scene.background} background"],
        shot="not applicable",
        angle="eye level",
        view="front",
        lens="unknown",
        focus="deep",
        composition=["single subject"],
        light="flat",
        light_direction="diffuse",
        contrast="balanced",
        palette=[Color(name=scene.background, role="dominant"), Color(name=scene.color, role="secondary")],
        style=Style(
            movement="",
            influences=[],
            technique=["flat color"],
            texture=[],
            mood=[],
            era="timeless",
            confidence="high",
        ),
        visible_text=[],
        flaws=Flaws(items=[]),
        rating="general",
        tags=tags(scene),
        confidence="high",
    )


def lesson(kind: Kind, scenes: list[Scene], random: Random) -> list[Piece]:
    """The answer to learn about `scenes`; only "observations" takes more than one."""
    if kind == "observations":
        key = random.choice(LIST_KEYS) if random.random() < 0.8 else _any_key(random)
        return _captions(key, scenes)
    (scene,) = scenes
    if kind == "short":
        return as_pieces(_short_fields(scene, random), whole=False)
    fields = analysis(scene).model_dump(mode="json")
    if kind == "part":
        names = [name for name in fields if random.random() < 0.3] or ["caption"]
        if random.random() < 0.5:
            random.shuffle(names)
        return as_pieces({name: fields[name] for name in names}, whole=False)
    return as_pieces(fields, whole=True)


def _captions(key: str, scenes: list[Scene]) -> list[Piece]:
    """One caption per picture."""
    before = [Piece('{"', learned=False), Piece(key, learned=False, key=True), Piece('":[', learned=False)]
    captions = [
        Piece(text, picture=number)
        for number, scene in enumerate(scenes, 1)
        for text in (',"' if number > 1 else '"', caption(scene) + '"')
    ]
    return [*before, *captions, Piece("]"), Piece("}", learned=False)]


def _short_fields(scene: Scene, random: Random) -> dict[str, Any]:
    """One to three fields that tell of the picture, half of them under the names that ImageAnalysis gives them."""
    fields: dict[str, Any] = {}
    for _ in range(random.randint(1, 3)):
        choice = random.random()
        if choice < 0.4:
            fields["caption"] = caption(scene)
        elif choice < 0.5:
            fields["tags"] = tags(scene)
        elif choice < 0.6:
            fields[random.choice(PROSE_KEYS)] = caption(scene)
        elif choice < 0.7:
            fields[random.choice(TAG_KEYS)] = tags(scene)
        elif choice < 0.75:
            fields[random.choice(NAME_KEYS)] = scene.name
        elif choice < 0.8:
            fields["color"] = scene.color
        elif choice < 0.85:
            fields["shape"] = scene.shape
        elif choice < 0.9:
            fields[random.choice(BACKGROUND_KEYS)] = scene.background
        else:
            fields[_any_key(random)] = random.choice([caption(scene), tags(scene)])
    return fields


def _any_key(random: Random) -> str:
    return "_".join(random.choice(WORDS) for _ in range(random.randint(1, 2)))


def as_pieces(value: Any, whole: bool, picture: int = 0) -> list[Piece]:
    """`value` as compact JSON; `whole`: keys and punctuation are learned too, else only what the model decides.

    Objects with an "image" are about the picture of that number, and the rest about `picture`: 0 for none of several.
    """
    if isinstance(value, dict):
        picture = value.get("image", picture)
        pieces = [Piece("{", whole, picture=picture)]
        for index, (key, entry) in enumerate(value.items()):
            comma = Piece(',"' if index else '"', whole, picture=picture)
            pieces += [comma, Piece(key, whole, key=True, picture=picture), Piece('":', whole, picture=picture)]
            pieces += as_pieces(entry, whole, picture)
        return [*pieces, Piece("}", whole, picture=picture)]
    if isinstance(value, list):
        pieces = [Piece("[", whole, picture=picture)]
        for index, entry in enumerate(value):
            text = isinstance(entry, str)
            if index or text:
                pieces.append(Piece(("," if index else "") + ('"' if text else ""), picture=picture))
            pieces += [Piece(entry + '"', picture=picture)] if text else as_pieces(entry, whole, picture)
        return [*pieces, Piece("]", picture=picture)]
    if isinstance(value, str):
        return [Piece('"', whole, picture=picture), Piece(value + '"', picture=picture)]
    return [Piece(json.dumps(value), picture=picture)]


def noise(words: int, random: Random) -> str:
    """About `words` words of prompt that say nothing of the picture, wrong captions among them."""
    parts: list[str] = []
    while words > 0:
        part = _noise_part(min(words, 80), random)
        parts.append(part)
        words -= max(1, len(part.split()))
    return random.choice([" ", "\n", "\n\n"]).join(parts)


def _noise_part(words: int, random: Random) -> str:
    kinds = ("phrase", "caption", "json", "names", "schema", "signs", "words", "license")
    match random.choices(kinds, (30, 10, 5, 5, 10, 5, 15, 20))[0]:
        case "phrase":
            part = random.choice(PHRASES)
        case "caption":
            part = f"Example: {caption(new_scene(random))}."
        case "json":
            part = json.dumps({random.choice(PROSE_KEYS): caption(new_scene(random)), "tags": tags(new_scene(random))})
        case "names":
            part = ", ".join(random.sample([*COLORS, *SHAPES], 4))
        case "schema":
            part = _excerpt(_SCHEMA, 200, random)
        case "signs":
            part = " ".join("".join(random.choices(printable, k=random.randint(1, 8))) for _ in range(min(words, 8)))
        case "words":
            part = " ".join(random.choice(WORDS) for _ in range(random.randint(1, words)))
        case _:
            part = _excerpt(_LICENSE, min(500, 20 + 6 * words), random)
    return part


def _excerpt(text: str, longest: int, random: Random) -> str:
    start = random.randrange(len(text) - longest)
    return text[start : start + random.randint(20, longest)]
