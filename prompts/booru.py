"""An analysis in Danbooru's tags, for families that were trained on them.

Knows which tags say what (`booru_wording.py`, `vocabulary.py`); knows no order and no budget.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from . import booru_wording as wording
from .analysis import ImageAnalysis, Subject
from .faces import FACES, is_face
from .families import Family, Slot
from .keep import Keep
from .options import UnknownTags
from .phrases import phrases_in, tells, words_of
from .slots import LIMITS, PEOPLE_STEMS, Phrase, fixed, free, palette_names, style_words
from .syntax import clean
from .vocabulary import vocabulary

_SERIES = re.compile(r"\(([^()]+)\)$")
_COUNTS = re.compile(r"[1-6]\+?(?:girl|boy|other)s?|solo|no humans", re.IGNORECASE)
MOST_COUNTED = 5
"""Danbooru counts to five; then it is "6+girls"."""


def booru_phrases(analysis: ImageAnalysis, family: Family, keep: Keep, unknown: UnknownTags) -> Iterator[Phrase]:
    """Every phrase of an analysis, in Danbooru's tags; what is no tag there is kept or dropped, as asked."""
    rating = "general" if keep.minor else analysis.rating
    yield from fixed("rating", [family.rating.get(rating, "")])
    yield from fixed("source", [family.source.get(analysis.medium, "")])
    yield from fixed("count", _counts(analysis))
    yield from as_tags((phrase for phrase in _described(analysis) if keep.allows(phrase.text)), unknown)
    yield from fixed("medium", [wording.MEDIA[analysis.medium]])
    yield from fixed("shot", _shot(analysis))
    yield from fixed("composition", [wording.FOCUSES[analysis.focus]])
    light = (wording.LIGHTS[analysis.light], wording.LIGHT_DIRECTIONS[analysis.light_direction])
    yield from fixed("light", [*light, wording.CONTRASTS[analysis.contrast]])
    yield from as_tags(_colors(analysis), unknown)


def as_tags(phrases: Iterable[Phrase], unknown: UnknownTags) -> Iterator[Phrase]:
    """The phrases in Danbooru's words: one may become several tags; one that is none is kept or dropped."""
    tags_for = vocabulary().tags_for
    for phrase in phrases:
        if phrase.slot in ("character", "series") or phrase.text in FACES:
            yield phrase
            continue
        tags, whole = tags_for(phrase.text)
        if not whole and unknown == "keep":
            yield phrase
            continue
        for tag in tags:
            yield replace(phrase, text=tag)


def without_implied(phrases: list[Phrase]) -> list[Phrase]:
    """The phrases less those that go without saying: "animal ears" beside "cat ears"."""
    implied_by = vocabulary().implied_by
    implied = {general for phrase in phrases for general in implied_by(phrase.text)}
    return [phrase for phrase in phrases if phrase.text not in implied]


def _described(analysis: ImageAnalysis) -> Iterator[Phrase]:
    """All free text."""
    for number, subject in enumerate(analysis.subjects):
        yield from _subject(subject, number)
    yield from _free("setting", analysis.setting)
    yield from fixed("style", style_words(analysis)[:-1])  # the last is the era, which Danbooru does not tag
    yield from _free("mood", analysis.style.mood, LIMITS["mood"])
    yield from _free("composition", analysis.composition)
    yield from _free("general", analysis.tags)


def _subject(subject: Subject, number: int) -> Iterator[Phrase]:
    """One subject: what it is where no count tag says it, who, how it looks, what it does."""
    appearance = list(_free("appearance", subject.appearance, LIMITS["tag"], number))
    if not appearance or subject.kind == "robot":
        yield from (replace(phrase, subject=number) for phrase in fixed("subject", [wording.KINDS[subject.kind]]))
    for name in phrases_in(subject.known_character, LIMITS["known_character"]):
        yield Phrase("character", name, number)
        if series := _SERIES.search(name):
            yield from free("series", [series[1]], LIMITS["known_character"], number)
    age = wording.AGES.get((subject.age, subject.gender), "") if _is_person(subject) else ""
    yield from (replace(phrase, subject=number) for phrase in fixed("appearance", [age]))
    yield from appearance
    yield from _free("clothing", subject.clothing, LIMITS["tag"], number)
    yield from _free("action", subject.action, LIMITS["tag"], number)
    yield from _free("action", [subject.expression], LIMITS["expression"], number)


def _free(slot: Slot, texts: Iterable[str], limit: int = LIMITS["tag"], subject: int = 0) -> Iterator[Phrase]:
    """The phrases in free text, faces among them."""
    for text in texts:
        if is_face(text):
            yield Phrase(slot, text.strip().lower(), subject)
        else:
            yield from free(slot, [text], limit, subject)


def _is_person(subject: Subject) -> bool:
    return subject.kind in ("person", "character")


def _is_counted(subject: Subject) -> bool:
    """Whether a count tag says it: a mermaid or a robot girl is a girl, too."""
    return _is_person(subject) or (subject.kind in ("creature", "robot") and subject.gender in ("female", "male"))


def _counts(analysis: ImageAnalysis) -> list[str]:
    """How many of whom: "2girls", "1boy", "solo". Where no subject is told, what the model's own tags say of it."""
    if not analysis.subjects:
        told = [tag for text in analysis.tags if _COUNTS.fullmatch(tag := clean(text).replace("_", " ").lower())]
        mentioned = words_of(" ".join([analysis.caption, *analysis.tags])) & PEOPLE_STEMS
        return told or (["no humans"] if analysis.setting and not mentioned else [])
    people: Counter[str] = Counter()
    for subject in filter(_is_counted, analysis.subjects):
        people[wording.COUNTED[subject.gender]] += subject.count
    tags = [_counted(word, people[word]) for word in ("girl", "boy", "other") if people[word]]
    if people.total() == 1:
        tags.append("solo")
    return tags or ["no humans"]


def _counted(word: str, count: int) -> str:
    if count == 1:
        return f"1{word}"
    return f"{count}{word}s" if count <= MOST_COUNTED else f"6+{word}s"


def _colors(analysis: ImageAnalysis) -> Iterator[Phrase]:
    """The dominant colours as themes: "blue theme"."""
    names = palette_names(analysis)[: [color.role for color in analysis.palette].count("dominant")]
    return fixed("color", [theme for name in names if tells(theme := f"{name} theme")])


def _shot(analysis: ImageAnalysis) -> list[str]:
    return [
        wording.SHOTS[analysis.shot],
        wording.ANGLES[analysis.angle],
        wording.VIEWS[analysis.view],
        wording.LENSES[analysis.lens],
    ]
