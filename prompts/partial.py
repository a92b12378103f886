"""An answer that is still being written, as readable fields: what a person watches until the answer is there.

The text is any prefix of any model's words, so nothing in it is trusted: not that it is JSON, not that a value is what
the schema says, and not that it may stand beside a child, which is known only when all has been read. So adult wording
is left out here, whoever is in the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, cast, get_args

from .analysis import Age, Gender, Kind
from .keep import Keep
from .sentences import caption_sentences
from .syntax import clean
from .wording import noun_of

MOST_CHARACTERS = 40_000
"""Of a text that is read at all: more than the longest legal answer has."""
MOST_FIELDS, MOST_WORDS = 24, 120
"""Of an object; of one of its values."""
MOST_LABEL, MOST_VALUE = 40, 600
"""Characters. Of a longer value the end is shown, where it is being written."""
SPACES = dict.fromkeys(range(32), " ")
"""A model may leave raw control characters in a string, which JSON forbids; between values they are spaces anyway."""
SILENT = ("unknown", "not applicable", "none")
ASIDE = frozenset({"id", "confidence", "role", "position", "influences"})
"""Parts of a part that tell little among the words around them."""
WHO = ("kind", "gender", "age")
"""What a subject's noun is made of."""
_ANYBODY = Keep.of((), minor=True)


def partial_fields(text: str) -> list[tuple[str, str]]:
    """The fields of a JSON object as far as it is written, (label, value) each, in their order: ("light direction",
    "rim"), ("subjects", "woman, red hair, smiling"). Plain text on one line; what says nothing has no field. [] for
    what is no object. Never raises."""
    from pydantic_core import from_json

    try:
        plain = text[:MOST_CHARACTERS].translate(SPACES).encode("utf-8", "replace")
        written: object = from_json(plain, allow_partial="trailing-strings")
    except (ValueError, TypeError):  # TypeError: a pydantic older than 2.10 does not know "trailing-strings"
        return []
    return list(islice(_fields(written), MOST_FIELDS)) if isinstance(written, dict) else []


def _fields(written: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in written.items():
        label = clean(name[:MOST_LABEL].replace("_", " "))
        told = ", ".join(dict.fromkeys(islice(_words(value), MOST_WORDS)))
        if label and told and _ANYBODY.allows(label):
            yield label, told if len(told) <= MOST_VALUE else f"…{told[1 - MOST_VALUE :]}"


def _words(value: object) -> Iterator[str]:
    """The texts in a value, cleaned, without those that say nothing. A number tells nothing by itself."""
    if isinstance(value, str):
        if told := _fit(value):
            yield told
    elif isinstance(value, list):
        for part in value:
            yield from _words(part)
    elif isinstance(value, dict):
        yield from _words(_noun(value))
        for name, part in value.items():
            if name not in ASIDE and name not in WHO:
                yield from _words(part)


def _fit(text: str) -> str:
    """A text as plain words on one line, as far as it may be shown; "" for one that says nothing, or is about to."""
    plain = clean(text)
    if any(word.startswith(plain.lower()) for word in SILENT):
        return ""
    return plain if _ANYBODY.allows(plain) else " ".join(caption_sentences(plain, _ANYBODY))


def _noun(part: Mapping[str, Any]) -> str:
    """What somebody or something is called, by as much as is written: "person", then "woman", then "elderly woman"."""
    kind, gender, age = (part.get(name) for name in WHO)
    if kind not in get_args(Kind):
        return ""
    known = (gender if gender in get_args(Gender) else "unknown", age if age in get_args(Age) else "unknown")
    return noun_of(cast(Kind, kind), *cast("tuple[Gender, Age]", known))
