"""The executed graph, as ComfyUI's API takes it and as it is stored under "prompt"."""

from __future__ import annotations

from ...errors import RecoverError
from ..limits import MOST_NODES
from .graph import Graph, Link, Node


def is_api(value: object) -> bool:
    """Whether a JSON value is an executed graph: at least one node with its class."""
    return isinstance(value, dict) and any(_is_node(node) for node in value.values())


def from_api(graph: dict[str, object]) -> Graph:
    """What is no node is left out (Civitai's "extra"). Raises RecoverError for more than MOST_NODES nodes."""
    found = {str(key): node for key, node in graph.items() if isinstance(node, dict) and _is_node(node)}
    if len(found) > MOST_NODES:
        raise RecoverError(f"The graph has {len(found)} nodes; more than {MOST_NODES} are not read.")
    return Graph({key: _node(key, node) for key, node in found.items()})


def _is_node(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("class_type"), str)
        and isinstance(value.get("inputs", {}), dict)
    )


def _node(key: str, node: dict[str, object]) -> Node:
    meta, inputs = node.get("_meta"), node.get("inputs")
    title = meta.get("title") if isinstance(meta, dict) else ""
    values = {str(name): _value(value) for name, value in inputs.items()} if isinstance(inputs, dict) else {}
    return Node(key, str(node["class_type"]), title if isinstance(title, str) else "", values)


def _value(value: object) -> object:
    """A link is a list of a node's id and the number of one of its outputs; a list as a value stands in
    {"__value__": …}."""
    if isinstance(value, list) and len(value) == 2:
        node, slot = value
        if isinstance(node, (str, int)) and isinstance(slot, int) and not isinstance(slot, bool):
            return Link(str(node), slot)
    if isinstance(value, dict) and list(value) == ["__value__"]:
        return value["__value__"]
    return value
