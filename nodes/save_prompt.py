"""The node `Save Prompt`: pictures saved as by Save Image, and their prompt in the form that other programs read."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..prompts.errors import Img2PromptError, RecoverError
from .comfy import io, metadata_disabled, output_path, save_place, schema
from .images import check_batch
from .shown import shown_saved

if TYPE_CHECKING:
    import torch

    from ..prompts import Parameters

COMPRESS_LEVEL = 4
"""As ComfyUI's own Save Image has it."""
NOT_KNOWN = "No prompt is known, so none was saved: connect the input prompt."
DISABLED = "ComfyUI was started with --disable-metadata: the pictures were saved without any text."


class SavePrompt(io.ComfyNode):
    """Saves PNGs with their prompt and how they were made as AUTOMATIC1111 writes it, beside ComfyUI's own texts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it."""
        return schema(
            node_id="Img2Prompt_SavePrompt",
            display_name="Save Prompt",
            category="img2prompt",
            description="Saves pictures as Save Image does, and with them their prompt, seed, sampler, model and LoRAs "
            "in the form of AUTOMATIC1111, which Civitai, viewers and Read Prompt read back.",
            search_aliases=["save image", "metadata", "A1111", "parameters", "PNG info", "Civitai", "img2prompt"],
            inputs=[
                io.Image.Input("images", tooltip="The pictures to save, a file for each."),
                io.String.Input(
                    "filename_prefix",
                    default="Img2Prompt",
                    tooltip="How the files' names begin; with a folder of the output folder, if you like. Takes "
                    "%date:yyyy-MM-dd%, %width% and the like, as Save Image does.",
                ),
                _text("prompt", "The prompt to save. Not connected: what the workflow says, as far as it can be told."),
                _text("negative", "The negative prompt. Not connected: the workflow's."),
            ],
            outputs=[],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str | None = None) -> bool | str:
        """Whether the files will be in the output folder. A linked input is None: it is checked when it is there."""
        return _bad_prefix(filename_prefix) or True

    @classmethod
    def execute(cls, images: torch.Tensor, filename_prefix: str, prompt: str = "", negative: str = "") -> io.NodeOutput:
        """Save them. Raises Img2PromptError; what the workflow does not tell is no error."""
        check_batch(images)
        if bad := _bad_prefix(filename_prefix):
            raise Img2PromptError(bad)
        if metadata_disabled():
            return io.NodeOutput(
                ui={
                    "images": _save(images, filename_prefix, None),
                    "text": [DISABLED],
                    "shown": shown_saved("", [DISABLED]),
                }
            )
        known = _Known.of(prompt, negative, cls.hidden)
        parameters = known.text(width=images.shape[2], height=images.shape[1])
        cores = {"prompt": cls.hidden.prompt, **(cls.hidden.extra_pnginfo or {})}
        written = {key: json.dumps(value) for key, value in cores.items() if value is not None}
        texts = PngInfo()
        for key, text in (written | ({"parameters": parameters} if parameters else {})).items():
            texts.add_text(key, text)
        notes = [*([] if parameters else [NOT_KNOWN]), *known.notes]
        return io.NodeOutput(
            ui={
                "images": _save(images, filename_prefix, texts),
                "text": ["\n\n".join(filter(None, (parameters, *notes)))],
                "shown": shown_saved(parameters, notes),
            }
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of how the pictures were made."""

    positive: str
    negative: str
    how: Parameters
    notes: tuple[str, ...]
    """What a person should know of it, in sentences."""

    @classmethod
    def of(cls, positive: str, negative: str, hidden: Any) -> _Known:
        """What is connected comes first, then what the running workflow says above the node."""
        from ..prompts import Recovered
        from ..prompts.recover.comfyui import describe

        given = bool(positive.strip())
        try:
            traced = describe(hidden.prompt or {}, at=hidden.unique_id) or Recovered("ComfyUI")
            notes = () if given else traced.notes
        except RecoverError as error:  # the pictures may have taken an hour
            traced, notes = Recovered("ComfyUI"), (f"What the workflow says was not saved: {error}",)
        positive = positive if given else traced.positive
        return cls(positive, negative if negative.strip() else traced.negative, traced.parameters, notes)

    def text(self, width: int, height: int) -> str:
        """AUTOMATIC1111's text for pictures of that size in pixels; "" where no prompt is known."""
        from ..prompts.recover.a1111_text import write

        if not self.positive:
            return ""
        return write(self.positive, self.negative, replace(self.how, width=width, height=height))


def _text(name: str, tooltip: str) -> io.String.Input:
    return io.String.Input(name, optional=True, force_input=True, tooltip=tooltip)


def _bad_prefix(prefix: str | None) -> str | None:
    """Why nothing can be saved there, or None."""
    if prefix is None or output_path(prefix) is not None:
        return None
    return f"filename_prefix {prefix!r} leads out of ComfyUI's output folder; take a name without '..' or drive."


def _save(images: torch.Tensor, prefix: str, texts: PngInfo | None) -> list[dict[str, str]]:
    """The files of a batch [B, H, W, C], values 0–1, made just as Save Image makes them; how the UI finds each."""
    folder, name, number, subfolder = save_place(prefix, images.shape[2], images.shape[1])
    saved: list[dict[str, str]] = []
    for at, image in enumerate(images):
        stem = name.replace("%batch_num%", str(at))
        # with %batch_num% ComfyUI does not count: a list's next picture would take this one's place
        while (file := folder / f"{stem}_{number:05}_.png").exists():
            number += 1
        pixels = np.clip(255.0 * image.cpu().numpy(), 0, 255).astype(np.uint8)
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(
            file, pnginfo=texts, compress_level=COMPRESS_LEVEL
        )
        saved.append({"filename": file.name, "subfolder": subfolder, "type": "output"})
        number += 1
    return saved
