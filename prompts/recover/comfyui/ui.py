"""The interface's graph ("workflow") brought into the form that is executed.

As the interface does it when a graph is queued: subgraphs and old group nodes unfolded, muted nodes dropped, bypassed
ones passed through, reroutes, primitives and Get/Set pairs replaced by what they stand for. What it cannot know without
the nodes' definitions are the names of some values (widgets.py).
"""

from __future__ import annotations

from typing import Any

from ..limits import MOST_NODES, MOST_STEPS
from ..values import as_text
from .everywhere import everywhere
from .graph import Graph, Link, Node
from .groups import without_groups
from .scopes import BYPASS, INPUT, NEVER, Raw, Scope, listed, slots, unfold, widget_values

PASSING = frozenset({"Reroute", "Reroute (rgthree)", "SetNode"})
"""Nodes of the interface that only hand on their first input."""
VIRTUAL = PASSING | {"PrimitiveNode", "GetNode", "Note", "MarkdownNote", "Label (rgthree)", "Bookmark (rgthree)"}
"""Nodes that are not executed."""
SHOWING = frozenset({"ShowText|pysssss", "PreviewAny", "Display Any (rgthree)", "easy showAnything", "ShowText"})
"""Nodes that keep the text they showed."""

Source = tuple[Scope, str, int]
"""An output: the node's scope, id and the output's number."""


def is_ui(value: object) -> bool:
    """Whether a JSON value is an interface's graph."""
    if not isinstance(value, dict):
        return False
    nodes = value.get("nodes")
    return isinstance(nodes, list) and any(isinstance(node, dict) and "type" in node for node in nodes)


def from_ui(workflow: dict[str, Any]) -> Graph:
    """The nodes that would run. Raises RecoverError for a workflow that unfolds without end."""
    return _Unfolding(without_groups(workflow)).graph()


class _Unfolding:
    def __init__(self, workflow: Raw) -> None:
        self._scopes = unfold(workflow)
        self._steps = MOST_STEPS
        self._everywhere = {
            place: (self._scopes[0], *one) if isinstance(one, tuple) else one
            for place, one in everywhere(workflow, self._scopes[0].level.links).items()
        }

    def graph(self) -> Graph:
        graph = Graph()
        for scope in self._scopes:
            for key, raw in scope.level.nodes.items() if scope.runs else ():
                kind = str(raw.get("type"))
                if raw.get("mode") in (NEVER, BYPASS) or key in scope.children or kind in VIRTUAL:
                    continue
                node = self._node(scope, key, raw)
                graph.nodes[node.id] = node
                if kind in SHOWING:
                    self._keep_shown(graph, node, raw)
        return graph

    def _node(self, scope: Scope, key: str, raw: Raw) -> Node:
        kind, title = str(raw.get("type")), raw.get("title")
        node = Node(f"{scope.prefix}{key}", kind, title if isinstance(title, str) and title != kind else "")
        node.inputs = widget_values(raw)
        for number, (name, slot) in enumerate(slots(raw)):
            link = slot.get("link")
            if link is not None:
                found = self._follow(scope, str(link), slot.get("type"))
                if found is not None:
                    node.inputs[name] = found
            elif scope.parent is None and (key, number) in self._everywhere:
                found = self._resolved(self._everywhere[key, number], slot.get("type"))
                if found is not None:
                    node.inputs[name] = found
        return node

    def _follow(self, scope: Scope, link: str, kind: object) -> object:
        """What a link brings: a Link to a node that runs, a value, or None."""
        return self._resolved(_origin(scope, link), kind)

    def _resolved(self, hop: object, kind: object) -> object:
        """What an output (a Source) stands for; other values are what they are."""
        for _ in range(MOST_NODES):
            if not isinstance(hop, tuple) or self._steps <= 0:
                break
            self._steps -= 1
            hop = self._hop(*hop, kind)
        return None if isinstance(hop, tuple) else hop

    def _hop(self, scope: Scope, key: str, slot: int, kind: object) -> object:
        """One step up from an output: another output (a Source), or what `_follow` gives."""
        raw = scope.level.nodes.get(key)
        if key == INPUT and scope.parent is not None:
            return self._outer(scope, scope.parent, slot)
        if raw is None or raw.get("mode") == NEVER:
            return None
        if raw.get("mode") == BYPASS:
            return _origin(scope, _bypassed(raw, slot, kind))
        if inside := scope.children.get(key):
            return _origin(inside, inside.level.results.get(slot))
        return self._virtual(scope, raw) if str(raw.get("type")) in VIRTUAL else Link(f"{scope.prefix}{key}", slot)

    def _virtual(self, scope: Scope, raw: Raw) -> object:
        """What a node stands for that is not executed."""
        if raw.get("type") == "PrimitiveNode":
            return _first(raw)
        if raw.get("type") == "GetNode":
            return self._got(scope, str(_first(raw)))
        return _origin(scope, next((_link(one) for _, one in slots(raw)), None))

    @staticmethod
    def _outer(scope: Scope, parent: Scope, slot: int) -> object:
        """What enters a definition's input: from outside where the instance is linked there, else its own value."""
        names = scope.level.inputs
        if not 0 <= slot < len(names):
            return None
        own = next((one for one in listed(scope.instance.get("inputs")) if one.get("name") == names[slot]), {})
        return _origin(parent, _link(own)) or scope.value(slot)

    @staticmethod
    def _got(scope: Scope | None, name: str) -> Source | None:
        while scope is not None:
            if name in scope.level.stored:
                return scope, scope.level.stored[name], 0
            scope = scope.parent
        return None

    @staticmethod
    def _keep_shown(graph: Graph, node: Node, raw: Raw) -> None:
        """The text that a node which shows texts kept from the run."""
        values = raw.get("widgets_values")
        texts = [as_text(one[0] if isinstance(one, list) and one else one) for one in _values(values)]
        text = next((text for text in texts if text), "")
        for _, link in node.links() if text else ():
            graph.shown.setdefault(link, text)


def _origin(scope: Scope, link: str | None) -> Source | None:
    origin = scope.level.links.get(link) if link is not None else None
    return (scope, *origin) if origin else None


def _values(values: object) -> list[object]:
    return values if isinstance(values, list) else list(values.values()) if isinstance(values, dict) else []


def _first(raw: Raw) -> object:
    return next(iter(_values(raw.get("widgets_values"))), None)


def _link(slot: Raw) -> str | None:
    link = slot.get("link")
    return None if link is None else str(link)


def _bypassed(raw: Raw, slot: int, kind: object) -> str | None:
    """The link that a bypassed node hands on: of the input at the output's own place if it has the type, else of the
    first that has it."""
    inputs = listed(raw.get("inputs"))
    fitting = [number for number, one in enumerate(inputs) if _takes(one.get("type"), kind)]
    if not fitting:
        return None
    return _link(inputs[slot if slot in fitting else fitting[0]])


def _takes(one: object, other: object) -> bool:
    """Whether two types fit: equal, or one of them "*", or one of several ("IMAGE,MASK")."""
    return "*" in (one, other) or bool({*str(one).split(",")} & {*str(other).split(",")})
