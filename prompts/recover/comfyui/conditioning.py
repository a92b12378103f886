"""From a sampler up through its conditioning to the text encoders, and what was typed there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from ..limits import MOST_STEPS
from ..values import as_float
from .evaluated import Known, joined, union
from .graph import Graph, Link, Node, natural, plain, says, unnamed_text
from .makers import PROMPTS
from .strings import MADE_AT_RUN_TIME
from .text import Evaluator

Role = Literal["positive", "negative"]

MOST_PARTS = 1000
"""Texts of one prompt."""
_BETWEEN = "\n"
"""Between the texts of one prompt (regions, combined conditionings, different texts for two encoders)."""
_TEXTS: dict[Role, tuple[str, ...]] = {
    "positive": (
        *("text", "prompt", "positive", "positive_prompt", "prompt_positive", "text_positive", "positive_text"),
        *("prompt_text", "text_prompt", "user_prompt", "caption", "global_caption", "tags", "lyrics"),
        *("text_g", "text_l", "prompt_g", "prompt_l", "clip_l", "clip_g", "t5xxl", "llama", "bert", "mt5xl"),
        *("qwen25_7b", "string", "wildcard_text"),
    ),
    "negative": ("negative", "negative_prompt", "prompt_negative", "text_negative", "negative_text"),
}
"""What encoders call their texts."""
_LINKS: dict[Role, re.Pattern[str]] = {
    "positive": re.compile(r"positive\w*|pos|cond1|\w*embeds|guider|\w*pipe|context"),
    "negative": re.compile(r"negative\w*|neg(?:_\w+)?|\w*embeds|guider|\w*pipe"),
}
"""What samplers, guiders and nodes that change both sides call one side."""
_EITHER = re.compile(r"(?:cond|conditioning)(?:_?\w+)?")
"""What nodes call a conditioning that know one side only; for a sampler and a guider it is the positive one."""
_BOTH = re.compile(r"pipe|guider|embeds")
"""Inputs that bring positive and negative together."""
_SIDE = re.compile(r"model|clip|vae|image|latent|samples|mask|control|style|noise|sigmas|hook|audio|video|width|height")
_ENCODER = re.compile(r"(?<!vision)encode|prompt|text|caption", re.IGNORECASE)
_LOADER = re.compile(r"load|encode|prompt", re.IGNORECASE)
"""Classes whose positive and negative may be texts that other nodes make."""
_LOOSE = re.compile(r"^(?!.*(?:neg|system|templ|instruct|file|path|style|lora|card|delim))\w*(?:prompt|text|caption)")
"""What foreign encoders may call their text."""
_SIDES: dict[str, Role] = {"cond": "positive", "uncond": "negative"}
"""What nodes that take both call them, where they do not say it plainly."""
_ZERO = re.compile(r"zero ?out", re.IGNORECASE)


@dataclass(slots=True)
class Prompt:
    """One side of what a sampler got."""

    parts: list[Known] = field(default_factory=list)
    encoders: list[Node] = field(default_factory=list)
    guidance: float | None = None
    """Of the node nearest to the sampler that sets one."""

    def known(self) -> Known:
        """Each different text once, one per line."""
        texts = dict.fromkeys(part.text.strip() for part in self.parts)
        text = joined((text for text in texts if text), _BETWEEN)
        nodes = union(*(part.nodes for part in self.parts if part.text.strip()))
        return Known(text, nodes, union(*(part.missing for part in self.parts)))


def texts(node: Node, role: Role, evaluator: Evaluator, slot: int = 0) -> Known | None:
    """What was typed into one node, or reaches its texts; None where it has none for that role."""
    by_name = {plain(name): name for name in node.inputs}
    if "populated_text" in by_name:
        return evaluator.of(node, by_name["populated_text"])
    names = [by_name[name] for name in _TEXTS[role] if name in by_name]
    if not names and role == "negative":  # an encoder of one text; one of two has its negative behind its positive
        return None if slot or _sided(node) else texts(node, "positive", evaluator)
    found = [known for name in names if (known := _text(node, name, evaluator)) is not None]
    if not found:
        return _unnamed(node, short=True) if says(_ENCODER, node.type) else None
    return Prompt(found[:1] if names[0] == "text" and found[0].text.strip() else found).known()


def service_texts(node: Node, role: Role, evaluator: Evaluator) -> Known:
    """The prompts of a node that makes a picture by itself."""
    if role == "negative":
        named = [name for name in node.inputs if plain(name) == "negative_prompt"]
    else:
        named = sorted((name for name in node.inputs if PROMPTS.fullmatch(plain(name))), key=natural)
    parts = [evaluator.value(node.inputs[name], node) for name in named]
    unnamed = _unnamed(node) if not named and role == "positive" else None
    return unnamed or Prompt(parts).known()


def _text(node: Node, name: str, evaluator: Evaluator) -> Known | None:
    raw = node.inputs[name]
    if not isinstance(raw, (str, Link)):
        return None
    known = evaluator.value(raw, node)
    conditioned = plain(name) in ("positive", "negative") and isinstance(raw, Link) and not isinstance(known.value, str)
    return None if conditioned else known


def _sided(node: Node) -> bool:
    """Whether a node has a text that is the positive one, and so no other side's."""
    return any("positive" in plain(name) for name in node.inputs)


def _guessed(node: Node, evaluator: Evaluator) -> Known | None:
    """Of a node that nobody knows, but that has a text encoder: what its inputs' names call a text, which it may have
    changed; and if there is none, that it makes one."""
    if not node.link("clip"):
        return None
    named = sorted((name for name in node.inputs if says(_LOOSE, plain(name))), key=natural)
    parts = [known for name in named if (known := _text(node, name, evaluator)) is not None]
    known = Prompt(parts).known()
    return Known(known.value, known.nodes, union(known.missing, (node.ref,)))


def _unnamed(node: Node, short: bool = False) -> Known | None:
    text = unnamed_text(node, short)
    return Known(text, (node.ref,)) if text else None


class Tracer:
    """Walks up from samplers; one budget of steps for all of them."""

    def __init__(self, graph: Graph, evaluator: Evaluator) -> None:
        self._graph = graph
        self._evaluator = evaluator
        self._steps = MOST_STEPS // 4
        self.cut = False
        """Whether there was more than can be followed."""
        self._prompts: dict[tuple[tuple[str, Link, Role], ...], Prompt] = {}

    def prompt(self, sampler: Node, role: Role) -> Prompt:
        """What this sampler got, in the order in which the nodes put it together."""
        start = tuple(self._up(sampler, role, None))
        if start not in self._prompts:
            self._prompts[start] = self._traced(start)
        return self._prompts[start]

    def _traced(self, start: tuple[tuple[str, Link, Role], ...]) -> Prompt:
        prompt = Prompt()
        waiting = list(reversed(start))
        seen: set[tuple[Link, Role]] = set()
        while waiting and self._steps > 0 and len(prompt.parts) < MOST_PARTS:
            self._steps -= 1
            name, link, side = waiting.pop()
            node = self._graph.nodes.get(link.node)
            if node is None or (link, side) in seen:
                continue
            seen.add((link, side))
            if prompt.guidance is None:
                prompt.guidance = as_float(self._evaluator.of(node, "guidance").value)
            if says(_ZERO, node.type):
                continue
            further = self._up(node, side, (name, link.slot))
            if not further or node.link("clip"):
                known = self._typed(node, side, link.slot)
                if known is None and not further:
                    further = self._anyhow(node, name, side)
                    other = side == "negative" and (link.slot or _sided(node))
                    known = None if further or other else _guessed(node, self._evaluator)
                if known is not None:
                    prompt.parts.append(known)
                    prompt.encoders.append(node)
            waiting += reversed(further)
        self.cut |= bool(waiting)
        return prompt

    def _typed(self, node: Node, role: Role, slot: int) -> Known | None:
        if says(MADE_AT_RUN_TIME, node.type) and not says(_ENCODER, node.type):
            return Known(missing=(node.ref,))
        return texts(node, role, self._evaluator, slot)

    def _up(self, node: Node, role: Role, came: tuple[str, int] | None) -> list[tuple[str, Link, Role]]:
        """The conditionings that go into a node and make up the one asked for; `came` is the input that asked, and the
        number of this node's output."""
        if (name := self._evaluator.chosen(node)) is not None:
            link = node.link(name)
            return [(name, link, role)] if link else []
        links = [(plain(key), link) for key, link in node.links()]
        names = {key for key, _ in links}
        if _SIDES.keys() <= names:
            links = [(_SIDES.get(key, key), link) for key, link in links]
            names = {key for key, _ in links}
        if {"positive", "negative"} <= names and came and not _BOTH.search(came[0]):
            role = _side(came[1] - ("model" in names)) or role  # a node that changes the model, too, has it first
        links = [one for one in links if _LINKS[role].fullmatch(one[0]) or _EITHER.fullmatch(one[0])]
        if came is not None and says(_LOADER, node.type):
            links = [one for one in links if not isinstance(self._evaluator.value(one[1]).value, str)]
        return [(key, link, role) for key, link in _of_role(links, role, came)]

    @staticmethod
    def _anyhow(node: Node, came: str, role: Role) -> list[tuple[str, Link, Role]]:
        """Through a node that nobody knows: whatever is no model, picture or the like, and it is what was asked for."""
        links = [(plain(key), link) for key, link in node.links() if not _SIDE.search(plain(key))]
        known = any(_LINKS["positive"].fullmatch(key) or _EITHER.fullmatch(key) for key, _ in links)
        return [] if known else [(came, link, role) for _, link in links]


def _side(slot: int) -> Role | None:
    """Of a node that changes both sides, the output tells which."""
    return "positive" if slot == 0 else "negative" if slot == 1 else None


def _of_role(links: list[tuple[str, Link]], role: Role, came: tuple[str, int] | None) -> list[tuple[str, Link]]:
    """Of a node's conditionings those that belong to one side."""
    exact = [one for one in links if one[0] in (role, "cond1" if role == "positive" else role)]
    if exact:
        return exact
    named = [one for one in links if _LINKS[role].fullmatch(one[0])]
    ends = came is None or came[0] == "guider"
    either = [one for one in links if _EITHER.fullmatch(one[0]) and one not in named]
    return named or (either if role == "positive" or not ends else [])
