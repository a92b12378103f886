"""A prompt that is already known, from the picture's own file or from the user: said as it was written, never cut.

It drew the picture, so it is trusted over what a model sees. Knows no files; `recover/` reads it from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .errors import NothingToSay, PromptError
from .options import RenderOptions
from .recover.limits import MOST_PROMPT_CHARACTERS
from .recover.values import as_text
from .render import Prompt, check_words, negative_for

if TYPE_CHECKING:
    from .families import Family
    from .frame import Frame

_DEFAULTS = RenderOptions()
_BRACKETS = {")": "(", "]": "[", "}": "{", ">": "<"}
_PART_END = re.compile(r"\\.|[()\[\]{}<>]|,|\n|(?<=[.!?])[ \t]+(?=\S)", re.DOTALL)
"""What may end a phrase (a comma, a line, a sentence), brackets, and escaped characters, which are neither."""
_SINGLE = re.compile(r"[,;:|\n()\[\]{}<>\\]+")
"""What stands between single tags, weights and brackets included."""


def render_known(known: str, family: str | Family, options: RenderOptions = _DEFAULTS, negative: str = "") -> Prompt:
    """The prompt for a picture of which nothing but its prompt is known: the user's prefix and that prompt as written.

    `negative` as it is known, else the family's own. There is no art style and no caption. Raises as `render`.
    """
    from .families import load_family
    from .frame import Frame
    from .minors import says_minor
    from .tokens import count_tokens

    family = load_family(family)
    frame = Frame.of(family, options)
    known = as_known(known)
    minor = says_minor([options.prefix, known])
    if minor:
        check_words(options.prefix, family)
    positive = around(told(known, options, minor), frame)
    return Prompt(
        positive=positive,
        negative=as_text(negative) or negative_for(None, family, minor, positive),
        style="",
        caption="",
        tokens=count_tokens(positive, family.encoder),
        budget=frame.budget,
    )


def as_known(known: str) -> str:
    """A known prompt without control characters and outer spaces; "" for none. Raises PromptError for what is far too
    long to be one."""
    if len(known) > MOST_PROMPT_CHARACTERS:
        raise PromptError(
            f"The known prompt has {len(known):,} characters; shorten it to {MOST_PROMPT_CHARACTERS:,} or fewer."
        )
    return as_text(known)


def told(known: str, options: RenderOptions, minor: bool) -> str:
    """What may be said of a known prompt: as written, but for the phrases that say a word to leave out; "" for none.

    Raises PromptError for adult wording where a child is in the picture.
    """
    text = without(known, options.leave_out)
    if minor:
        check_known(text)
    return text


def around(text: str, frame: Frame) -> str:
    """The whole prompt with what is told of a known one: only the user's prefix is put before it, since the words of
    quality that were wanted are in it. Raises NothingToSay where nothing is told."""
    if not text:
        raise NothingToSay("All that the known prompt says is to be left out; leave out less.")
    return frame.after_prefix(text)


def check_known(known: str) -> None:
    """Raises PromptError for adult wording in the known prompt of a picture with a child in it."""
    from .minors import adult_words

    words = adult_words(known) or [word for tag in _SINGLE.split(known) for word in adult_words(tag)]
    if words:
        raise PromptError(f"A child or teenager is in the picture; take {words[0]!r} out of the known prompt.")


def without(known: str, leave_out: tuple[str, ...]) -> str:
    """A known prompt less the phrases that say one of these words; a bracketed group counts as one phrase."""
    from .keep import Keep
    from .syntax import clean

    keep = Keep.of(leave_out, minor=False)
    if keep.left_out is None or not known:
        return known
    parts = list(_phrases(known))
    # cleaned too: "hat \(red\)" says "hat (red)"
    kept = [part for part in parts if keep.allows(part[0]) and keep.allows(clean(part[0]))]
    if len(kept) == len(parts):
        return known
    text = "".join(phrase + end for phrase, end in kept[:-1]) + "".join(phrase for phrase, _ in kept[-1:])
    return text.strip() if any(re.search(r"[^\W_]", phrase) for phrase, _ in kept) else ""


def _phrases(text: str) -> Iterator[tuple[str, str]]:
    """The phrases outside of brackets, each with what ends it; together they are the text."""
    marks = list(_PART_END.finditer(text))
    inside = _paired(marks)
    start = depth = 0
    for mark in marks:
        depth += inside.get(mark.start(), 0)
        if depth == 0 and mark[0].strip() in ("", ","):
            yield text[start : mark.start()], mark[0]
            start = mark.end()
    yield text[start:], ""


def _paired(marks: list[re.Match[str]]) -> dict[int, int]:
    """Where brackets open (1) and close (-1); one without its other half is a plain character, as in "smile :("."""
    opened: dict[str, list[int]] = {bracket: [] for bracket in _BRACKETS.values()}
    pairs: dict[int, int] = {}
    for mark in marks:
        if mark[0] in opened:
            opened[mark[0]].append(mark.start())
        elif mark[0] in _BRACKETS and opened[_BRACKETS[mark[0]]]:
            pairs[opened[_BRACKETS[mark[0]]].pop()] = 1
            pairs[mark.start()] = -1
    return pairs
