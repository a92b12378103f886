"""What a node's value is, as far as it stands in the graph: strings put together, numbers, switches.

Nothing is executed: rules for what the known nodes do with strings, and for unknown ones what they can only mean. A
text that a model makes while the graph runs is missing, and its maker is named. Every walk is iterative: rules are
generators that ask for the values they need.
"""

from __future__ import annotations

from ..limits import MOST_PROMPT_CHARACTERS, MOST_STEPS
from .evaluated import Known, Steps
from .graph import Graph, Link, Node
from .strings import rule_of
from .switches import chosen, is_switch

MOST_CHARACTERS = 20 * MOST_PROMPT_CHARACTERS
"""Of all texts that one reading puts together."""


class Evaluator:
    """Values of one graph, each worked out once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.cut = False
        """Whether a text or a way was too long to follow to its end."""
        self._known: dict[Link, Known] = {}
        self._chosen: dict[str, str | None] = {}
        self._steps = MOST_STEPS // 2
        self._characters = MOST_CHARACTERS

    def of(self, node: Node, *names: str) -> Known:
        """The first of these inputs that is there."""
        for name in names:
            if node.inputs.get(name) is not None:
                return self.value(node.inputs[name], node)
        return Known()

    def value(self, raw: object, owner: Node | None = None) -> Known:
        """What an input holds. A value of its own was typed in `owner`."""
        if isinstance(raw, Link):
            return self._run(raw)
        return Known(raw, (owner.ref,) if owner else ())

    def chosen(self, node: Node) -> str | None:
        """The name of the input that a switch lets through; None where it is no switch, or cannot be told."""
        if node.id not in self._chosen:
            self._chosen[node.id] = self._choose(node) if is_switch(node) else None
        return self._chosen[node.id]

    def _choose(self, node: Node) -> str | None:
        steps = chosen(node)
        answer: Known | None = None
        while True:
            try:
                wanted = steps.send(answer) if answer is not None else next(steps)
            except StopIteration as end:
                return end.value
            answer = self.value(wanted)

    def _run(self, start: Link) -> Known:
        stack: list[tuple[Link, Steps]] = []
        open_links: set[Link] = set()
        wanted: object = start
        while True:
            answer: Known | None = None
            if not isinstance(wanted, Link):
                answer = Known(wanted)
            elif wanted in self._known:
                answer = self._known[wanted]
            elif wanted in open_links or self._steps <= 0 or wanted.node not in self.graph.nodes:
                self.cut |= self._steps <= 0
                answer = Known()
            else:
                stack.append((wanted, self._rule(wanted)))
                open_links.add(wanted)
            while True:
                self._steps -= 1
                if not stack:
                    return answer or Known()
                link, steps = stack[-1]
                try:
                    wanted = steps.send(answer) if answer is not None else next(steps)
                    break
                except StopIteration as end:
                    answer = self._known[link] = self._bounded(end.value)
                    stack.pop()
                    open_links.discard(link)

    def _rule(self, link: Link) -> Steps:
        return rule_of(self.graph, self.graph.nodes[link.node], link.slot)

    def _bounded(self, known: Known) -> Known:
        """Texts grow with every node that puts two together; two nodes with each other twice, sixty times over, must
        not grow past memory."""
        if not isinstance(known.value, str):
            return known
        room = max(0, min(MOST_PROMPT_CHARACTERS, self._characters))
        self._characters -= min(len(known.value), room)
        if len(known.value) <= room:
            return known
        self.cut = True
        return Known(known.value[:room], known.nodes, known.missing)
