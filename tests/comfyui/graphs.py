"""Graphs for the API that the tests share: pictures into our node, and on into a sampler."""

from __future__ import annotations

from typing import Any

from ...scripts.comfyui import CHECKPOINT
from .server import Graph

NODE = "Img2Prompt_ImageToPrompt"
DEFAULTS: dict[str, Any] = {
    "family": "sdxl",
    "look_at": "everything",
    "extra_instruction": "",
    "prefix": "",
    "leave_out": "",
    "token_budget": 0,
    "seed": 0,
    "emphasis": "none",
    "unknown_tags": "keep",
    "closed_vocabulary": False,
}
READ = "Img2Prompt_ReadPrompt"
SAVE = "Img2Prompt_SavePrompt"
STORY = "Img2Prompt_MultiImageStory"
STORY_DEFAULTS: dict[str, Any] = {
    "family": "sdxl",
    "extra_instruction": "",
    "genre": "",
    "beats": 0,
    "language": "English",
    "prefix": "",
    "leave_out": "",
    "token_budget": 0,
    "seed": 0,
    "emphasis": "none",
    "unknown_tags": "keep",
}
ENGINE_DEFAULTS: dict[str, Any] = {
    "model": "from settings",
    "precision": "from settings",
    "release": "from settings",
    "endpoint": "",
}


def image_to_prompt(image: list[Any], **inputs: Any) -> dict[str, Any]:
    """Our node with its defaults, fed by `image`, a link such as ["1", 0]."""
    return {"class_type": NODE, "inputs": {"image": image, **DEFAULTS, **inputs}}


def load(*files: str) -> Graph:
    """Pictures of the input folder, each by itself, numbered "load0" and on."""
    return {f"load{i}": {"class_type": "LoadImage", "inputs": {"image": file}} for i, file in enumerate(files)}


def batch(*files: str) -> tuple[Graph, list[Any]]:
    """The pictures as one batch, and the link to it. They must be of one size."""
    graph, link = load(*files), ["load0", 0]
    for i in range(1, len(files)):
        graph[f"batch{i}"] = {"class_type": "ImageBatch", "inputs": {"image1": link, "image2": [f"load{i}", 0]}}
        link = [f"batch{i}", 0]
    return graph, link


def rebatched(images: list[Any], size: int) -> dict[str, Any]:
    """ComfyUI's own Rebatch Images: the pictures at the link `images` as a list of batches of `size`."""
    return {"class_type": "RebatchImages", "inputs": {"images": images, "batch_size": size}}


def describe(*files: str, **inputs: Any) -> Graph:
    """The pictures as one batch into our node, which is number "prompt". They must be of one size."""
    graph, link = batch(*files)
    return {**graph, "prompt": image_to_prompt(link, **inputs)}


def story(**inputs: Any) -> dict[str, Any]:
    """Multi-Image Story with its defaults; the pictures are among `inputs`, links such as images=["1", 0]."""
    return {"class_type": STORY, "inputs": {**STORY_DEFAULTS, **inputs}}


def read_prompt(file: str, write_as: str = "as written") -> dict[str, Any]:
    """Read Prompt on a file of the input folder, or of another, as "a.png [output]"."""
    return {"class_type": READ, "inputs": {"image": file, "write_as": write_as}}


def save_prompt(images: list[Any], prefix: str, **inputs: Any) -> dict[str, Any]:
    """Save Prompt on the pictures at the link `images`."""
    return {"class_type": SAVE, "inputs": {"images": images, "filename_prefix": prefix, **inputs}}


def paint(positive: object, negative: object) -> Graph:
    """Two prompts, texts or links, into a sampler on the tiny checkpoint; "save" holds what was painted."""
    return {
        "checkpoint": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "positive": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["checkpoint", 1], "text": positive}},
        "negative": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["checkpoint", 1], "text": negative}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "sample": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["checkpoint", 0],
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "latent_image": ["latent", 0],
                "seed": 1,
                "steps": 2,
                "cfg": 4.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        },
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sample", 0], "vae": ["checkpoint", 2]}},
        "save": {"class_type": "SaveImage", "inputs": {"images": ["decode", 0], "filename_prefix": "painted"}},
    }


def redraw(file: str, **inputs: Any) -> Graph:
    """One picture into our node and its prompts into a sampler; "save" holds what was painted."""
    return {**describe(file, **inputs), **paint(["prompt", 0], ["prompt", 1])}


def shown(prompt: str, output: int) -> dict[str, Any]:
    """ComfyUI's own Preview Any on one of our node's outputs, whose text then stands in the history."""
    return {"class_type": "PreviewAny", "inputs": {"source": [prompt, output]}}


def engine(**inputs: Any) -> dict[str, Any]:
    """Prompt Engine with its defaults."""
    return {"class_type": "Img2Prompt_PromptEngine", "inputs": {**ENGINE_DEFAULTS, **inputs}}


def with_engine(graph: Graph, **inputs: Any) -> Graph:
    """The graph with a Prompt Engine, number "engine", before its node "prompt"."""
    asking = graph["prompt"]
    asking = {**asking, "inputs": {**asking["inputs"], "engine": ["engine", 0]}}
    return {**graph, "prompt": asking, "engine": engine(**inputs)}


def start(**inputs: Any) -> dict[str, Any]:
    """Start Prompt Engine; with engine=["engine", 0] that of a Prompt Engine."""
    return {"class_type": "Img2Prompt_StartPromptEngine", "inputs": inputs}


def release(anything: list[Any], action: str = "sleep") -> dict[str, Any]:
    """Release Prompt Engine, fed by the link `anything`."""
    return {"class_type": "Img2Prompt_ReleasePromptEngine", "inputs": {"anything": anything, "action": action}}
