"""Workflows as the browser tests run them: the example, and graphs of the API as a person would have saved them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...scripts.comfyui import CHECKPOINT
from ..comfyui.graphs import NODE
from ..comfyui.server import Graph

if TYPE_CHECKING:
    from playwright.sync_api import Page

WORKFLOW = Path(__file__).parents[2] / "example_workflows" / "image_to_prompt.json"
SHOWN = f"app.graph._nodes.find(node => node.type === '{NODE}').widgets.find(widget => widget.name === 'shown')"
"""The widget on our node that shows its prompt, in JavaScript."""
SEEN = "() => [...document.querySelectorAll('.i2p-main')].filter(e => e.checkVisibility()).map(e => e.textContent)"
"""The main texts that nodes show, as a person sees them: a function in JavaScript."""
SMALL = {"EmptyLatentImage": [64, 64, 1], "CheckpointLoaderSimple": [CHECKPOINT]}
"""What a CPU can paint: the workflow's own sizes and checkpoint are for a person with SDXL."""
STEPS = 2
SOCKETS = """(node => ({
  shown: node.inputs.filter(input => input.type === 'IMAGE').map(input => input.name),
  linked: Object.fromEntries(node.inputs.flatMap((input, slot) => {
    const link = node.graph.getLink(input.link);
    if (!link) return [];
    return [[input.name, link.target_slot === slot ? link.origin_id : `the link says slot ${link.target_slot}`]];
  })),
}))"""
"""A function in JavaScript that tells a node's picture sockets, and which node each of its inputs is linked to."""
SAVE = """async ([graph, places]) => {
  await app.loadApiJson(graph, 'graph');
  for (const node of app.graph._nodes) node.pos = places[node.id];
  const saved = JSON.parse(JSON.stringify(app.graph.serialize()));
  app.graph.clear();
  return saved;
}"""


def small_example() -> dict[str, Any]:
    """The example as shipped, but small and on the tiny checkpoint."""
    example = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    for node in example["nodes"]:
        if node["type"] in SMALL:
            node["widgets_values"] = SMALL[node["type"]]
        if node["type"] == "KSampler":
            node["widgets_values"][2] = STEPS
    return example


def saved(page: Page, graph: Graph, places: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """The graph as the workflow file that the page would write of it, each node's left top corner at its place."""
    return page.evaluate(SAVE, [graph, {node: list(places[node]) for node in graph}])
