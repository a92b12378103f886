"""ComfyUI's prompt grammar: how text becomes harmless, literal or weighted, and how ComfyUI reads it back.

What ComfyUI does (`comfy/sd1_clip.py`): `\\(` and `\\)` are literal parentheses; `(x)` multiplies the weight by 1.1,
`(x:1.2)` sets it; `embedding:name` loads a file. Its frontend, for text typed or pasted into a widget, also picks from
`{a|b}` and cuts `//` and `/* */`. Other programs act on `[from:to:0.5]`, `<lora:x:1>`, `__wildcard__`, BREAK and AND,
and language models on `<|im_end|>`. Knows no families and no tokens.
"""

from __future__ import annotations

import math
import re
import unicodedata

from .errors import PromptError

Segment = tuple[str, float]
"""A run of text and its weight."""

_NAMELESS_EMBEDDING = re.compile(r"(?<!\w)embedding:(?=[\s,:()]|$)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\[()]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
MAX_DEPTH = 64
"""Parentheses nested deeper than this are refused; ComfyUI itself recurses into each and fails near 1,000."""

_BEFORE_PARENTHESIS = re.compile(r"\\+(?=[()])")
_CONTROL_TOKEN = re.compile(r"<\|[^<>|]*\|>|<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)
_SCHEDULE = re.compile(r"\[([^\[\]:]*):([^\[\]:]*):\s*[\d.]+\s*\]")
_ACTIVE = re.compile(r"embedding:|__+|//+|/\*|\*/|[{}|<>~^`\\\[\]]", re.IGNORECASE)
_KEYWORD = re.compile(r"\b(?:BREAK|AND)\b")
_SUSPECT = re.compile(rf"(?i:{_ACTIVE.pattern})|{_KEYWORD.pattern}")
_UNUSUAL = re.compile(r"[^\x20-\x7e]")
_INVISIBLE = frozenset({"Cf", "Cs"})


def clean(text: str) -> str:
    """Any text (a model's, a picture's, a user's) as plain words on one line: nothing in it acts any more.

    Invisible and bidirectional format characters go; what acts somewhere becomes a space, so that nothing new forms;
    `[from:to:0.5]` keeps its two texts; BREAK and AND become lower case, which is plain text everywhere. Parentheses
    stay, for `escape`. The result is NFC and cleaning it again changes nothing.
    """
    if text.isascii() and text.isprintable() and not _SUSPECT.search(text):
        return " ".join(text.split())  # nearly all text is harmless
    while (cleaned := _clean_once(text)) != text:
        text = cleaned
    return text


def _clean_once(text: str) -> str:
    """One pass of `clean`. A pass may uncover what the next one removes; each only shortens or disarms."""
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", _UNUSUAL.sub(_visible, text))
    text = _BEFORE_PARENTHESIS.sub("", text)
    text = _CONTROL_TOKEN.sub(" ", text)
    text = _SCHEDULE.sub(r" \1 \2 ", text)
    text = _ACTIVE.sub(" ", text)
    text = _KEYWORD.sub(lambda word: word[0].lower(), text)
    return " ".join(text.split())


def _visible(character: re.Match[str]) -> str:
    """The character, "" for an invisible one, a space for a control character."""
    category = unicodedata.category(character[0])
    if category in _INVISIBLE:
        return ""
    return " " if category == "Cc" else character[0]


def escape(text: str) -> str:
    """Cleaned text made literal: ComfyUI reads it as one segment of weight 1.0 with that very text."""
    return text.replace("(", r"\(").replace(")", r"\)")


def weighted(text: str, weight: float) -> str:
    """Cleaned text with a weight, as `(text:1.2)`; plain where the weight is 1, "" for no text.

    Raises PromptError for a weight that is not a positive finite number.
    """
    if not (math.isfinite(weight) and weight > 0):
        raise PromptError(f"A prompt weight must be a positive number, not {weight}; use one from 0.8 to 1.3.")
    if not text or weight == 1.0:
        return escape(text)
    return f"({escape(text)}:{weight:.4g})"


def checked(text: str, what: str) -> str:
    """Text in ComfyUI's own syntax, if it cannot change how what follows it is read. Raises PromptError, which calls it
    `what`."""
    level = 0
    for character in _ESCAPED.sub("", text):
        level += (character == "(") - (character == ")")
        if level < 0:
            break
    if level:
        raise PromptError(
            rf"The parentheses of the {what} do not balance, which would change the weights of all that follows; "
            r"close them, or write \( and \) for plain ones."
        )
    if _NAMELESS_EMBEDDING.search(text):
        raise PromptError(f"The {what} has 'embedding:' without a name right after it; write 'embedding:name'.")
    if _UNPRINTABLE.search(text):
        raise PromptError(f"The {what} has control characters in it; type it again instead of pasting it.")
    if not all(math.isfinite(weight) for _, weight in parse(text)):
        raise PromptError(f"The {what} has a weight that is no finite number; use one from 0.8 to 1.3.")
    return text


def parse(text: str) -> list[Segment]:
    """What ComfyUI's `token_weights` makes of a prompt: its segments with their weights, un-escaped.

    Raises PromptError where parentheses nest deeper than `MAX_DEPTH`.
    """
    hidden = text.replace(r"\)", "\0\1").replace(r"\(", "\0\2")
    return [(part.replace("\0\1", ")").replace("\0\2", "("), weight) for part, weight in _segments(hidden, 1.0, 0)]


def _segments(text: str, weight: float, depth: int) -> list[Segment]:
    """The segments of text whose escaped parentheses are hidden."""
    if depth > MAX_DEPTH:
        raise PromptError(f"Parentheses nest more than {MAX_DEPTH} deep; remove some.")
    if "(" not in text and ")" not in text:
        return [(text, weight)] if text else []
    segments: list[Segment] = []
    for part in _top_level(text):
        if len(part) >= 2 and part[0] == "(" and part[-1] == ")":
            inner, inner_weight = _weight_of(part[1:-1], weight)
            segments += _segments(inner, inner_weight, depth + 1)
        else:
            segments.append((part, weight))
    return segments


def _top_level(text: str) -> list[str]:
    """Text cut before and after each outermost pair of parentheses, with ComfyUI's treatment of stray ones."""
    parts: list[str] = []
    start = level = 0
    for at, character in enumerate(text):
        if character == "(":
            if level == 0 and at > start:
                parts.append(text[start:at])
                start = at
            level += 1
        elif character == ")":
            level -= 1
            if level == 0:
                parts.append(text[start : at + 1])
                start = at + 1
    if start < len(text):
        parts.append(text[start:])
    return parts


def _weight_of(inner: str, outer: float) -> Segment:
    """The text and weight inside parentheses: the number after the last colon if there is one, else outer x 1.1."""
    colon = inner.rfind(":")
    if colon > 0:
        try:
            return inner[:colon], float(inner[colon + 1 :])
        except ValueError:
            pass  # not a number: the colon is text
    return inner, outer * 1.1
