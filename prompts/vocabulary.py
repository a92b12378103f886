"""Danbooru's tags: which there are, what else they are called, and which go without saying beside another.

The tags, 7,000 general ones, come from packages of open licence; what else they are called, and what implies what, is
written by hand (`data/README.md` tells of both). A user adds tags and aliases with CSV files in
`<user folder>/vocabulary/` in the form of a1111-sd-webui-tagcomplete's danbooru.csv: tag,category,count,"aliases".
Knows no analysis and no family.
"""

from __future__ import annotations

import csv
import gzip
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .catalogue import vocabulary_files
from .errors import VocabularyFileError
from .syntax import clean

DATA = Path(__file__).with_name("data")
GENERAL = "0"
"""Danbooru's category of tags that name nobody."""
SAID_BY_COUNT = frozenset(("woman", "women", "man", "men", "girl", "girls", "boy", "boys", "person"))
"""What the count tags say ("1girl"), and no tag else."""
_LEADING = re.compile(r"^(?:an?|the|her|his|their|its|one|wearing|with|very|some|visible)\s+")
_JOINING = re.compile(r"\s+(?:on|in|at|with|and|near|by|under|over|behind|from|against|beside|of|into|through|to)\s+")
_PLURALS = (("ies", "y"), ("es", ""), ("s", ""))
"""How a plural may end where the tag is singular."""
_PAIRS = frozenset(("boot", "braid", "ear", "earring", "eye", "glove", "shoe", "sleeve", "sock", "stocking", "wing"))
"""What comes in pairs is tagged in the plural. (Of other words the plural may be another thing: "short", "brief".)"""
_PLAIN_MODIFIERS = frozenset(
    (
        *("aqua", "beige", "black", "blue", "brown", "crimson", "cyan", "dark", "gold", "golden", "gray"),
        *("green", "grey", "light", "navy", "orange", "pale", "pink", "purple", "red", "silver", "tan", "teal"),
        *("violet", "white", "yellow", "big", "bright", "broad", "colorful", "deep", "dense", "empty", "high"),
        *("huge", "large", "little", "long", "low", "narrow", "new", "old", "short", "small", "tall", "thick"),
        *("thin", "tiny", "wide", "brick", "concrete", "cotton", "glass", "leather", "metal", "plastic"),
        *("silk", "stone", "wood", "wooden", "woolen", "blurred", "blurry", "distant", "open", "single"),
        *("simple"),
    )
)
"""Words without which a noun is still the same thing: a "paper dragon" is no dragon."""
_NOT_SO = re.compile(r"\b(?:no|not|non|without|missing|fake|toy|half|almost|like)\b")
"""What makes a phrase mean something else than its other words."""
_MOST_WORDS = 5


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Danbooru's general tags, in lower case, with spaces for underscores."""

    tags: frozenset[str]
    aliases: dict[str, str]
    """What a tag is also called → the tag."""
    implied: dict[str, list[str]]
    """A tag → the more general tags that it implies directly."""
    heads: frozenset[str]
    """Tags that are implied by any tag that ends in them ("black dress" → "dress")."""
    own_heads: frozenset[str]
    """Tags that end in such a word and yet do not imply it."""

    def canonical(self, phrase: str) -> str | None:
        """The tag that a phrase names, by itself, an alias, another number or another spelling; None for none."""
        if phrase in self.tags:
            return phrase
        for spelling in _spellings(_LEADING.sub("", phrase)):
            if spelling in self.tags:
                return spelling
            if spelling in self.aliases:
                return self.aliases[spelling]
        return None

    @lru_cache(maxsize=16_384)  # noqa: B019  (there is one vocabulary; pictures differ, but phrases come again)
    def tags_for(self, phrase: str) -> tuple[list[str], bool]:
        """The tags that say a phrase together, and whether they say all of it.

        "long red hair" is "long hair" and "red hair"; "sitting on a bench" is "sitting" and "bench".
        """
        if tag := self.canonical(phrase):
            return [tag], True
        if _LEADING.sub("", phrase) in SAID_BY_COUNT:
            return [], True
        if _NOT_SO.search(phrase):
            return [], False
        parts = _JOINING.split(phrase)
        if len(parts) > 1:
            found = [self.tags_for(part) for part in parts]
            return [tag for tags, _ in found for tag in tags], all(whole for _, whole in found)
        *modifiers, noun = phrase.split(" ")
        if not 0 < len(modifiers) < _MOST_WORDS:
            return [], False
        known, unknown = self._modified(noun, modifiers)
        if not known and _PLAIN_MODIFIERS.issuperset(modifiers) and (tag := self.canonical(noun)):
            known = [tag]
        return known, not unknown

    def _modified(self, noun: str, modifiers: list[str]) -> tuple[list[str], bool]:
        """The tags of a noun with as many of its modifiers at once as there is a tag for, and whether one is left."""
        known: list[str] = []
        unknown = False
        while modifiers:
            for count in range(len(modifiers), 0, -1):
                if tag := self.canonical(" ".join([*modifiers[:count], noun])):
                    known.append(tag)
                    break
            else:
                unknown, count = True, 1
            modifiers = modifiers[count:]
        return known, unknown

    @lru_cache(maxsize=16_384)  # noqa: B019
    def implied_by(self, tag: str) -> frozenset[str]:
        """The more general tags that go without saying where a tag stands, over any number of steps."""
        found: set[str] = set()
        open_ends = [tag]
        while open_ends:
            for general in self._directly_implied_by(open_ends.pop()):
                if general not in found:
                    found.add(general)
                    open_ends.append(general)
        return frozenset(found)

    def _directly_implied_by(self, tag: str) -> Iterator[str]:
        yield from self.implied.get(tag, ())
        words = tag.split(" ")
        for start in range(1, len(words)):
            head = " ".join(words[start:])
            if head in self.heads and tag not in self.own_heads:
                yield head


def vocabulary() -> Vocabulary:
    """The tags that ship and the user's own; read once, and again when the user's files change.

    Raises VocabularyFileError for a file of the user's that cannot be read.
    """
    return _load(vocabulary_files())


@lru_cache(maxsize=2)
def _load(files: tuple[tuple[Path, int], ...]) -> Vocabulary:
    tags = set(gzip.decompress((DATA / "danbooru_tags.txt.gz").read_bytes()).decode("utf-8").split("\n"))
    table = tomllib.loads((DATA / "danbooru_aliases.toml").read_text(encoding="utf-8"))
    aliases = {alias: tag for tag, others in table["aliases"].items() for alias in others}
    for file, _ in files:
        for tag, others in _rows(file):
            tags.add(tag)
            aliases.update((alias, tag) for alias in others)
    return Vocabulary(
        frozenset(tags),
        {alias: tag for alias, tag in aliases.items() if alias not in tags},
        table["implies"],
        frozenset(table["heads"]["words"]),
        frozenset(table["heads"]["except"]),
    )


def _rows(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The general tags and their aliases in a user's CSV file; nothing in them acts."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.reader(lines):
                if len(row) >= 2 and row[1].strip() == GENERAL and (tag := _spaced(row[0])):
                    yield tag, list(filter(None, map(_spaced, "".join(row[3:4]).split(","))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise VocabularyFileError(
            f"The vocabulary file {file} cannot be read ({error}); make it UTF-8 lines of "
            'tag,category,count,"aliases", or remove it.'
        ) from error


def _spaced(tag: str) -> str:
    """A tag as prompts have it; a comma would make it two."""
    return clean(tag.replace("_", " ").replace(",", " ")).lower()


def _spellings(phrase: str) -> Iterator[str]:
    """A phrase as it is, with hyphens or without, and with its last word in the other number."""
    yield phrase
    if "-" in phrase:
        phrase = phrase.replace("-", " ")
        yield phrase
    elif " " in phrase:
        yield phrase.replace(" ", "-")
    for ending, other in _PLURALS:
        if phrase.endswith(ending) and len(phrase) > len(ending) + 2:
            yield phrase.removesuffix(ending) + other
    if phrase.rpartition(" ")[2] in _PAIRS:
        yield phrase + "s"
