"""Single phrases: how free text becomes one phrase of a prompt, which phrases say nothing, and which say the same.

Knows no analysis and no family.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from .syntax import clean

_NOTHING = frozenset({"", "unknown", "not applicable", "other", "none", "n/a", "na", "null", "unspecified", "no"})
_EDGES = " ,.;:!?-|\"'"
_SEPARATORS = re.compile(r"[,;]")
_WORD = re.compile(r"[^\W_]+")
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|(?<!s)s)$")
_SINGULAR = {"women": "woman", "men": "man", "people": "person", "children": "child"}
_ENDED = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)]*$")
_ALIKE = re.compile(r"[\s_-]+")

# Words about how good a picture is, not about what is in it: the model may not praise, and the quality words that a
# family was trained on are in its own file.
_FILLER = re.compile(
    r"masterpiece|(?:best|high|highest|amazing|great|good|normal|low|worst|top|premium|excellent)[ -]quality|quality|"
    r"high[ -]?res(?:olution)?|absurd ?res|(?:ultra )?[48] ?k(?: uhd| resolution)?|u?hd|hdr|"
    r"(?:ultra|super|hyper)[ -]?(?:detailed|realistic|hd|sharp|high[ -]res(?:olution)?)|"
    r"(?:very |highly |extremely |intricately |insanely |incredibly )*detailed|intricate(?: details?)?|"
    r"award[ -]winning.*|trending on .*|(?:.* )?art ?station.*|"
    r"(?:very |so )?(?:stunning|beautiful|gorgeous|breathtaking|amazing|incredible|professional|perfect)|"
    r"score ?\d.*|source (?:anime|cartoon|furry|pony)|rating ?(?:safe|questionable|explicit|general|sensitive)|"
    r"newest|very aesthetic|aesthetic|sharp focus",
    re.IGNORECASE,
)
# Danbooru's own count tags mean nothing to a family that was not trained on them, and what is counted is said in words.
_COUNT_TAG = re.compile(r"\d\+?(?:girl|boy|other)s?|solo|no humans|multiple (?:girls|boys|others)", re.IGNORECASE)


@lru_cache(maxsize=8192)
def phrases_in(text: str, limit: int = 0) -> tuple[str, ...]:
    """The phrases in one field of free text, in lower case, with spaces for underscores; filler and "unknown" are gone.

    limit: the field's longest text in characters; a text that reaches it was cut off, so its last word goes.
    """
    words = whole_words(clean(text), limit).replace("_", " ").replace('"', " ").lower()
    parts = (" ".join(part.split()).strip(_EDGES) for part in _SEPARATORS.split(words))
    return tuple(part for part in parts if tells(part))


def whole_words(text: str, limit: int) -> str:
    """Text without the last word if it is as long as its field allows, and so was probably cut within that word."""
    return text.rpartition(" ")[0] or text if limit and len(text) >= limit else text


@lru_cache(maxsize=8192)
def tells(phrase: str) -> bool:
    """Whether a phrase says anything about a picture."""
    return (
        phrase.lower() not in _NOTHING
        and _WORD.search(phrase) is not None
        and not _FILLER.fullmatch(phrase)
        and not _COUNT_TAG.fullmatch(phrase)
    )


@lru_cache(maxsize=8192)
def key_of(phrase: str) -> str:
    """What two phrases have in common when one repeats the other: case, hyphens and underscores do not matter."""
    return _ALIKE.sub(" ", phrase.strip(_EDGES)).strip().casefold()


def words_of(text: str) -> set[str]:
    """The words of a text by their stems, for finding out what it already says."""
    return set(map(_stem, _WORD.findall(text.casefold())))


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """A word without its usual endings, rough but quick: it only has to be the same for the same word."""
    word = _ENDING.sub("", _SINGULAR.get(word, word))
    if len(word) > 3 and (word[-1] == "e" or word[-1] == word[-2]):
        word = word[:-1]  # "smile" and "smiling", "sits" and "sitting"
    return word[:6]


def listed(phrases: Iterable[str]) -> str:
    """The phrases as English lists them: `a, b and c`."""
    *most, last = list(phrases) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def with_article(noun: str) -> str:
    """A noun phrase with "a" or "an" by its first letter."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def sentence(text: str) -> str:
    """Text as one sentence: a capital first letter and a mark at its end; "" stays ""."""
    text = text.strip(" ,;:-")
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if _ENDED.search(text) else ".")
