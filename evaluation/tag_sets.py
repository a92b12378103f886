"""What counts as one and the same tag when a written prompt is compared with a reference.

Weights, escapes, case and underscores are taken off; what Danbooru's vocabulary knows counts by its tag, with the more
general tags that it implies; quality words, ratings and a family's own words do not count. Knows no pictures.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ..prompts.faces import is_face
from ..prompts.families import Family
from ..prompts.phrases import tells
from ..prompts.syntax import clean, parse
from ..prompts.vocabulary import vocabulary

_BETWEEN = re.compile(r"[,;\uFF0C\u3001\r\n]|\bBREAK\b")
_RATING = re.compile(r"rating[: ]*\w+")
_EDGES = " .,;:!?|\"'"
_BRACKETS = str.maketrans("", "", "()")


class TagSets:
    """Reads tags. `families` are those whose own words (prefix, suffix, ratings, sources) count nowhere."""

    def __init__(self, families: Iterable[Family] = ()) -> None:
        """Raises VocabularyFileError."""
        self._vocabulary = vocabulary()
        # raw tags have brackets that are no weights; prompts have them escaped: so they count nowhere
        self._bracketed = {tag.translate(_BRACKETS): tag for tag in self._vocabulary.tags if "(" in tag}
        self._own = frozenset(
            phrase
            for family in families
            for words in (*family.prefix, *family.suffix, *family.rating.values(), *family.source.values())
            for phrase in _phrases(words)
        )

    def tags(self, *texts: str) -> frozenset[str]:
        """The tags in prompts or lists of tags, each with what it implies. Raises PromptError for brackets that nest
        too deep."""
        found = {tag for tags in self.keys(*texts) for tag in tags}
        return frozenset(found.union(*map(self._vocabulary.implied_by, found)))

    def keys(self, *texts: str) -> list[tuple[str, ...]]:
        """Phrase by phrase, as often as they come, the tags that each stands for: one as a rule; several where the
        vocabulary says the phrase with several ("long red hair"); itself where it is none. Raises as `tags`."""
        phrases = [phrase for text in texts for phrase in _phrases(text) if self._counts(phrase)]
        return [key for phrase in phrases if (key := self._key(phrase))]

    def _key(self, phrase: str) -> tuple[str, ...]:
        if is_face(phrase):
            return (phrase,)
        if phrase in self._bracketed:
            return (self._bracketed[phrase].translate(_BRACKETS),)
        tags, whole = self._vocabulary.tags_for(phrase)
        return tuple(tag.translate(_BRACKETS) for tag in tags) if whole else (phrase,)

    def _counts(self, phrase: str) -> bool:
        """Whether a phrase says something of a picture. Danbooru's counts do ("1girl"), which `tells` denies."""
        if phrase in self._own or _RATING.fullmatch(phrase):
            return False
        return is_face(phrase) or self._vocabulary.canonical(phrase) is not None or tells(phrase)


def _phrases(text: str) -> list[str]:
    """The phrases between commas and lines, in lower case, without weights, escapes, brackets and underscores."""
    plain = "".join(words for words, _ in parse(text))
    return [phrase for part in _BETWEEN.split(plain) if (phrase := _plain(part))]


def _plain(part: str) -> str:
    part = part.strip().lower()
    if is_face(part):
        return part
    part = unicodedata.normalize("NFKC", part)  # wide letters, as Chinese and Japanese keyboards write them
    return " ".join(clean(part.replace("_", " ")).translate(_BRACKETS).split()).strip(_EDGES)
