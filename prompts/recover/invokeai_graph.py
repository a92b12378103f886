"""InvokeAI's graphs: the executed one ("invokeai_graph") and that of the editor ("invokeai_workflow").

The first is `nodes`, {id: {type, fields…}}, and `edges` of source and destination, each node_id and field
(invokeai/app/services/shared/graph.py of invoke-ai/InvokeAI); the second is `nodes`, [{id, data: {type, inputs: {name:
{value}}}}], and `edges` of source, sourceHandle, target, targetHandle. The prompt is that of the encoder from which the
conditioning of the node that denoises comes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .limits import MOST_NODES
from .recovered import NodeRef, RecoveredPrompt
from .values import as_list, as_record, as_text

_POSITIVE = ("positive_conditioning", "positive_text_conditioning")
_NEGATIVE = ("negative_conditioning", "negative_text_conditioning")
_TEXTS = ("prompt", "value", "string", "positive_prompt")
_MOST_STEPS = 1_000
"""Of one walk from a node to its text."""


class _Graph(NamedTuple):
    nodes: dict[str, dict[str, Any]]
    """By id; each its fields and "type"."""
    sources: dict[tuple[str, str], list[str]]
    """The nodes that a node's field comes from."""


def prompt_of_graph(record: dict[str, Any]) -> tuple[RecoveredPrompt | None, dict[str, Any]]:
    """The texts that the node which denoises gets, and the fields of the node that collects the metadata (empty where
    there is none)."""
    graph = _graph(record)
    metadata = next((node for node in graph.nodes.values() if node["type"] == "core_metadata"), {})
    for name, node in graph.nodes.items():
        if any((name, field) in graph.sources for field in _POSITIVE):
            (positive, positive_node), (negative, negative_node) = (
                _text(graph, name, names) for names in (_POSITIVE, _NEGATIVE)
            )
            sampler = NodeRef(name, node["type"])
            if positive or negative:
                return RecoveredPrompt(positive, negative, positive_node, negative_node, sampler), _without_own(
                    metadata
                )
    positive, negative = (as_text(metadata.get(name)) for name in ("positive_prompt", "negative_prompt"))
    return RecoveredPrompt(positive, negative) if positive or negative else None, _without_own(metadata)


def _without_own(metadata: dict[str, Any]) -> dict[str, Any]:
    """Without what every node has."""
    return {
        name: value for name, value in metadata.items() if name not in ("id", "type", "is_intermediate", "use_cache")
    }


def _text(graph: _Graph, start: str, names: tuple[str, ...]) -> tuple[str, tuple[NodeRef, ...]]:
    """The text above a field of a node, whatever stands between, and the node it was written in."""
    waiting = [source for name in names for source in graph.sources.get((start, name), [])][::-1]
    seen: set[str] = set()
    while waiting and len(seen) < _MOST_STEPS:
        at = waiting.pop()
        node = graph.nodes.get(at)
        if at in seen or node is None:
            continue
        seen.add(at)
        above = [source for name in (*_TEXTS, "item", "collection") for source in graph.sources.get((at, name), [])]
        text = next((text for name in _TEXTS if (text := as_text(node.get(name)))), "")
        if text and not above:
            return text, (NodeRef(at, node["type"]),)
        waiting += above[::-1]
    return "", ()


def _graph(record: dict[str, Any]) -> _Graph:
    nodes: dict[str, dict[str, Any]] = {}
    listed = record.get("nodes")
    for name, node in list(as_record(listed).items())[:MOST_NODES]:
        nodes[name] = {**as_record(node), "type": as_text(as_record(node).get("type"))}
    for node in map(as_record, as_list(listed)[:MOST_NODES]):
        data = as_record(node.get("data"))
        fields = {name: as_record(field).get("value") for name, field in as_record(data.get("inputs")).items()}
        nodes[as_text(node.get("id"))] = {**fields, "type": as_text(data.get("type"))}
    sources: dict[tuple[str, str], list[str]] = {}
    for edge in map(as_record, as_list(record.get("edges"))[:MOST_NODES]):
        source, target = as_record(edge.get("source")), as_record(edge.get("destination"))
        ends = [source.get("node_id"), target.get("node_id"), target.get("field")]
        if not source:
            ends = [edge.get("source"), edge.get("target"), edge.get("targetHandle")]
        start, end, field = map(as_text, ends)
        sources.setdefault((end, field), []).append(start)
    return _Graph(nodes, sources)
