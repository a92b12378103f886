"""The interface's graph as a tree: its own level, and a level for each use of a subgraph.

It knows the stored format of workflows, versions 0.4 (links as lists) and 1 (links as objects), and of subgraphs'
definitions, whose values stand in three places by age: in the inner node, in the inner node still but shown by the
instance (`proxyWidgets`), or in the instance's own `widgets_values`, one for each input of the definition that has a
widget; that one counts, the inner one is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...errors import RecoverError
from ..limits import MOST_NODES
from .widgets import named

INPUT, OUTPUT = "-10", "-20"
"""The ids of a definition's two ends."""
NEVER, BYPASS = 2, 4
"""The modes of a node that does not run; every other one does."""
MOST_DEPTH = 100

Raw = dict[str, Any]


def listed(value: object) -> list[Raw]:
    """The dicts of a list, which may be none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


class Level:
    """The nodes and links of a workflow, or of a subgraph's definition."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.nodes: dict[str, Raw] = {str(node.get("id")): node for node in listed(raw.get("nodes"))}
        self.links: dict[str, tuple[str, int]] = {}
        """Link to the node that it comes from, and the number of its output."""
        self.results: dict[int, str] = {}
        """The number of the definition's output to the link that enters it."""
        self._targets: dict[int, list[tuple[str, int]]] = {}
        links = raw.get("links")
        for link in links.values() if isinstance(links, dict) else links if isinstance(links, list) else ():
            self._add(link)

    def _add(self, link: object) -> None:
        if isinstance(link, list) and len(link) >= 5:
            number, origin, slot, target, end = link[:5]
        elif isinstance(link, dict):
            keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
            number, origin, slot, target, end = (link.get(key) for key in keys)
        else:
            return
        if not isinstance(slot, int) or not isinstance(end, int):
            return
        self.links[str(number)] = (str(origin), slot)
        if str(target) == OUTPUT:
            self.results[end] = str(number)
        if str(origin) == INPUT:
            self._targets.setdefault(slot, []).append((str(target), end))

    @cached_property
    def inputs(self) -> list[str]:
        """The names of a definition's inputs."""
        return [str(one.get("name")) for one in listed(self.raw.get("inputs"))]

    @cached_property
    def widget_inputs(self) -> list[str]:
        """Those of them that an instance shows as widgets: what they lead to is one."""
        return [name for slot, name in enumerate(self.inputs) if self.shown_widget(slot)]

    def shown_widget(self, slot: int) -> tuple[str, str] | None:
        """The inner node, and its widget's name, that one of a definition's inputs shows."""
        for key, number in self._targets.get(slot, ()):
            inputs = list(slots(self.nodes.get(key, {})))
            if 0 <= number < len(inputs) and inputs[number][1].get("widget"):
                return key, inputs[number][0]
        return None

    @cached_property
    def stored(self) -> dict[str, str]:
        """SetNode's names to the nodes' ids."""
        found: dict[str, str] = {}
        for key, node in self.nodes.items():
            values = node.get("widgets_values")
            if node.get("type") == "SetNode" and isinstance(values, list) and values:
                found[str(values[0])] = key
        return found


@dataclass(slots=True)
class Scope:
    """One use of a level."""

    level: Level
    prefix: str = ""
    """ "57:" before the ids of the nodes in subgraph 57."""
    parent: Scope | None = None
    instance: Raw = field(default_factory=dict)
    """The node of the parent that this is the inside of."""
    values: dict[str, object] = field(default_factory=dict)
    """The instance's own, by the definition's inputs."""
    runs: bool = True
    children: dict[str, Scope] = field(default_factory=dict)
    """By the instance's id."""

    def value(self, slot: int) -> object:
        """Of a definition's input that nothing is linked to: the instance's, else the shown widget's in the inner
        node."""
        scope = self
        for _ in range(MOST_DEPTH):
            names = scope.level.inputs
            if names[slot] in scope.values:
                return scope.values[names[slot]]
            shown = scope.level.shown_widget(slot)
            key, name = shown or ("", "")
            if key not in scope.children:
                node = scope.level.nodes.get(key, {})
                return widget_values(node).get(name)
            scope = scope.children[key]
            if name not in scope.level.inputs:
                break
            slot = scope.level.inputs.index(name)
        return None

    @property
    def depth(self) -> int:
        return self.prefix.count(":")


def unfold(workflow: Raw) -> list[Scope]:
    """The workflow and every subgraph in it, outer ones first. Raises RecoverError where it has no end, or more than
    MOST_NODES nodes."""
    parts = workflow.get("definitions")
    definitions = {
        str(raw.get("id")): Level(raw) for raw in listed(parts.get("subgraphs") if isinstance(parts, dict) else None)
    }
    scopes = [Scope(Level(workflow))]
    nodes = 0
    for scope in scopes:  # which grows
        nodes += 1 + len(scope.level.nodes)
        if nodes > MOST_NODES or scope.depth > MOST_DEPTH:
            raise RecoverError(f"The workflow has more than {MOST_NODES} nodes with its subgraphs'; it was not read.")
        for key, node in scope.level.nodes.items():
            level = definitions.get(str(node.get("type")))
            if level:
                scope.children[key] = _use(scope, key, node, level)
        scopes += scope.children.values()
    return scopes


def _use(parent: Scope, key: str, instance: Raw, level: Level) -> Scope:
    values, names = instance.get("widgets_values"), level.widget_inputs
    own: object = instance.get("widgets_values_named")
    if isinstance(values, list) and len(values) == len(names):
        own = dict(zip(names, values, strict=True))
    return Scope(
        level,
        prefix=f"{parent.prefix}{key}:",
        parent=parent,
        instance=instance,
        values={str(name): value for name, value in own.items() if value is not None} if isinstance(own, dict) else {},
        runs=parent.runs and instance.get("mode") not in (NEVER, BYPASS),
    )


def widget_values(node: Raw) -> dict[str, object]:
    """The values that a node itself holds, by its inputs' names."""
    widgets = [name for name, slot in slots(node) if slot.get("widget")]
    return named(str(node.get("type")), node.get("widgets_values"), widgets, node.get("widgets_values_named"))


def slots(node: Raw) -> Iterator[tuple[str, Raw]]:
    """The node's inputs by name; one that is shown as a widget by the widget's name."""
    for slot in listed(node.get("inputs")):
        widget = slot.get("widget")
        name = widget.get("name") if isinstance(widget, dict) else None
        yield str(name or slot.get("name")), slot
