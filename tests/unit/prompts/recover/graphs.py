"""ComfyUI graphs that tests put together: nodes of the executed form, and of the interface's form."""

from __future__ import annotations

from typing import Any

Graph = dict[str, dict[str, Any]]
FOX, HEN = "a red fox, in deep snow", "a hen, blurry"
CHECKPOINT = "sd_xl_base_1.0.safetensors"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """A node of the executed form; a link is a list of a node's id and the number of its output."""
    return {"class_type": kind, "inputs": inputs}


def encode(text: Any, kind: str = "CLIPTextEncode", clip: Any = ("4", 1)) -> dict[str, Any]:
    return node(kind, text=text, clip=list(clip))


def sampler(positive: Any, negative: Any = ("7", 0), **inputs: Any) -> dict[str, Any]:
    """A KSampler; its inputs can be set."""
    values: dict[str, Any] = {
        **{"seed": 42, "steps": 20, "cfg": 7.5, "sampler_name": "euler", "scheduler": "karras", "denoise": 1},
        **{"model": ["4", 0], "positive": list(positive), "negative": list(negative), "latent_image": ["5", 0]},
    }
    return node("KSampler", **(values | inputs))


def picture(**nodes: dict[str, Any]) -> Graph:
    """A whole graph: checkpoint 4, latent 5, texts 6 and 7, sampler 3, decoded by 8 and saved by 9. The nodes given
    (as n6, n20) stand in for them, or are added."""
    graph: Graph = {
        "3": sampler(["6", 0]),
        "4": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "5": node("EmptyLatentImage", width=832, height=1216, batch_size=1),
        "6": encode(FOX),
        "7": encode(HEN),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix="ComfyUI"),
    }
    return graph | {key.removeprefix("n"): value for key, value in nodes.items()}


def texts(*parts: dict[str, Any], output: int = 0) -> Graph:
    """A picture whose positive text is what the last of these nodes makes; they are 20, 21, 22 and so on."""
    nodes = {f"n{number}": part for number, part in enumerate(parts, 20)}
    return picture(n6=encode([str(19 + len(parts)), output]), **nodes)


def conditioned(*parts: dict[str, Any], output: int = 0) -> Graph:
    """A picture whose positive conditioning is what the last of these nodes makes; they are 20, 21, 22 and so on."""
    nodes = {f"n{number}": part for number, part in enumerate(parts, 20)}
    return picture(n3=sampler([str(19 + len(parts)), output]), **nodes)


def advanced(guider: dict[str, Any], **nodes: dict[str, Any]) -> Graph:
    """A picture drawn by SamplerCustomAdvanced with this guider."""
    parts: dict[str, Any] = {
        "n3": node(
            "SamplerCustomAdvanced",
            **{"noise": ["30", 0], "guider": ["31", 0], "sampler": ["32", 0], "sigmas": ["33", 0]},
            latent_image=["5", 0],
        ),
        "n30": node("RandomNoise", noise_seed=["40", 0]),
        "n31": guider,
        "n32": node("KSamplerSelect", sampler_name="res_multistep"),
        "n33": node("BasicScheduler", scheduler="simple", steps=8, denoise=0.6, model=["41", 0]),
        "n40": node("PrimitiveInt", value=77),
        "n41": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
    }
    return picture(**(parts | nodes))


# The interface's form


def drawn(key: int, kind: str, values: Any = (), inputs: Any = (), **more: Any) -> dict[str, Any]:
    """A node of the interface's form. An input is (name, type, link), and with True as a fourth one a widget's."""
    slots = [
        {"name": name, "type": kind, "link": link, **({"widget": {"name": name}} if widget else {})}
        for name, kind, link, *widget in inputs
    ]
    values = list(values) if isinstance(values, tuple) else values
    return {"id": key, "type": kind, "mode": 0, "inputs": slots, "widgets_values": values, **more}


def workflow(nodes: list[dict[str, Any]], links: list[list[Any]], **more: Any) -> dict[str, Any]:
    """Links are [id, from node, its output, to node, its input, type]."""
    return {"nodes": nodes, "links": links, "version": 0.4, **more}


def drawn_picture(*more: dict[str, Any], text: Any = (), links: Any = (), **extra: Any) -> dict[str, Any]:
    """A workflow like `picture`, its positive text FOX; `text` replaces node 6's inputs, `more` are further nodes."""
    nodes = [
        drawn(4, "CheckpointLoaderSimple", (CHECKPOINT,)),
        drawn(5, "EmptyLatentImage", (832, 1216, 1)),
        drawn(6, "CLIPTextEncode", (FOX,), text or [("clip", "CLIP", 3)]),
        drawn(7, "CLIPTextEncode", (HEN,), [("clip", "CLIP", 5)]),
        drawn(
            3,
            "KSampler",
            (42, "randomize", 20, 7.5, "euler", "karras", 1),
            [
                *(("model", "MODEL", 1), ("positive", "CONDITIONING", 4), ("negative", "CONDITIONING", 6)),
                ("latent_image", "LATENT", 2),
            ],
        ),
        drawn(8, "VAEDecode", (), [("samples", "LATENT", 7), ("vae", "VAE", 8)]),
        drawn(9, "SaveImage", ("ComfyUI",), [("images", "IMAGE", 9)]),
    ]
    own = [
        *(
            [1, 4, 0, 3, 0, "MODEL"],
            [2, 5, 0, 3, 3, "LATENT"],
            [3, 4, 1, 6, 0, "CLIP"],
            [4, 6, 0, 3, 1, "CONDITIONING"],
        ),
        *([5, 4, 1, 7, 0, "CLIP"], [6, 7, 0, 3, 2, "CONDITIONING"], [7, 3, 0, 8, 0, "LATENT"], [8, 4, 2, 8, 1, "VAE"]),
        [9, 8, 0, 9, 0, "IMAGE"],
    ]
    replaced = {one["id"] for one in more}
    kept = [one for one in nodes if one["id"] not in replaced]
    ends = {(link[3], link[4]) for link in links}
    return workflow([*kept, *more], [*(link for link in own if (link[3], link[4]) not in ends), *links], **extra)
