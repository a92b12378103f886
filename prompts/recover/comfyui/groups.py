"""Old group nodes ("workflow>name"), brought into the form of subgraphs: their insides stand in `extra.groupNodes`."""

from __future__ import annotations

from typing import Any

from .scopes import INPUT, OUTPUT, Raw, listed
from .widget_names import WIDGET_NAMES
from .widgets import CONTROL

PREFIXES = ("workflow>", "workflow/")


def without_groups(workflow: Raw) -> Raw:
    """The workflow with a subgraph for every group node in it; itself where there is none."""
    extra = workflow.get("extra")
    kinds = extra.get("groupNodes") if isinstance(extra, dict) else None
    if not isinstance(kinds, dict) or not kinds:
        return workflow
    nodes, definitions = [], []
    for node in listed(workflow.get("nodes")):
        kind = str(node.get("type"))
        group = kinds.get(kind[len(PREFIXES[0]) :]) if kind.startswith(PREFIXES) else None
        if isinstance(group, dict):
            definition = _definition(f"{kind}:{node.get('id')}", node, group)
            definitions.append(definition)
            inputs = [{**one, "name": str(place)} for place, one in enumerate(listed(node.get("inputs")))]
            nodes.append({**node, "type": definition["id"], "inputs": inputs, "widgets_values": []})
        else:
            nodes.append(node)
    known = workflow.get("definitions")
    more = listed(known.get("subgraphs") if isinstance(known, dict) else None)
    return {**workflow, "nodes": nodes, "definitions": {"subgraphs": [*more, *definitions]}}


def _definition(name: str, instance: Raw, group: Raw) -> Raw:
    """Inner nodes have their places as ids; inputs and outputs that no inner link takes are the group's, in order."""
    inner = [dict(node) for node in listed(group.get("nodes"))]
    links, taken, given = _inner_links(group)
    values = list(_instance_values(instance))
    waiting = list(enumerate(listed(instance.get("inputs"))))
    for place, node in enumerate(inner):
        node["id"] = place
        slots = [dict(one) for one in listed(node.get("inputs"))]
        for number, slot in enumerate(slots):
            slot["link"] = taken.get((place, number))
            fitting = next((one for one in waiting if _fits(one[1], slot)), None)
            if slot["link"] is None and fitting:
                waiting.remove(fitting)
                slot["link"] = f"i{fitting[0]}"
                links.append([slot["link"], INPUT, fitting[0], place, number])
        node["inputs"] = slots
        values = _given(node, values, _hidden(group, place))
    outputs = [
        (place, slot)
        for place, node in enumerate(inner)
        for slot in range(len(listed(node.get("outputs"))))
        if (place, slot) not in given
    ]
    links += [[f"o{number}", place, slot, OUTPUT, number] for number, (place, slot) in enumerate(outputs)]
    names = [{"name": str(number)} for number in range(len(listed(instance.get("inputs"))))]
    return {"id": name, "nodes": inner, "links": links, "inputs": names}


def _inner_links(group: Raw) -> tuple[list[list[Any]], dict[tuple[int, int], str], set[tuple[int, int]]]:
    """The links, their ends, and those of their origins that are no output of the group as well."""
    links: list[list[Any]] = []
    for number, row in enumerate(_rows(group.get("links"))):
        if len(row) >= 4 and all(isinstance(one, int) for one in row[:4]):
            links.append([f"l{number}", *row[:4]])
    shown = [
        [row[0].get("index") if isinstance(row[0], dict) else row[0], row[1]]
        for row in _rows(group.get("external"))
        if len(row) >= 2
    ]
    ends = {(link[3], link[4]): link[0] for link in links}
    return links, ends, {(link[1], link[2]) for link in links if link[1:3] not in shown}


def _rows(value: object) -> list[list[Any]]:
    return [row for row in value if isinstance(row, list)] if isinstance(value, list) else []


def _fits(outer: Raw, slot: Raw) -> bool:
    name, own = str(outer.get("name")), str(slot.get("name"))
    same = name == own or name.endswith(f" {own}") or not outer.get("widget")
    return same and outer.get("type") == slot.get("type")


def _instance_values(instance: Raw) -> list[object]:
    values = instance.get("widgets_values")
    return values if isinstance(values, list) else []


def _given(node: Raw, values: list[object], hidden: set[str]) -> list[object]:
    """Puts the instance's values into an inner node; what is left of them for the next."""
    own = node.get("widgets_values")
    if not hidden or not isinstance(own, list):
        count = _count(node, values)
        if count:
            node["widgets_values"] = values[:count]
        return values[count:]
    kind = str(node.get("type"))
    places = _shown(kind, own, hidden)
    node["widgets_values"] = [*own]
    for place, value in zip(places, values, strict=False):
        node["widgets_values"][place] = value
    return values[len(places) if kind in WIDGET_NAMES else max(len(own) - len(hidden), 0) :]


def _hidden(group: Raw, place: int) -> set[str]:
    """The values of an inner node that the group does not show: they are the inner node's own."""
    config = group.get("config")
    node = config.get(str(place)) if isinstance(config, dict) else None
    inputs = node.get("input") if isinstance(node, dict) else None
    rows = inputs.items() if isinstance(inputs, dict) else ()
    return {str(name) for name, row in rows if isinstance(row, dict) and row.get("visible") is False}


def _shown(kind: str, own: list[object], hidden: set[str]) -> list[int]:
    """The places of a node's values that the group shows; none where their names are unknown. What controls a seed is
    where the seed is."""
    names = iter(WIDGET_NAMES.get(kind, ()))
    places: list[int] = []
    shown = False
    for place, value in enumerate(own):
        if not (isinstance(value, str) and value in CONTROL):
            name = next(names, None)
            shown = name is not None and name not in hidden
        places += [place] if shown else []
    return places


def _count(node: Raw, values: list[object]) -> int:
    """How many of the instance's values are this node's: as many as it has itself, what controls seeds as they come."""
    own = node.get("widgets_values")
    names = len(own) if isinstance(own, list) else len(WIDGET_NAMES.get(str(node.get("type")), ()))
    if isinstance(own, list):
        return min(names, len(values))
    plain = 0
    for place, value in enumerate(values):
        if isinstance(value, str) and value in CONTROL:
            continue
        if plain == names:
            return place
        plain += 1
    return len(values)
