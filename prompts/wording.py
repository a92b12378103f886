"""How the analysis's fixed words are said in a prompt: "" where they are not worth a token.

For each word its phrase in a list of tags; `prose.py` builds sentences of the same phrases. Knows no family.
"""

from __future__ import annotations

from .analysis import Age, Angle, Contrast, Focus, Gender, Kind, Lens, Light, LightDirection, Position, Shot, View

NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
PLURALS = {
    "woman": "women", "man": "men", "person": "people", "child": "children", "food": "dishes", "wolf": "wolves",
    "leaf": "leaves", "knife": "knives", "loaf": "loaves", "calf": "calves", "mouse": "mice", "goose": "geese",
    "foot": "feet", "tooth": "teeth", "sheep": "sheep", "deer": "deer", "fish": "fish", "aircraft": "aircraft",
    "bread": "breads", "fruit": "fruits", "potato": "potatoes", "tomato": "tomatoes", "hero": "heroes",
}  # fmt: skip

SHOTS: dict[Shot, str] = {
    "extreme close-up": "extreme close-up",
    "close-up": "close-up",
    "portrait": "portrait",
    "upper body": "upper body shot",
    "cowboy shot": "three-quarter length shot",
    "full body": "full body shot",
    "wide shot": "wide shot",
    "establishing shot": "establishing shot",
    "not applicable": "",
}
ANGLES: dict[Angle, str] = {
    "eye level": "",
    "from above": "from above",
    "from below": "from below",
    "overhead": "overhead view",
    "dutch angle": "dutch angle",
    "aerial": "aerial view",
    "worm's eye": "worm's-eye view",
}
VIEWS: dict[View, str] = {
    "front": "",
    "three-quarter": "three-quarter view",
    "profile": "profile view",
    "back": "seen from behind",
    "multiple": "multiple views",
    "not applicable": "",
}
LENSES: dict[Lens, str] = {
    "fisheye": "fisheye lens",
    "ultra wide": "ultra wide-angle lens",
    "wide": "wide-angle lens",
    "normal": "",
    "telephoto": "telephoto lens",
    "macro": "macro lens",
    "unknown": "",
}
FOCUSES: dict[Focus, str] = {
    "deep": "deep focus",
    "shallow": "shallow depth of field",
    "tilt-shift": "tilt-shift focus",
    "unknown": "",
}
PLACES: dict[Position, str] = {
    "left": "subject on the left",
    "center": "",
    "right": "subject on the right",
    "foreground": "subject in the foreground",
    "background": "subject in the background",
    "full frame": "subject filling the frame",
}
LIGHTS: dict[Light, str] = {
    "daylight": "daylight",
    "overcast": "overcast light",
    "golden hour": "golden hour light",
    "blue hour": "blue hour light",
    "night": "night",
    "moonlight": "moonlight",
    "studio": "studio lighting",
    "window light": "window light",
    "candlelight": "candlelight",
    "firelight": "firelight",
    "neon": "neon lighting",
    "artificial indoor": "artificial indoor lighting",
    "flat": "flat lighting",
    "unknown": "",
}
LIGHT_DIRECTIONS: dict[LightDirection, str] = {
    "front": "",
    "side": "side lighting",
    "back": "backlighting",
    "rim": "rim lighting",
    "top": "light from above",
    "below": "light from below",
    "diffuse": "diffuse light",
    "unknown": "",
}
CONTRASTS: dict[Contrast, str] = {
    "low key": "low-key lighting",
    "balanced": "",
    "high key": "high-key lighting",
    "high contrast": "high contrast",
}
ERAS = {
    "prehistoric": "prehistoric",
    "ancient": "ancient",
    "medieval": "medieval",
    "early modern": "early modern period",
    "19th century": "19th century",
    "1900s-1940s": "early 20th century",
    "1950s-1970s": "mid-20th century",
    "1980s-1990s": "late 20th century",
    "futuristic": "futuristic",
}
"""The eras worth saying: "contemporary" and "timeless" are what a model draws anyway."""
FLAWS = {
    "blur": "blurry",
    "noise": "noisy",
    "text overlay": "text",
    "cropped subject": "cropped",
}
"""The flaws that a negative prompt calls something else."""

_PEOPLE: dict[Gender, tuple[str, str, str]] = {
    "female": ("woman", "girl", "teenage girl"),
    "male": ("man", "boy", "teenage boy"),
    "androgynous": ("androgynous person", "child", "teenager"),
    "unknown": ("person", "child", "teenager"),
    "not applicable": ("person", "child", "teenager"),
}
_NAMELESS: frozenset[Kind] = frozenset({"object", "other"})
"""Kinds that name nothing; what it is stands in the appearance."""


def noun_of(kind: Kind, gender: Gender, age: Age) -> str:
    """What a subject is called: "elderly woman", "teenage boy", "robot"; "" where its kind says nothing."""
    if kind not in ("person", "character"):
        return "" if kind in _NAMELESS else kind
    grown, child, teen = _PEOPLE[gender]
    if age in ("child", "teen"):
        return child if age == "child" else teen
    if kind == "character" and gender not in ("female", "male"):
        grown = "character"
    return f"{age.removesuffix(' adult')} {grown}" if age in ("young adult", "elderly") else grown


def counted(noun: str, count: int) -> str:
    """The noun for so many: "woman", "two women", "three teenage girls"."""
    if count == 1:
        return noun
    what, of, rest = noun.partition(" of ")
    head, space, last = what.rpartition(" ")
    number = NUMBERS[count] if count < len(NUMBERS) else "many"
    return f"{number} {head}{space}{_plural(last)}{of}{rest}"


def _plural(word: str) -> str:
    """The plural of an English noun; a word in -s is one already, as far as a prompt is concerned."""
    if word in PLURALS:
        return PLURALS[word]
    if word.endswith("s") and not word.endswith("ss"):
        return "buses" if word == "bus" else word
    if word.endswith(("ss", "x", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"
