"""The slots of a prompt, and what both ways of wording an analysis share: its free text and its fixed words as phrases.

Knows no family.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import get_args

from . import wording
from .analysis import Color, ImageAnalysis, Subject
from .faces import is_face
from .families import Slot
from .options import LookAt
from .phrases import phrases_in, words_of

DETAILS: tuple[Slot, ...] = ("appearance", "clothing", "action")
SUBJECT_SLOTS: tuple[Slot, ...] = ("count", "subject", "character", "series", *DETAILS)
SLOTS_OF: dict[LookAt, frozenset[Slot]] = {
    "everything": frozenset(get_args(Slot)),
    "subject": frozenset({"rating", *SUBJECT_SLOTS}),
    "style": frozenset({"rating", "source", "medium", "style", "mood", "color", "light"}),
    "composition": frozenset({"rating", "shot", "composition", "setting"}),
}
LIMITS = {"tag": 40, "expression": 32, "known_character": 48, "mood": 24, "color": 24, "visible_text": 80, "where": 32}
"""The longest text of each kind that the schema lets a model write, in characters."""
PEOPLE_STEMS = words_of("woman man girl boy person child")


class Claim(IntEnum):
    """In what order phrases get the budget."""

    IN_TURN = 0
    """By the turns of their slots."""
    EARLY = 1
    """Before all those in turn."""
    MUST = 2
    """First of all; whoever writes them sees to it that they fit."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One thing to say, in plain text (not yet escaped)."""

    slot: Slot
    text: str
    subject: int = 0
    """Which subject of the picture it is about, from 0."""
    claim: Claim = Claim.IN_TURN
    """Its claim to the budget."""


def free(slot: Slot, texts: Iterable[str], limit: int, subject: int = 0) -> Iterator[Phrase]:
    """The phrases in free text."""
    return (Phrase(slot, phrase, subject) for text in texts if not is_face(text) for phrase in phrases_in(text, limit))


def fixed(slot: Slot, texts: Iterable[str]) -> Iterator[Phrase]:
    """The phrases among fixed wordings."""
    return (Phrase(slot, text) for text in texts if text)


def noun_of(subject: Subject) -> str:
    """What a subject is called in plain words."""
    return wording.noun_of(subject.kind, subject.gender, subject.age)


def style_words(analysis: ImageAnalysis) -> list[str]:
    """Movement (unless the model was unsure of the style), technique, texture and era."""
    style = analysis.style
    movement = [] if style.confidence == "low" else [style.movement]
    free = [*_phrases(movement), *_phrases(style.technique), *_phrases(style.texture)]
    return [*free, wording.ERAS.get(style.era, "")]


def shot_words(analysis: ImageAnalysis) -> list[str]:
    """How the picture is framed and through what lens."""
    return [
        wording.SHOTS[analysis.shot],
        wording.ANGLES[analysis.angle],
        wording.VIEWS[analysis.view],
        wording.FOCUSES[analysis.focus],
        wording.LENSES[analysis.lens],
    ]


def light_words(analysis: ImageAnalysis) -> list[str]:
    """The light, where it comes from and how hard it is."""
    return [
        wording.LIGHTS[analysis.light],
        wording.LIGHT_DIRECTIONS[analysis.light_direction],
        wording.CONTRASTS[analysis.contrast],
    ]


def palette_names(analysis: ImageAnalysis) -> list[str]:
    """The palette's colour names, dominant ones first, none twice."""
    return palette_names_of(analysis.palette)


def palette_names_of(palette: Iterable[Color]) -> list[str]:
    """The colour names, dominant ones first, none twice."""
    by_role = sorted(palette, key=lambda color: ("dominant", "secondary", "accent").index(color.role))
    return list(dict.fromkeys(name for color in by_role for name in phrases_in(color.name, LIMITS["color"])))


def _phrases(texts: Iterable[str]) -> list[str]:
    """The phrases in fields of 40 characters."""
    return [phrase for text in texts for phrase in phrases_in(text, LIMITS["tag"])]


def names_subject(text: str, analysis: ImageAnalysis) -> bool:
    """Whether a phrase about style speaks of who or what is in the picture."""
    said = words_of(text)
    if said & PEOPLE_STEMS:
        return True
    for subject in analysis.subjects:
        nouns = {noun_of(subject).rpartition(" ")[2]}
        if subject.kind not in ("person", "character"):  # their appearance begins with what they are
            nouns |= {name.rpartition(" ")[2] for name in phrases_in("".join(subject.appearance[:1]))}
        if any(words_of(noun) & said for noun in nouns):
            return True
        names = (name.partition(" (")[0] for name in phrases_in(subject.known_character))
        if any(words_of(name) <= said for name in names if words_of(name)):
            return True
    return False
