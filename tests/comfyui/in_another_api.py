"""A program that shows our nodes to the `comfy_api` on its path, for test_newer_api.py: JSON on stdin and stdout.

{"folder": of input pictures} gives the nodes' definitions, as ComfyUI serves them. With {"node", "inputs"} it runs that
node as ComfyUI does, with the API's own functions: what a graph gives for the inputs goes in, as lists where the node
wants them, and {"picture": [colour, width, height]} stands for a drawn one.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api import latest as installed
from img2prompt.nodes import Img2PromptExtension

latest: Any = installed  # not the one that is known here


class Execution:
    """Where progress goes; the rewritten API has none."""

    async def set_progress(self, *_: object) -> None:
        """Seen by nobody."""


def value_of(given: Any) -> Any:
    """What another node would hand on."""
    from img2prompt.nodes.images import from_picture
    from img2prompt.tests.seeing import draw

    if not isinstance(given, dict):
        return given
    color, *size = given["picture"]
    return from_picture(draw(color, size=tuple(size)))


def run(node: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Checks, fingerprints and executes it: what came out, as a server would keep it."""
    io = latest.io
    _, _, v3_data = io.get_finalized_class_inputs(node.INPUT_TYPES(), inputs)
    values = {name: [value_of(given)] for name, given in inputs.items()}
    clone = node.PREPARE_CLASS_CLONE({**v3_data, "hidden_inputs": {}})

    # ComfyUI asks with those that it names; some releases hand it what has grown, too
    checked = {name: [inputs[name]] for name in inspect.signature(clone.validate_inputs).parameters if name in inputs}
    unlinked = {name: [None] if isinstance(given, dict) else [given] for name, given in inputs.items()}
    valid = clone.validate_inputs(**io.build_nested_inputs(checked, v3_data))
    fingerprint = clone.fingerprint_inputs(**io.build_nested_inputs(unlinked, v3_data))

    given = io.build_nested_inputs(values, v3_data)
    output = asyncio.run(getattr(clone, clone.FUNCTION)(**given))
    grown = {name: sorted(value) for name, value in given.items() if isinstance(value, dict)}
    outputs = [None if hasattr(value, "shape") else value for value in output.result]
    return {"valid": valid, "fingerprint": fingerprint, "grown": grown, "outputs": outputs}


def main() -> None:
    """Answer the question on stdin."""
    asked = json.load(sys.stdin)
    folder_paths.set_input_directory(asked["folder"])
    nodes = {node.GET_SCHEMA().node_id: node for node in asyncio.run(Img2PromptExtension().get_node_list())}
    if "node" in asked:
        latest.ComfyAPI.Execution = Execution
        sys.path.append(str(Path(latest.__file__).parents[4]))  # where the rewritten API's own package lies
        answer: Any = [run(nodes[asked["node"]], inputs) for inputs in asked["inputs"]]
    else:
        answer = {node_id: node.GET_NODE_INFO_V1() for node_id, node in nodes.items()}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
