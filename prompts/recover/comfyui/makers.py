"""Which nodes made the picture: the samplers, and the nodes of foreign services, from the outputs up."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..limits import MOST_STEPS
from .graph import Graph, Node, plain, says, unnamed_text
from .text import Evaluator

MOST_MAKERS = 200
"""Of one graph that are looked at."""
MOST_OUTPUTS = 64
"""Of one graph that are walked up from."""
SETTINGS = frozenset({"steps", "seed", "noise_seed", "sigmas", "sampler_name", "denoise", "sampler"})
_CONDITIONED = re.compile(r"positive|guider|(?<!se)cond|embeds$|pipe$")
"""The inputs by which a sampler gets its prompt."""
_OUTPUT = re.compile(r"^save|^preview|save ?image|image ?save|video ?combine|websocket|^output", re.IGNORECASE)
_SHOWS_ONLY = re.compile(r"preview|compare|websocket", re.IGNORECASE)
_WORDS = re.compile(r"text|any$|string", re.IGNORECASE)
"""Outputs that are no pictures."""
_SIDE = re.compile(
    r"positive|negative|(?<!se)cond|model|clip|vae|text|prompt|string|control|mask|audio|width|height|seed|steps|cfg|"
    r"sampler|sigmas|noise|guid|lora|style|embed|size|length|fps|scale|strength|denoise|hook|ref|mesh|camera|pose|pipe"
)
"""Inputs that are no picture, and no latent: what hangs on them was not drawn over, only heeded."""
_NO_MAKER = re.compile(
    r"img2prompt|sam\d|segment|detect|dino|florence|caption|mask|matting|remove|math|shader", re.IGNORECASE
)
"""Classes whose prompt says what to find in a picture."""
_DETAILER = re.compile(r"detailer", re.IGNORECASE)
"""Classes that draw a part of a picture again."""
PROMPTS = re.compile(
    r"prompt|instruction|prompt_text|text_prompt|positive_prompt|prompt_?\d{1,2}|storyboard_\d{1,2}_prompt"
)


@dataclass(slots=True)
class Found:
    """What stands above one output."""

    makers: list[Node] = field(default_factory=list)
    """The nearest first."""
    below: dict[str, str] = field(default_factory=dict)
    """Node to the node that took its picture."""
    cut: bool = False
    """Whether there was more than can be followed."""


def is_sampler(node: Node) -> bool:
    """By its inputs: something to set, and a conditioning."""
    if not any(plain(name) in SETTINGS for name in node.inputs):
        return False
    return any(says(_CONDITIONED, plain(name)) for name, _ in node.links())


def is_service(node: Node) -> bool:
    """A node that makes a picture of a prompt by itself, as those of partners do."""
    if says(_NO_MAKER, node.type) or node.link("clip"):
        return False
    named = any(PROMPTS.fullmatch(plain(name)) for name in node.inputs)
    return named or bool(unnamed_text(node))


def above(graph: Graph, evaluator: Evaluator, at: str | None) -> Found:
    """The makers above node `at`; without one, above the output that most of them lead to, then the other outputs'."""
    if at is not None:
        found = _Walk(graph, evaluator).up([graph.nodes[at]]) if at in graph.nodes else Found()
        found.makers = [node for node in found.makers if node.id != at]
        return found
    walk = _Walk(graph, evaluator)
    ends = [node for node in graph.nodes.values() if _is_output(node)]
    found = [walk.up([end]) for end in ends[-MOST_OUTPUTS:]]
    ranks = sorted(zip(ends[-MOST_OUTPUTS:], found, strict=True), key=lambda one: _rank(*one), reverse=True)
    if not any(one.makers for one in found):
        taken = {link.node for node in graph.nodes.values() for _, link in node.links()}
        loose = [node for node in graph.nodes.values() if node.id not in taken]
        alone = walk.up(loose or graph.nodes.values())
        alone.makers = [node for node in alone.makers if is_sampler(node)]  # the others may make no picture
        return alone
    together = Found(cut=any(one.cut for one in found) or len(ends) > MOST_OUTPUTS)
    for _, one in ranks:
        known = {node.id for node in together.makers}
        together.makers += [node for node in one.makers if node.id not in known][:MOST_MAKERS]
        together.below = {**one.below, **together.below}
    return together


def _is_output(node: Node) -> bool:
    if says(_WORDS, node.type):
        return False
    names = {plain(name) for name in node.inputs}
    return ("filename_prefix" in names or says(_OUTPUT, node.type)) and any(True for _ in node.links())


def _rank(end: Node, found: Found) -> tuple[bool, int]:
    """A saved picture before one that is only shown; then the one that most samplers worked on."""
    return not _SHOWS_ONLY.search(end.type), len(found.makers)


class _Walk:
    """Up from outputs, breadth first: over pictures and latents, then over all the rest."""

    def __init__(self, graph: Graph, evaluator: Evaluator) -> None:
        self._graph = graph
        self._evaluator = evaluator
        self._steps = MOST_STEPS // 4

    def up(self, ends: Iterable[Node]) -> Found:
        found = Found()
        waiting, later = deque(ends), deque[Node]()
        seen = {node.id for node in waiting}
        on_path = True
        while waiting and self._steps > 0 and len(found.makers) < MOST_MAKERS:
            node = waiting.popleft()
            sampler = is_sampler(node) and not _is_output(node)  # those that save may take what they write beside
            if sampler or (on_path and node.id in found.below and is_service(node)):
                found.makers.append(node)
            for name, link in self._links(node):
                self._steps -= 1
                other = self._graph.nodes.get(link)
                if other is None or link in seen:
                    continue
                if on_path and says(_SIDE, plain(name)):
                    later.append(other)
                    continue
                seen.add(link)
                found.below.setdefault(link, node.id)
                waiting.append(other)
            if not waiting and on_path:
                on_path = False
                waiting += {node.id: node for node in later if node.id not in seen}.values()
                seen.update(node.id for node in waiting)
        found.cut = bool(waiting)
        found.makers.sort(key=lambda node: bool(_DETAILER.search(node.type)))
        return found

    def _links(self, node: Node) -> list[tuple[str, str]]:
        """What a node takes; of a switch only what it lets through."""
        name = self._evaluator.chosen(node)
        return [(key, link.node) for key, link in node.links() if name in (None, key)]
