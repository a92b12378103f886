"""What there is to say about a picture for one family, before anything is chosen: phrases in slots, none twice."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from . import booru_wording, wording
from .analysis import ImageAnalysis
from .booru import as_tags, booru_phrases, without_implied
from .families import Family, Slot
from .keep import Keep
from .options import RenderOptions
from .phrases import key_of
from .plain import plain_phrases
from .sentences import caption_sentences
from .slots import SLOTS_OF, SUBJECT_SLOTS, Phrase, free, names_subject

_NAMES: frozenset[Slot] = frozenset({*SUBJECT_SLOTS, "setting", "general"})


def found(analysis: ImageAnalysis, family: Family, options: RenderOptions, keep: Keep) -> list[Phrase]:
    """All that the family wants to hear and the user wants said, slot by slot, none twice.

    Where an analysis names nothing to draw but in its caption, the caption's clauses stand in for tags.
    """
    danbooru = family.vocabulary == "danbooru"
    wanted: set[Slot] = {slot for slot in family.order if slot in SLOTS_OF[options.look_at]}
    unwanted = _unwanted(analysis)
    everything = options.look_at == "everything"
    if danbooru:
        phrases = list(booru_phrases(analysis, family, keep, options.unknown_tags))
    else:
        phrases = list(plain_phrases(analysis, family, keep))
    kept = _distinct(phrases, wanted, unwanted, keep, one_by_one=family.form == "prose")
    if everything and family.form == "tags" and not any(phrase.slot in _NAMES for phrase in kept):
        wanted.add("general")
        clauses: Iterable[Phrase] = free("general", caption_sentences(analysis.caption, keep), 0)
        if danbooru:
            clauses = as_tags(clauses, options.unknown_tags)
        kept = _distinct([*phrases, *clauses], wanted, unwanted, keep, one_by_one=False)
    elif options.look_at == "style":
        kept = [phrase for phrase in kept if not names_subject(phrase.text, analysis)]
    return without_implied(kept) if danbooru else kept


def _unwanted(analysis: ImageAnalysis) -> set[str]:
    """What no prompt asks for, though a model tags it: marks on the picture, and its flaws."""
    flaws = analysis.flaws.items
    named = [*flaws, *(wording.FLAWS.get(flaw, flaw) for flaw in flaws), *(booru_wording.FLAWS[flaw] for flaw in flaws)]
    return {"watermark", "signature", "jpeg artifacts", "artist name", "web address", *map(key_of, named)}


def _distinct(
    phrases: Iterable[Phrase], wanted: AbstractSet[Slot], unwanted: set[str], keep: Keep, *, one_by_one: bool
) -> list[Phrase]:
    """The phrases of the wanted slots that may be said, none twice, no tag that repeats a part of another."""
    kept: list[Phrase] = []
    said: set[str] = set()
    parts_said: list[frozenset[str]] = []
    for phrase in phrases:
        if phrase.slot not in wanted or not keep.allows(phrase.text):
            continue
        words = key_of(phrase.text)
        if phrase.slot == "general" and words in unwanted:
            continue
        key = words
        if phrase.slot in SUBJECT_SLOTS and one_by_one:
            key = f"{phrase.subject} {words}"  # "a woman" and "another woman", each with her hat
        if key in said:
            continue
        parts = frozenset(words.split())
        if phrase.slot == "general" and any(parts <= others for others in parts_said):
            continue  # "bench" after "sitting on a bench"
        said.add(key)
        parts_said.append(parts)
        kept.append(phrase)
    return kept
