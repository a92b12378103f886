"""An analysis as phrases, each in its slot, most telling first: what there is to say, before any family says it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import get_args

from . import wording
from .analysis import ImageAnalysis, Kind, Subject, VisibleText
from .families import Family, Slot
from .keep import Keep
from .options import LookAt
from .phrases import key_of, phrases_in, tells, whole_words
from .sentences import caption_sentences
from .syntax import clean

SUBJECT_SLOTS: tuple[Slot, ...] = ("subject", "character", "appearance", "clothing", "action")
SLOTS_OF: dict[LookAt, frozenset[Slot]] = {
    "everything": frozenset(get_args(Slot)),
    "subject": frozenset(SUBJECT_SLOTS),
    "style": frozenset({"medium", "style", "mood", "color", "light"}),
    "composition": frozenset({"shot", "composition", "setting"}),
}
_NAMES: frozenset[Slot] = frozenset({*SUBJECT_SLOTS, "setting", "general"})
_NAMED_BY_KIND: frozenset[Kind] = frozenset({"person", "character", "creature", "robot"})
"""Kinds worth naming even when the appearance, which begins with what a thing is, tells something."""
MAX_PALETTE = 3
PALETTE = " color palette"
LIMITS = {"tag": 40, "expression": 32, "known_character": 48, "mood": 24, "color": 24, "visible_text": 80, "where": 32}
"""The longest text of each kind that the schema lets a model write, in characters."""
_PREPOSITIONS = ("on ", "in ", "at ", "above ", "below ", "across ", "near ", "beside ", "under ", "over ")
_PEOPLE = frozenset(
    ("woman", "women", "man", "men", "girl", "girls", "boy", "boys", "person", "people", "child", "children")
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """One thing to say, in plain text (not yet escaped)."""

    slot: Slot
    text: str
    subject: int = 0
    """Which subject of the picture it is about, from 0."""


def found(analysis: ImageAnalysis, family: Family, look_at: LookAt, keep: Keep) -> list[Phrase]:
    """All that the family wants to hear and the user wants said, slot by slot, none twice.

    Where an analysis names nothing to draw but in its caption, the caption's clauses stand in for tags.
    """
    one_by_one = family.form == "prose"
    wanted: set[Slot] = {slot for slot in family.order if slot in SLOTS_OF[look_at]}
    phrases = _distinct(_all(analysis, family, keep), wanted, keep, one_by_one=one_by_one)
    if look_at == "everything" and family.form == "tags" and not any(phrase.slot in _NAMES for phrase in phrases):
        wanted.add("general")
        clauses = _free("general", caption_sentences(analysis.caption, keep), 0)
        phrases = _distinct([*phrases, *clauses], wanted, keep, one_by_one=False)
    elif look_at == "style":
        phrases = [phrase for phrase in phrases if not _names_subject(phrase.text, analysis)]
    return phrases


def _distinct(phrases: Iterable[Phrase], wanted: AbstractSet[Slot], keep: Keep, *, one_by_one: bool) -> list[Phrase]:
    """The phrases of the wanted slots that may be said, none twice, no tag that repeats a part of another."""
    kept: list[Phrase] = []
    said: set[str] = set()
    parts_said: list[frozenset[str]] = []
    for phrase in phrases:
        if phrase.slot not in wanted or not keep.allows(phrase.text):
            continue
        words = key_of(phrase.text)
        key = words
        if phrase.slot == "subject" and one_by_one:
            key = f"{phrase.subject} {words}"  # "a woman" and "another woman"
        if key in said:
            continue
        parts = frozenset(words.split())
        if phrase.slot == "general" and any(parts <= others for others in parts_said):
            continue  # "bench" after "sitting on a bench"
        said.add(key)
        parts_said.append(parts)
        kept.append(phrase)
    return kept


def _all(analysis: ImageAnalysis, family: Family, keep: Keep) -> Iterator[Phrase]:
    """Every phrase of an analysis; free text that holds several phrases is taken apart."""
    rating = "general" if keep.minor else analysis.rating
    if word := family.rating.get(rating):
        yield Phrase("rating", word)
    yield from _subjects(analysis.subjects, one_by_one=family.form == "prose")
    yield from _free("setting", analysis.setting, LIMITS["tag"])
    if analysis.medium != "other":
        yield Phrase("medium", analysis.medium)
    yield from _fixed("style", style_words(analysis))
    yield from _free("mood", analysis.style.mood, LIMITS["mood"])
    yield from _fixed("shot", shot_words(analysis))
    yield from _free("composition", analysis.composition, LIMITS["tag"])
    yield from _fixed("composition", _place(analysis.subjects))
    yield from _fixed("light", light_words(analysis))
    yield from _fixed("color", _palette(analysis, keep))
    yield from _fixed("text", map(_quoted, analysis.visible_text))
    yield from _free("general", analysis.tags, LIMITS["tag"])


def _noun(subject: Subject) -> str:
    return wording.noun_of(subject.kind, subject.gender, subject.age)


def _subjects(subjects: list[Subject], *, one_by_one: bool) -> Iterator[Phrase]:
    """The subjects one after another.

    one_by_one: each is named with its own count, as sentences need it. Else those of one noun are counted together
    where the first is named: among tags, "woman" twice is one woman.
    """
    totals: Counter[str] = Counter()
    for subject in subjects:
        totals[_noun(subject)] += subject.count
    for number, subject in enumerate(subjects):
        noun = _noun(subject)
        appearance = list(_free("appearance", subject.appearance, LIMITS["tag"], number))
        count = subject.count if one_by_one else totals.pop(noun, 0)
        if noun and count and (subject.kind in _NAMED_BY_KIND or count > 1 or not appearance):
            yield Phrase("subject", wording.counted(noun, count), number)
        yield from _free("character", [subject.known_character], LIMITS["known_character"], number)
        yield from appearance
        yield from _free("clothing", subject.clothing, LIMITS["tag"], number)
        yield from _free("action", subject.action, LIMITS["tag"], number)
        yield from _free("action", [subject.expression], LIMITS["expression"], number)


def _place(subjects: list[Subject]) -> list[str]:
    """Where the subject is, if there is but one: of two, nobody could tell which is meant."""
    return [wording.PLACES[subject.position] for subject in subjects] if len(subjects) == 1 else []


def style_words(analysis: ImageAnalysis) -> list[str]:
    """Movement (unless the model was unsure of the style), technique, texture and era."""
    style = analysis.style
    movement = [] if style.confidence == "low" else [style.movement]
    free = [*_texts(movement), *_texts(style.technique), *_texts(style.texture)]
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
    by_role = sorted(analysis.palette, key=lambda color: ("dominant", "secondary", "accent").index(color.role))
    return list(dict.fromkeys(name for color in by_role for name in phrases_in(color.name, LIMITS["color"])))


def _palette(analysis: ImageAnalysis, keep: Keep) -> list[str]:
    """The palette as one phrase: a colour alone between commas would colour anything."""
    names = [name for name in palette_names(analysis) if keep.allows(name) and tells(name + PALETTE)][:MAX_PALETTE]
    return [" and ".join(names) + PALETTE] if names else []


def _quoted(seen: VisibleText) -> str:
    """Writing in quotes, spelled as it is, and where: `text "OPEN" on the door`; "" where nothing can be read."""
    words = whole_words(clean(seen.text), LIMITS["visible_text"]).replace('"', "'")
    if not tells(words):
        return ""
    where = " ".join(phrases_in(seen.where, LIMITS["where"]))
    place = where if where.startswith(_PREPOSITIONS) else where and f"on {where}"
    return f'text "{words}" {place}'.strip()


def _texts(texts: Iterable[str]) -> list[str]:
    """The phrases in fields of 40 characters."""
    return [phrase for text in texts for phrase in phrases_in(text, LIMITS["tag"])]


def _free(slot: Slot, texts: Iterable[str], limit: int, subject: int = 0) -> Iterator[Phrase]:
    """The phrases in free text."""
    return (Phrase(slot, phrase, subject) for text in texts for phrase in phrases_in(text, limit))


def _fixed(slot: Slot, texts: Iterable[str]) -> Iterator[Phrase]:
    """The phrases among fixed wordings."""
    return (Phrase(slot, text) for text in texts if text)


def _names_subject(text: str, analysis: ImageAnalysis) -> bool:
    """Whether a phrase about style speaks of who or what is in the picture."""
    nouns = {_noun(subject).rpartition(" ")[2] for subject in analysis.subjects}
    names = {name for subject in analysis.subjects for name in phrases_in(subject.known_character)}
    return bool((_PEOPLE | nouns).intersection(re.findall(r"\w+", text))) or any(name in text for name in names)
