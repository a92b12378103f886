"""One ComfyUI graph, whichever of its two forms it was read from: nodes, and what goes into each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from ..recovered import NodeRef
from ..values import as_text

_ORDER = re.compile(r"^you are |system prompt|^#version", re.IGNORECASE)
"""How orders to language models begin, and programs for shaders."""
_WORD = re.compile(r"[^\W\d_]{2}")
_STATE = re.compile(r"\s*(?:\[\s*)?[{\[]\s*[\"{\[]")


@dataclass(frozen=True, slots=True)
class Link:
    """What another node makes."""

    node: str
    slot: int = 0


@dataclass(slots=True)
class Node:
    """One node of the executed graph."""

    id: str
    """ "6"; inside a subgraph "57:27"."""
    type: str
    title: str = ""
    inputs: dict[str, object] = field(default_factory=dict)
    """Name to a Link, or to the value that was set in the node. Values whose names are unknown (a node that is known to
    nobody, in an interface's graph) are called "#0", "#1", …"""

    @property
    def ref(self) -> NodeRef:
        return NodeRef(as_text(self.id), as_text(self.type), as_text(self.title))

    def links(self) -> list[tuple[str, Link]]:
        return [(name, value) for name, value in self.inputs.items() if isinstance(value, Link)]

    def link(self, *names: str) -> Link | None:
        """The first of these inputs that is linked."""
        for name in names:
            value = self.inputs.get(name)
            if isinstance(value, Link):
                return value
        return None


@dataclass(slots=True)
class Graph:
    """Every node that runs. Links may lead nowhere and in circles: who walks it must mind."""

    nodes: dict[str, Node] = field(default_factory=dict)
    shown: dict[Link, str] = field(default_factory=dict)
    """Texts made at run time that a node of the interface shows and keeps, by what made them."""
    kept: dict[NodeRef, None] = field(default_factory=dict)
    """The nodes whose text was taken from there: it may be an earlier run's."""


@lru_cache(4096)
def says(pattern: re.Pattern[str], name: str) -> bool:
    """Whether the pattern is in a class's or an input's name; a graph asks for the same few names all the time."""
    return bool(pattern.search(name))


@lru_cache(4096)
def plain(name: str) -> str:
    """An input's own name: "model.prompt" (a choice that brings its own inputs) is "prompt"."""
    return name.rpartition(".")[2].lower()


@lru_cache(4096)
def natural(name: str) -> tuple[str, int, str]:
    """Sorts input_2 before input_10."""
    match = re.fullmatch(r"(.*?)(\d{1,9})", name)
    return (match[1], int(match[2]), "") if match else (name, -1, name)


def is_prose(value: object) -> bool:
    """Whether a value without a name reads like a prompt: four words at least, and no order to a language model."""
    if not isinstance(value, str) or len(value[:200].split()) < 4 or len(_WORD.findall(value[:200])) < 3:
        return False
    return not _ORDER.search(value[:100])


def is_editor(node: Node) -> bool:
    """Whether a node keeps JSON in a value: it puts its text together from that when it runs."""
    return any(isinstance(value, str) and _STATE.match(value[:100]) for value in node.inputs.values())


def unnamed_text(node: Node, short: bool = False) -> str:
    """Of a node that nobody knows, in an interface's graph: the longest of its texts that reads like a prompt; else
    "", or the first text at all where `short` ones count."""
    values = [value for name, value in node.inputs.items() if name.startswith("#") and isinstance(value, str)]
    prose = [value for value in values if is_prose(value)] or (values[:1] if short else [])
    return max(prose, key=len, default="")
