"""A value that was found in a graph, and how rules ask for one."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass

from ..limits import MOST_PROMPT_CHARACTERS
from ..recovered import NodeRef

MOST_REFS = 64
"""Nodes that one text is said to come from."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value, and where it comes from."""

    value: object = None
    """None where it is not known."""
    nodes: tuple[NodeRef, ...] = ()
    """Where it was typed."""
    missing: tuple[NodeRef, ...] = ()
    """Whose part of it is made when the graph runs."""

    @property
    def text(self) -> str:
        """As a string input gets it."""
        return self.value if isinstance(self.value, str) else _as_written(self.value)


Steps = Generator[object, Known, Known]
"""A rule at work: it yields an input (a Link or a value), is sent what it is, and returns what comes of it."""


def _as_written(value: object) -> str:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def union(*parts: tuple[NodeRef, ...]) -> tuple[NodeRef, ...]:
    """Each once, in order, at most MOST_REFS."""
    return tuple(dict.fromkeys(ref for part in parts for ref in part))[:MOST_REFS]


def joined(texts: Iterable[str], delimiter: str) -> str:
    """As delimiter.join, but never more than MOST_PROMPT_CHARACTERS."""
    parts: list[str] = []
    room = MOST_PROMPT_CHARACTERS
    for text in texts:
        parts.append(text[: max(room, 0)])
        room -= len(text) + len(delimiter)
        if room <= 0:
            break
    return delimiter.join(parts)[:MOST_PROMPT_CHARACTERS]


def replaced(text: str, find: str, replacement: str) -> str | None:
    """As text.replace; None where it would grow past MOST_PROMPT_CHARACTERS."""
    if text.count(find) * len(replacement) + len(text) > MOST_PROMPT_CHARACTERS:
        return None
    return text.replace(find, replacement)
