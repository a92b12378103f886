"""A story's names kept out of what is drawn: an image model knows no Mara, and may know a famous one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .phrases import phrases_in
from .story import Character, Story
from .syntax import clean
from .wording import noun_of

_WORD = re.compile(r"[^\W_][\w'\u2019-]*")
_SMALL = frozenset({"the", "of", "and", "a", "an", "de", "la", "le", "von", "van", "der", "el", "al"})
_POSSESSIVE = r"(?:['\u2019]s)?"


class Names:
    """Puts what a character is in the place of its name."""

    def __init__(self, story: Story) -> None:
        said = {word.lower() for text in _descriptions(story) for word in _WORD.findall(text)}
        self._nouns: dict[str, str] = {}
        self._replaced_before: dict[tuple[str, str], str] = {}
        patterns: list[str] = []
        for one in story.cast:
            for name in _names(one):
                if name.lower() in self._nouns:
                    continue
                self._nouns[name.lower()] = what_is(one)
                # a girl called Red may have red hair: such a name is one only where it has its capital
                exactly = name.lower() in said
                patterns.append(re.escape(name) if exactly else f"(?i:{re.escape(name)})")
        patterns.sort(key=len, reverse=True)
        self._any = (
            re.compile(rf"(?<!\w)(?:(?P<the>[Tt]he) )?(?P<name>{'|'.join(patterns)})(?!\w)") if patterns else None
        )

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
            there = self._any.sub(lambda found: article + self._nouns[found["name"].lower()], clean(text))
            self._replaced_before[key] = " ".join(there.split())
        return self._replaced_before[key]


def what_is(character: Character) -> str:
    """A character in plain words: "young woman", "robot"; of a thing what it is called first."""
    noun = noun_of(character.kind, character.gender, character.age)
    return noun or next((phrase for text in character.identity for phrase in phrases_in(text)), "character")


def _names(character: Character) -> Iterator[str]:
    """The whole name and each of its words that could be one."""
    name = clean(character.name)
    words = _WORD.findall(name)
    whole = " ".join(name.split())
    if words and whole.lower() not in _SMALL:
        yield whole
    own = set(_WORD.findall(what_is(character).lower()))
    if len(words) > 1:
        yield from (word for word in words if len(word) > 1 and word.lower() not in _SMALL | own)


def _descriptions(story: Story) -> Iterator[str]:
    """What describes characters and the look: words in it are not names."""
    for one in story.cast:
        yield from (*one.identity, *one.default_outfit, what_is(one))
    yield from story.style.look
    yield from (color.name for color in story.style.palette)
