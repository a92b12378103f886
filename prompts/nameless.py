"""A story's names kept out of what is drawn: an image model knows no Mara, and may know a famous one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from .phrases import phrases_in
from .story import Character, Story
from .syntax import clean
from .vocabulary import vocabulary
from .wording import noun_of

_WORD = re.compile(r"[^\W_][\w'\u2019-]*")
_SMALL = frozenset({"the", "of", "and", "a", "an", "de", "la", "le", "von", "van", "der", "el", "al"})


class Names:
    """Puts what a character is in the place of its name."""

    def __init__(self, story: Story) -> None:
        whole = {name.lower() for one in story.cast for name in _names(one)}
        texts = (text for text in _descriptions(story) if " ".join(text.split()).lower() not in whole)
        said = {word.lower() for text in texts for word in _WORD.findall(text)}
        self._nouns: dict[str, str] = {}
        self._replaced_before: dict[tuple[str, str], str] = {}
        patterns: list[str] = []
        for one in story.cast:
            for name in _names(one):
                if name.lower() in self._nouns:
                    continue
                self._nouns[name.lower()] = what_is(one)
                # a girl called Red may have red hair, and Rain stand in the rain: such a name is one only where it has
                # its capital
                word = name.lower() in said or _is_word(name)
                patterns.append(re.escape(name) if word else f"(?i:{re.escape(name)})")
        patterns.sort(key=len, reverse=True)
        self._any = re.compile(rf"(?<!\w)(?:[Tt]he )?(?P<name>{'|'.join(patterns)})(?!\w)") if patterns else None
        if self._any is not None:  # a thing is called by its identity, which may hold a name
            bare = {name: " ".join(self._any.sub(" ", noun).split()) for name, noun in self._nouns.items()}
            self._nouns = {name: noun if any(map(str.isalnum, noun)) else "character" for name, noun in bare.items()}

    def out_of(self, text: str) -> str:
        """Prose without the names: "the woman" for "Mara"."""
        return self._replaced(text, "the ")

    def out_of_tag(self, text: str) -> str:
        """A short phrase without the names: "woman" for "mara"."""
        return self._replaced(text, "")

    def _replaced(self, text: str, article: str) -> str:
        if self._any is None:
            return text
        key = (text, article)
        if key not in self._replaced_before:
            plain = clean(text).replace("_", " ")
            there = self._any.sub(lambda found: article + self._nouns[found["name"].lower()], plain)
            self._replaced_before[key] = " ".join(there.split())
        return self._replaced_before[key]


def what_is(character: Character) -> str:
    """A character in plain words: "young woman", "robot"; of a thing what it is called first."""
    noun = noun_of(character.kind, character.gender, character.age)
    return noun or next((phrase for text in character.identity for phrase in phrases_in(text)), "character")


def _names(character: Character) -> Iterator[str]:
    """The whole name and each of its words that could be one, without accents, too."""
    name = " ".join(clean(character.name).replace("_", " ").split())
    words = _WORD.findall(name)
    parts = [word for word in words if len(word) > 1 and word.lower() not in _SMALL and not _is_word(word)]
    own = set(_WORD.findall(what_is(character).lower()))
    several = [word for word in parts if word.lower() not in own] if len(words) > 1 else []
    if words and name.lower() not in _SMALL:
        several.insert(0, name)
    for one in several:
        yield one
        if (plain := _without_accents(one)) != one:
            yield plain


def _is_word(name: str) -> bool:
    """Whether it is a word that things are described with, too: one of some Danbooru tag."""
    return name.lower() in _vocabulary_words()


@cache
def _vocabulary_words() -> frozenset[str]:
    return frozenset(word for tag in vocabulary().tags for word in tag.split())


def _without_accents(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


def _descriptions(story: Story) -> Iterator[str]:
    """What describes characters and the look: words in it are not names."""
    for one in story.cast:
        yield from (*one.identity, *one.default_outfit, what_is(one))
    yield from story.style.look
    yield from (color.name for color in story.style.palette)
