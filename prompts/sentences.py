"""Prose taken apart: a caption's sentences and clauses, and how to shorten them without leaving broken text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable

from .keep import Keep
from .phrases import sentence, tells
from .syntax import clean

# \u2026 is an ellipsis, \u201c \u201d \u2018 \u2019 are curly quotes, \u2014 \u2013 dashes, others East Asian marks
_SENTENCE_END = re.compile(
    r"(?:(?<=[.!?\u2026])|(?<=[.!?\u2026][\"'\u201d\u2019)]))\s+(?=[^\Wa-z_]|[\"'\u201c\u2018(])|(?<=[\u3002\uff01\uff1f])\s*"
)
_CLAUSE_END = re.compile(r"\s*[,;]\s+|\s+[\u2014\u2013-]\s+|[\uff0c\uff1b\u3001]")
_SPACE_BEFORE_MARK = re.compile(r"\s+(?=[.,;!?](?:\s|$))")
_CLAUSE_EDGES = " ,;:-\u2014\u2013"
_PICTURE = r"(?:image|picture|photo(?:graph)?|illustration|painting|drawing|artwork|scene|render(?:ing)?)"
# "This image shows a cat" tells a text encoder nothing that "A cat" does not, and its early words weigh most.
_LEAD_IN = re.compile(
    rf"(?:in )?(?:this|the|an?) (?:\w+ )?{_PICTURE},? (?:(?:we|you|one) (?:can )?sees? |(?:\w+ly )?(?:shows?|depicts?|"
    r"features?|captures?|presents?|portrays?|displays?|showcases?|contains?|illustrates?) )(?:us )?"
    rf"|(?:this|the) {_PICTURE} (?:is|appears to be|seems to be) (?=an? |the )"
    r"|(?:here )?(?:we|you) (?:can )?see ",
    re.IGNORECASE,
)
CAPTION_LIMIT = 900
"""The longest caption that the schema lets a model write, in characters."""
_LOOSE_START = re.compile(r"^(?:and|or|but|as well as|along with)\s+", re.IGNORECASE)
_LOOSE = (
    r"(?:an?|the|and|or|but|with|without|of|in|on|at|by|to|from|for|as|is|are|its|his|her|their|that|which|who|while|"
    r"into|near|behind|beside|before|above|below|under|over|between|among|around|through|against|very|wearing|holding)"
)
LONGEST_LOOSE = 64
"""More characters than any of them has, with the spaces before it."""
_LOOSE_END = re.compile(rf"(?:^|\s+){_LOOSE}$", re.IGNORECASE)
_PHRASE_END = re.compile(rf"\s+(?={_LOOSE}\s)", re.IGNORECASE)


def caption_sentences(caption: str, keep: Keep) -> list[str]:
    """The caption's sentences, fit for a prompt: no lead-in, no filler, nothing that may not be said.

    Clauses with such words go; where that leaves nothing of the caption, the words alone go.
    """
    text = " ".join(clean(caption).replace("_", " ").split())
    sentences = _split(_SPACE_BEFORE_MARK.sub("", text))
    if len(caption) >= CAPTION_LIMIT and len(sentences) > 1 and sentences[-1][-1] not in ".!?":
        sentences.pop()  # cut off by the schema
    sentences = [_without_lead_in(text) for text in sentences]
    kept = [text for text in (_kept_clauses(text, keep) for text in sentences) if text]
    return kept or [text for text in (_kept_words(text, keep) for text in sentences) if text]


def _split(text: str) -> list[str]:
    """The sentences of cleaned text."""
    return [part for part in map(str.strip, _SENTENCE_END.split(text)) if part]


def _without_lead_in(text: str) -> str:
    """A sentence without "This image shows" and the like before what is shown."""
    found = _LEAD_IN.match(text)
    return sentence(text[found.end() :]) if found else text


def _kept_clauses(text: str, keep: Keep) -> str:
    """A sentence less the clauses that say nothing or may not be said; "" where none stays."""
    ends = [*(match.span() for match in _CLAUSE_END.finditer(text)), (len(text), len(text))]
    kept, start = "", 0
    for end, following in ends:
        clause = text[start:end]
        if tells(clause.strip(" .!?")) and keep.allows(clause):
            kept += text[start:following]
        start = following
    return sentence(text if kept == text else _tidy(kept))


def _kept_words(text: str, keep: Keep) -> str:
    """A sentence less the very words that may not be said; "" where nothing is left of it."""
    words = sentence(_tidy(keep.without(text).strip(" .,;")))
    return words if tells(words.strip(" .!?")) and keep.allows(words) else ""


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning of a sentence that fits: cut after a clause, else before a small word, else anywhere."""
    for border in (_CLAUSE_END, _PHRASE_END, re.compile(r"\s+")):
        ends = [match.start() for match in border.finditer(text)]
        # what fits is tried by halves: counting costs a tokenizer's run
        fitting = bisect_left(ends, True, key=lambda end: not fits(_beginning(text, end)))
        for end in reversed(ends[:fitting]):
            cut = _beginning(text, end)
            if tells(cut.strip(".")) and fits(cut):
                return cut
    return ""


def _beginning(text: str, end: int) -> str:
    """The text up to there as a sentence."""
    return sentence(_tidy(text[:end]))


def _tidy(text: str) -> str:
    """Text without a conjunction before it and without small words that lead nowhere after it."""
    text = _LOOSE_START.sub("", text.strip(_CLAUSE_EDGES))
    # looked for in the end alone: a model that loops writes thousands of small words
    while found := _LOOSE_END.search(text, max(0, len(text) - LONGEST_LOOSE)):
        text = text[: found.start()].rstrip(_CLAUSE_EDGES)
    return text
