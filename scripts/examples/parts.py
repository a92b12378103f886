"""Parts of the example workflows: the columns, and groups of nodes that several recipes have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from img2prompt.scripts.examples.sheet import Model, Node, Output, Sheet

PICTURE = "example.png"
"""What ComfyUI has in its input folder from the start."""
DATASET = "my_pictures"
"""The folder of the input folder that the captioning workflow reads."""
PROMPT = "Img2Prompt_ImageToPrompt"
OURS = (460, 880)
"""The size of our nodes: their inputs, and below these what they show."""
FIRST, SECOND, THIRD = 0, 460, 1000
"""The columns of picture, our node, loaders."""
LOW = 300
"""Where loaders begin: below the links from our node to the encoders."""
RUN = "Choose a picture, press *Run*. The node shows the prompt; paint again and it is not asked for again."


@dataclass(frozen=True)
class Loaded:
    """What a family paints with."""

    model: Output
    clip: Output
    vae: Output


@dataclass(frozen=True)
class Settings:
    """KSampler's settings."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str


def load_image(sheet: Sheet, y: int, title: str = "", size: tuple[int, int] = (400, 380)) -> Output:
    node = sheet.add("LoadImage", (FIRST, y), size, title=title, image=PICTURE)
    return node["IMAGE"]


def describe(sheet: Sheet, image: Output, family: str, y: int = 0, **more: Any) -> Node:
    return sheet.add(PROMPT, (SECOND, y), OURS, image=image, family=family, **more)


def checkpoint(sheet: Sheet, x: int, model: Model) -> Loaded:
    loader = sheet.add("CheckpointLoaderSimple", (x, LOW), (360, 120), models=(model,), ckpt_name=model.name)
    return Loaded(loader["MODEL"], loader["CLIP"], loader["VAE"])


def separate(sheet: Sheet, x: int, unet: Model, encoders: tuple[Model, ...], kind: str, vae: Model) -> Loaded:
    """Diffusion model, one or two text encoders of a `kind`, and VAE: files of their own."""
    diffusion = sheet.add("UNETLoader", (x, LOW), (360, 100), models=(unet,), unet_name=unet.name)
    loader, names = "CLIPLoader", dict[str, Any](clip_name=encoders[0].name)
    if len(encoders) == 2:
        loader, names = "DualCLIPLoader", {f"clip_name{number}": it.name for number, it in enumerate(encoders, 1)}
    clip = sheet.add(loader, (x, LOW + 160), (360, 150), models=encoders, type=kind, **names)
    decoder = sheet.add("VAELoader", (x, LOW + 370), (360, 80), models=(vae,), vae_name=vae.name)
    return Loaded(diffusion["MODEL"], clip["CLIP"], decoder["VAE"])


def latent(sheet: Sheet, x: int, below: int, kind: str = "EmptyLatentImage", side: int = 1024) -> Output:
    """The empty picture, so far below the first loader."""
    return sheet.add(kind, (x, LOW + below), (360, 130), width=side, height=side)["LATENT"]


def encode(sheet: Sheet, at: tuple[int, int], clip: Output, text: Output | str, title: str = "") -> Output:
    return sheet.add("CLIPTextEncode", at, (320, 140), title=title, clip=clip, text=text)["CONDITIONING"]


def paint(sheet: Sheet, x: int, loaded: Loaded, empty: Output, how: Settings, words: tuple[Output, Output]) -> Output:
    """A KSampler on positive and negative `words`, and the picture that comes of it."""
    sampler = sheet.add(
        "KSampler",
        (x, 0),
        (320, 290),
        model=loaded.model,
        positive=words[0],
        negative=words[1],
        latent_image=empty,
        steps=how.steps,
        cfg=how.cfg,
        sampler_name=how.sampler,
        scheduler=how.scheduler,
    )
    return sheet.add("VAEDecode", (x, 350), (320, 60), samples=sampler["LATENT"], vae=loaded.vae)["IMAGE"]


def save(sheet: Sheet, at: tuple[int, int], images: Output, title: str = "", prefix: str = "Img2Prompt") -> None:
    sheet.add("SaveImage", at, (440, 500), title=title, images=images, filename_prefix=prefix)


def with_both(
    sheet: Sheet, x: int, texts: tuple[Output, Output], loaded: Loaded, empty: Output, how: Settings
) -> Output:
    """Positive and negative prompt to the painted picture, in the columns from `x` on."""
    positive = encode(sheet, (x, 0), loaded.clip, texts[0], "Positive")
    negative = encode(sheet, (x, 200), loaded.clip, texts[1], "Negative")
    return paint(sheet, x + 380, loaded, empty, how, (positive, negative))


def zeroed(sheet: Sheet, at: tuple[int, int], positive: Output) -> Output:
    """The negative of a model that takes none."""
    return sheet.add("ConditioningZeroOut", at, (320, 50), conditioning=positive)["CONDITIONING"]


def shifted(sheet: Sheet, at: tuple[int, int], loaded: Loaded, shift: float) -> Loaded:
    model = sheet.add("ModelSamplingAuraFlow", at, (320, 80), model=loaded.model, shift=shift)["MODEL"]
    return Loaded(model, loaded.clip, loaded.vae)


def advanced(sheet: Sheet, x: int, loaded: Loaded, empty: Output, guider: Output, sigmas: Output) -> Output:
    """ComfyUI's sampler of separate parts, and the picture that comes of it."""
    noise = sheet.add("RandomNoise", (x, 0), (320, 100))["NOISE"]
    sampler = sheet.add("KSamplerSelect", (x, 160), (320, 80), sampler_name="euler")["SAMPLER"]
    parts: dict[str, Any] = {
        "noise": noise,
        "guider": guider,
        "sampler": sampler,
        "sigmas": sigmas,
        "latent_image": empty,
    }
    samples = sheet.add("SamplerCustomAdvanced", (x, 300), (320, 130), **parts)["output"]
    return sheet.add("VAEDecode", (x, 490), (320, 60), samples=samples, vae=loaded.vae)["IMAGE"]
