"""The example workflow as the browser tests run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...scripts.comfyui import CHECKPOINT
from ..comfyui.graphs import NODE

WORKFLOW = Path(__file__).parents[2] / "example_workflows" / "image_to_prompt.json"
SHOWN = f"app.graph._nodes.find(node => node.type === '{NODE}').widgets.find(widget => widget.name === 'shown_prompt')"
"""The widget on our node that shows its prompt, in JavaScript."""
SMALL = {"EmptyLatentImage": [64, 64, 1], "CheckpointLoaderSimple": [CHECKPOINT]}
"""What a CPU can paint: the workflow's own sizes and checkpoint are for a person with SDXL."""
STEPS = 2


def small_example() -> dict[str, Any]:
    """The example as shipped, but small and on the tiny checkpoint."""
    example = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    for node in example["nodes"]:
        if node["type"] in SMALL:
            node["widgets_values"] = SMALL[node["type"]]
        if node["type"] == "KSampler":
            node["widgets_values"][2] = STEPS
    return example
