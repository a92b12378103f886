"""What stands in each file of example_workflows/; scripts/example_workflows.py writes them.

Loaders, latents, samplers, settings and model files are those of ComfyUI's own template for the model (for Illustrious
those of its model card). Columns run from left to right: picture, our node, loaders, encoders, sampler, result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from img2prompt.scripts.examples.models import (
    CHROMA,
    CLIP_L,
    FLUX1,
    FLUX1_VAE,
    FLUX2,
    FLUX2_VAE,
    ILLUSTRIOUS,
    MISTRAL,
    QWEN3,
    QWEN_IMAGE,
    QWEN_VAE,
    QWEN_VL,
    SD15,
    SD35,
    SDXL,
    T5,
    Z_IMAGE,
)
from img2prompt.scripts.examples.parts import (
    DATASET,
    FIRST,
    LOW,
    OURS,
    PICTURE,
    RUN,
    SECOND,
    THIRD,
    Loaded,
    Settings,
    advanced,
    checkpoint,
    describe,
    encode,
    latent,
    load_image,
    paint,
    save,
    separate,
    shifted,
    with_both,
    zeroed,
)
from img2prompt.scripts.examples.sheet import Model, Node, Output, Sheet


def sdxl(sheet: Sheet, x: int, prompt: Output, negative: Output) -> Output:
    """The painted picture; its column is `x` + 1200."""
    loaded, empty = checkpoint(sheet, x, SDXL), latent(sheet, x, 180)
    how = Settings(25, 7, "dpmpp_2m", "karras")
    return with_both(sheet, x + 420, (prompt, negative), loaded, empty, how)


def image_to_prompt(sheet: Sheet) -> None:
    text = "## Image → Prompt → SDXL\n\nA picture becomes a prompt, and the prompt a new picture. "
    sheet.note((FIRST, 0), (400, 230), text + RUN, (SDXL,))
    node = describe(sheet, load_image(sheet, 290), "sdxl")
    save(sheet, (THIRD + 1180, 0), sdxl(sheet, THIRD, node["prompt"], node["negative"]))


def restyle(sheet: Sheet) -> None:
    text = (
        "## Subject of A in the style of B\n\nTwo pictures are described; *Mix Prompt* takes subject, setting and "
        "composition from A, light, color and style from B. Choose there what comes from where."
    )
    sheet.note((FIRST, 0), (400, 270), text, (SDXL,))
    a = describe(sheet, load_image(sheet, 330, "Picture A: the subject"), "sdxl")
    b = describe(sheet, load_image(sheet, 1000, "Picture B: the style"), "sdxl", y=1000)
    mixed = sheet.add(
        "Img2Prompt_MixPrompt", (THIRD, 0), OURS, analysis_a=a["analysis"], analysis_b=b["analysis"], family="sdxl"
    )
    x = THIRD + 540
    save(sheet, (x + 1180, 0), sdxl(sheet, x, mixed["prompt"], mixed["negative"]))


def story_to_images(sheet: Sheet) -> None:
    text = (
        "## A story in pictures\n\nSeveral pictures are looked at together and become one story. Each beat is "
        "painted: the nodes after *prompts* run once for each. More pictures: connect them, the next socket appears. "
        "`beats` asks for more or fewer pictures than you gave. The storyboard shows your pictures and the story."
    )
    sheet.note((FIRST, 0), (400, 290), text, (SDXL,))
    pictures: dict[str, Any] = {
        f"image_{number}": load_image(sheet, 350 + 460 * (number - 1), f"Picture {number}", (300, 360))
        for number in (1, 2, 3)
    }
    story = sheet.add("Img2Prompt_MultiImageStory", (SECOND, 0), (460, 1080), family="sdxl", **pictures)
    painted = sdxl(sheet, THIRD, story["prompts"], story["negatives"])
    save(sheet, (THIRD + 1180, 0), painted, "One picture per beat", "Img2Prompt story")
    save(sheet, (THIRD + 1180, 720), story["storyboard"], "Storyboard", "Img2Prompt storyboard")


def caption_a_dataset(sheet: Sheet) -> None:
    text = (
        "## Captions for LoRA training\n\n"
        f"1. Make a folder `{DATASET}` in `ComfyUI/input`, put your pictures there, press *R*, choose it.\n"
        "2. Put your trigger word into `prefix`, and into `leave_out` what no caption shall name.\n"
        "3. Set `family` to the model that you train: sentences for FLUX.1, tags for Illustrious.\n\n"
        "Pictures and captions, a `.txt` beside each, come out in `ComfyUI/output`. No image model is needed."
    )
    sheet.note((FIRST, 0), (400, 340), text)
    folder = sheet.add("LoadImageDataSetFromFolder", (FIRST, 400), (400, 80), folder=DATASET)
    node = describe(sheet, folder["images"], "flux1", prefix="mytrigger")
    sheet.add(
        "SaveImageTextDataSetToFolder",
        (THIRD, 0),
        (400, 130),
        images=folder["images"],
        texts=node["prompt"],
        folder_name=f"{DATASET}_captioned",
    )


def read_embedded_prompt(sheet: Sheet) -> None:
    text = (
        "## The prompt that a file carries\n\nMany painted pictures hold their prompt: choose the file itself. It goes "
        "to `known_prompt` and is trusted over the model; a picture without one is described. *Save Prompt* writes the "
        "prompt into the new file, so that others can read it. For another model family set `write_as` to *words only*."
    )
    sheet.note((FIRST, 0), (400, 280), text, (SDXL,))
    read = sheet.add("Img2Prompt_ReadPrompt", (FIRST, 340), (400, 640), image=PICTURE)
    node = describe(sheet, read["image"], "sdxl", known_prompt=read["positive"])
    painted = sdxl(sheet, THIRD, node["prompt"], node["negative"])
    place = (THIRD + 1180, 0)
    texts: dict[str, Any] = {"prompt": node["prompt"], "negative": node["negative"]}
    sheet.add("Img2Prompt_SavePrompt", place, (460, 640), images=painted, **texts)


def of_family(sheet: Sheet, title: str, family: str, models: tuple[Model, ...], hint: str = "") -> Node:
    """Note, picture and our node of a family's workflow."""
    text = f"## Image → Prompt → {title}\n\n{RUN} `family` is set to *{family}*. {hint}".rstrip()
    sheet.note((FIRST, 0), (400, 340), text, models)
    return describe(sheet, load_image(sheet, 400), family)


def sd15(sheet: Sheet) -> None:
    node = of_family(sheet, "Stable Diffusion 1.5", "sd15", (SD15,))
    loaded, empty = checkpoint(sheet, THIRD, SD15), latent(sheet, THIRD, 180, side=512)
    texts, how = (node["prompt"], node["negative"]), Settings(20, 8, "euler", "normal")
    save(sheet, (THIRD + 1180, 0), with_both(sheet, THIRD + 420, texts, loaded, empty, how))


def illustrious(sheet: Sheet) -> None:
    hint = (
        "The prompt is Danbooru tags. For a checkpoint made from Pony V6, NoobAI or Animagine 4 set `family` to "
        "*pony*, *noobai* or *animagine4*: quality words and negative change along, and the model is not asked again. "
        "`unknown_tags` set to *drop* takes out what is no tag."
    )
    node = of_family(sheet, "Illustrious", "illustrious", (ILLUSTRIOUS,), hint)
    loaded, empty = checkpoint(sheet, THIRD, ILLUSTRIOUS), latent(sheet, THIRD, 180)
    texts, how = (node["prompt"], node["negative"]), Settings(28, 6, "euler_ancestral", "normal")
    save(sheet, (THIRD + 1180, 0), with_both(sheet, THIRD + 420, texts, loaded, empty, how))


def sd35(sheet: Sheet) -> None:
    node = of_family(sheet, "Stable Diffusion 3.5", "sd35", (SD35,))
    loaded, empty = checkpoint(sheet, THIRD, SD35), latent(sheet, THIRD, 180, "EmptySD3LatentImage")
    texts, how = (node["prompt"], node["negative"]), Settings(20, 4.01, "euler", "sgm_uniform")
    save(sheet, (THIRD + 1180, 0), with_both(sheet, THIRD + 420, texts, loaded, empty, how))


def flux1(sheet: Sheet) -> None:
    node = of_family(sheet, "FLUX.1", "flux1", (FLUX1, CLIP_L, T5, FLUX1_VAE), "FLUX.1 takes no negative prompt.")
    loaded = separate(sheet, THIRD, FLUX1, (CLIP_L, T5), "flux", FLUX1_VAE)
    empty = latent(sheet, THIRD, 510, "EmptySD3LatentImage")
    positive = encode(sheet, (THIRD + 420, 0), loaded.clip, node["prompt"])
    words = positive, zeroed(sheet, (THIRD + 420, 200), positive)
    how = Settings(20, 1, "euler", "simple")
    save(sheet, (THIRD + 1180, 0), paint(sheet, THIRD + 800, loaded, empty, how, words))


def flux2(sheet: Sheet) -> None:
    node = of_family(sheet, "FLUX.2", "flux2", (FLUX2, MISTRAL, FLUX2_VAE), "FLUX.2 takes no negative prompt.")
    loaded, x = separate(sheet, THIRD, FLUX2, (MISTRAL,), "flux2", FLUX2_VAE), THIRD + 420
    empty = latent(sheet, THIRD, 510, "EmptyFlux2LatentImage")
    text = encode(sheet, (x, 0), loaded.clip, node["prompt"])
    guided = sheet.add("FluxGuidance", (x, 200), (320, 80), conditioning=text, guidance=4)["CONDITIONING"]
    guider = sheet.add("BasicGuider", (x + 380, 0), (320, 70), model=loaded.model, conditioning=guided)["GUIDER"]
    sigmas = sheet.add("Flux2Scheduler", (x + 380, 130), (320, 130), steps=20, width=1024, height=1024)["SIGMAS"]
    save(sheet, (x + 1140, 0), advanced(sheet, x + 760, loaded, empty, guider, sigmas))


def chroma(sheet: Sheet) -> None:
    hint = "Chroma wants a long negative prompt; this is its makers'."
    node = of_family(sheet, "Chroma", "chroma", (CHROMA, T5, FLUX1_VAE), hint)
    loaded, x = separate(sheet, THIRD, CHROMA, (T5,), "chroma", FLUX1_VAE), THIRD + 420
    empty = latent(sheet, THIRD, 510, "EmptySD3LatentImage")
    # no padding, as in the template
    clip = sheet.add("T5TokenizerOptions", (x, LOW + 160), (320, 100), clip=loaded.clip, min_padding=0, min_length=0)
    loaded = shifted(sheet, (x, LOW), Loaded(loaded.model, clip["CLIP"], loaded.vae), 1)
    x += 380
    positive = encode(sheet, (x, 0), loaded.clip, node["prompt"], "Positive")
    negative = encode(sheet, (x, 200), loaded.clip, CHROMA_NEGATIVE, "Negative")
    words: dict[str, Any] = {"positive": positive, "negative": negative}
    guider = sheet.add("CFGGuider", (x + 380, 0), (320, 120), model=loaded.model, cfg=3.5, **words)["GUIDER"]
    schedule: dict[str, Any] = {"scheduler": "beta", "steps": 26}
    sigmas = sheet.add("BasicScheduler", (x + 380, 180), (320, 130), model=loaded.model, **schedule)["SIGMAS"]
    save(sheet, (x + 1140, 0), advanced(sheet, x + 760, loaded, empty, guider, sigmas))


CHROMA_NEGATIVE = (
    "This low quality greyscale unfinished sketch is inaccurate and flawed. The image is very blurred and lacks detail "
    "with excessive chromatic aberrations and artifacts. The image is overly saturated with excessive bloom. It has a "
    "toony aesthetic with bold outlines and flat colors."
)


def qwen_image(sheet: Sheet) -> None:
    node = of_family(sheet, "Qwen-Image", "qwen-image", (QWEN_IMAGE, QWEN_VL, QWEN_VAE))
    loaded, x = separate(sheet, THIRD, QWEN_IMAGE, (QWEN_VL,), "qwen_image", QWEN_VAE), THIRD + 420
    empty = latent(sheet, THIRD, 510, "EmptySD3LatentImage", 1328)
    loaded = shifted(sheet, (x, 400), loaded, 3.1)
    texts, how = (node["prompt"], node["negative"]), Settings(20, 4, "euler", "simple")
    save(sheet, (x + 760, 0), with_both(sheet, x, texts, loaded, empty, how))


def z_image(sheet: Sheet) -> None:
    hint = "Z-Image Turbo takes no negative prompt."
    node = of_family(sheet, "Z-Image", "z-image", (Z_IMAGE, QWEN3, FLUX1_VAE), hint)
    loaded, x = separate(sheet, THIRD, Z_IMAGE, (QWEN3,), "lumina2", FLUX1_VAE), THIRD + 420
    empty = latent(sheet, THIRD, 510, "EmptySD3LatentImage")
    loaded = shifted(sheet, (x, 310), loaded, 3)
    positive = encode(sheet, (x, 0), loaded.clip, node["prompt"])
    words = positive, zeroed(sheet, (x, 200), positive)
    how = Settings(8, 1, "res_multistep", "simple")
    save(sheet, (x + 760, 0), paint(sheet, x + 380, loaded, empty, how, words))


RECIPES: dict[str, Callable[[Sheet], None]] = {
    recipe.__name__: recipe
    for recipe in (
        *(image_to_prompt, restyle, story_to_images, caption_a_dataset, read_embedded_prompt),
        *(sd15, illustrious, sd35, flux1, flux2, chroma, qwen_image, z_image),
    )
}
"""Each file's content by its name."""
