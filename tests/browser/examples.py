"""The files of example_workflows/, and what tests make of them: small ones that a CPU paints from drawn pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ...scripts.comfyui import CHECKPOINT
from ...scripts.example_workflows import FOLDER
from ..seeing_model.scenes import Scene, draw

EXAMPLES = sorted(FOLDER.glob("*.json"))
SCENES = (
    Scene(color="purple", shape="star", background="yellow", x=0.5, y=0.5, radius=0.36),
    Scene(color="blue", shape="circle", background="white", x=0.5, y=0.5, radius=0.34),
    Scene(color="red", shape="square", background="black", x=0.5, y=0.5, radius=0.36),
)
"""What the pictures show, in the order of their loaders: the seeing model names each of them rightly."""
CARRIED = "a lighthouse at dusk, (oil painting:1.2)"
"""The prompt that the picture for Read Prompt carries."""
SMALL: dict[str, dict[str, Any]] = {
    "EmptyLatentImage": {"width": 64, "height": 64},
    "EmptySD3LatentImage": {"width": 64, "height": 64},
    "EmptyFlux2LatentImage": {"width": 64, "height": 64},
    "KSampler": {"steps": 2},
    "BasicScheduler": {"steps": 2},
    "Flux2Scheduler": {"steps": 2, "width": 64, "height": 64},
}
"""What a CPU can paint."""
TINY_OUTPUTS = {"UNETLoader": 0, "CLIPLoader": 1, "DualCLIPLoader": 1, "VAELoader": 2}
"""Loaders of files that are not made tiny here, and which output of the tiny checkpoint stands in for theirs."""

SEEDS = ("seed", "noise_seed")
"""Inputs after whose value stands what happens to it at the next run."""

Workflow: TypeAlias = dict[str, Any]
Node: TypeAlias = dict[str, Any]


def load(path: Path) -> Workflow:
    return json.loads(path.read_text(encoding="utf-8"))


def of_type(workflow: Workflow, *types: str) -> list[Node]:
    """Its nodes of these types, in their order."""
    return [node for node in workflow["nodes"] if node["type"] in types]


def ours(workflow: Workflow) -> list[str]:
    """The types of its nodes that are of this package."""
    return sorted(node["type"] for node in workflow["nodes"] if node["type"].startswith("Img2Prompt_"))


def wires(workflow: Workflow) -> set[tuple[int, str, int, str]]:
    """Its links, each as node and output, node and input: slots by name, since their numbers may differ."""
    nodes = {node["id"]: node for node in workflow["nodes"]}
    return {
        (source, nodes[source]["outputs"][slot]["name"], target, nodes[target]["inputs"][place]["name"])
        for _number, source, slot, target, place, _type in workflow["links"]
    }


def widgets(node: Node) -> list[str]:
    """The names of the values that the file holds of a node, in their order."""
    if node["type"] == "MarkdownNote":
        return ["text"]
    found: list[str] = []
    for entry in node["inputs"]:
        if "widget" in entry:
            found += [entry["name"], "control_after_generate"] if entry["name"] in SEEDS else [entry["name"]]
    return found


def values(node: Node) -> dict[str, Any]:
    """What the file holds of a node, by the widget's name."""
    return dict(zip(widgets(node), node["widgets_values"], strict=True))


def set_widget(node: Node, name: str, value: Any) -> None:
    node["widgets_values"][widgets(node).index(name)] = value


def small(workflow: Workflow) -> Workflow:
    """The workflow with a size that a CPU paints, and in the place of its loaders the tiny checkpoint's."""
    for node in workflow["nodes"]:
        for name, value in SMALL.get(node["type"], {}).items():
            set_widget(node, name, value)
    _stand_in(workflow)
    return workflow


def _stand_in(workflow: Workflow) -> None:
    """Put one loader of the tiny checkpoint in the place of the loaders of separate files, links and all."""
    replaced = {node["id"]: node for node in of_type(workflow, *TINY_OUTPUTS)}
    if not replaced:
        return
    first = min(replaced)
    kinds = ("MODEL", "CLIP", "VAE")
    links: dict[int, list[int]] = {slot: [] for slot in range(len(kinds))}
    for link in workflow["links"]:
        if link[1] in replaced:
            link[1:3] = first, TINY_OUTPUTS[replaced[link[1]]["type"]]
            links[link[2]].append(link[0])
    loader = {
        **replaced[first],
        "type": "CheckpointLoaderSimple",
        "inputs": [{"name": "ckpt_name", "type": "COMBO", "widget": {"name": "ckpt_name"}, "link": None}],
        "outputs": [{"name": kind, "type": kind, "links": links[slot]} for slot, kind in enumerate(kinds)],
        "properties": {},
        "widgets_values": [CHECKPOINT],
    }
    kept = [node for node in workflow["nodes"] if node["id"] not in replaced]
    workflow["nodes"] = [*kept, loader]


def with_pictures(workflow: Workflow, files: list[str], carrying: str, folder: str) -> Workflow:
    """The workflow on these files of the input folder, in the order of its loaders."""
    for node, file in zip(of_type(workflow, "LoadImage"), files, strict=False):
        set_widget(node, "image", file)
    for node in of_type(workflow, "Img2Prompt_ReadPrompt"):
        set_widget(node, "image", carrying)
    for node in of_type(workflow, "LoadImageDataSetFromFolder"):
        set_widget(node, "folder", folder)
    return workflow


def drawn() -> Iterator[Image.Image]:
    """The picture of each of SCENES."""
    for number, scene in enumerate(SCENES):
        yield draw(scene, 512, 512, Random(number))


def save_carrying(picture: Image.Image, path: Path) -> None:
    """The picture as a generator would save it: with CARRIED as its prompt."""
    texts = PngInfo()
    texts.add_text("parameters", f"{CARRIED}\nNegative prompt: blurry\nSteps: 20, Sampler: Euler, Seed: 7")
    picture.save(path, pnginfo=texts)


def overlaps(boxes: Mapping[str, tuple[float, float, float, float]]) -> list[str]:
    """The pairs of nodes that lie on each other; boxes are left, top, width, height."""
    return [
        f"{a} and {b}"
        for a, (ax, ay, aw, ah) in boxes.items()
        for b, (bx, by, bw, bh) in boxes.items()
        if a < b and ax < bx + bw and bx < ax + aw and ay < by + bh and by < ay + ah
    ]
