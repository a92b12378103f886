"""An analysis in plain words: each fixed word by `wording.py`, each free text as the model wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from . import wording
from .analysis import ImageAnalysis, Kind, Subject, VisibleText
from .families import Family
from .keep import Keep
from .phrases import listed, phrases_in, tells, whole_words
from .slots import LIMITS, Phrase, fixed, free, light_words, noun_of, palette_names, shot_words, style_words
from .syntax import clean

_NAMED_BY_KIND: frozenset[Kind] = frozenset({"person", "character", "creature", "robot"})
"""Kinds worth naming even when the appearance, which begins with what a thing is, tells something."""
MAX_PALETTE = 3
PALETTE = " color palette"
_PREPOSITIONS = ("on ", "in ", "at ", "above ", "below ", "across ", "near ", "beside ", "under ", "over ")


def plain_phrases(analysis: ImageAnalysis, family: Family, keep: Keep) -> Iterator[Phrase]:
    """Every phrase of an analysis; free text that holds several phrases is taken apart."""
    rating = "general" if keep.minor else analysis.rating
    if word := family.rating.get(rating):
        yield Phrase("rating", word)
    yield from _subjects(analysis.subjects, one_by_one=family.form == "prose")
    yield from free("setting", analysis.setting, LIMITS["tag"])
    if analysis.medium != "other":
        yield Phrase("medium", analysis.medium)
    yield from fixed("style", style_words(analysis))
    yield from free("mood", analysis.style.mood, LIMITS["mood"])
    yield from fixed("shot", shot_words(analysis))
    yield from free("composition", analysis.composition, LIMITS["tag"])
    yield from fixed("composition", _place(analysis.subjects))
    yield from fixed("light", light_words(analysis))
    yield from fixed("color", _palette(analysis, keep, family))
    yield from fixed("text", map(_quoted, analysis.visible_text))
    yield from free("general", analysis.tags, LIMITS["tag"])


def _subjects(subjects: list[Subject], *, one_by_one: bool) -> Iterator[Phrase]:
    """The subjects one after another.

    one_by_one: each is named with its own count, as sentences need it. Else those of one noun are counted together
    where the first is named: among tags, "woman" twice is one woman.
    """
    totals: Counter[str] = Counter()
    for subject in subjects:
        totals[noun_of(subject)] += subject.count
    for number, subject in enumerate(subjects):
        noun = noun_of(subject)
        appearance = list(free("appearance", subject.appearance, LIMITS["tag"], number))
        count = subject.count if one_by_one else totals.pop(noun, 0)
        if subject.kind not in _NAMED_BY_KIND and appearance and (count > 1 or not noun):
            noun = appearance.pop(0).text  # what exactly it is: "fishing boat", which says more than "vehicle"
            count = subject.count
        elif subject.kind not in _NAMED_BY_KIND and appearance:
            noun = ""
        if noun and count:
            yield Phrase("subject", wording.counted(noun, count), number)
        yield from free("character", [subject.known_character], LIMITS["known_character"], number)
        yield from appearance
        yield from free("clothing", subject.clothing, LIMITS["tag"], number)
        yield from free("action", subject.action, LIMITS["tag"], number)
        yield from free("action", [subject.expression], LIMITS["expression"], number)


def _place(subjects: list[Subject]) -> list[str]:
    """Where the subject is, if there is but one: of two, nobody could tell which is meant."""
    return [wording.PLACES[subject.position] for subject in subjects] if len(subjects) == 1 else []


def _palette(analysis: ImageAnalysis, keep: Keep, family: Family) -> list[str]:
    """The palette as one phrase: a colour alone between commas would colour anything."""
    names = [name for name in palette_names(analysis) if keep.allows(name) and tells(name + PALETTE)][:MAX_PALETTE]
    together = listed(names) if family.form == "prose" else " and ".join(names)  # among tags a comma ends a phrase
    return [together + PALETTE] if names else []


def _quoted(seen: VisibleText) -> str:
    """Writing in quotes, spelled as it is, and where: `text "OPEN" on the door`; "" where nothing can be read."""
    words = whole_words(clean(seen.text), LIMITS["visible_text"]).replace('"', "'")
    if not tells(words):
        return ""
    where = " ".join(phrases_in(seen.where, LIMITS["where"]))
    place = where if where.startswith(_PREPOSITIONS) else where and f"on {where}"
    return f'text "{words}" {place}'.strip()
