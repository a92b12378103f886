"""Between ComfyUI's IMAGE tensors and pictures. It knows tensors; it knows nothing of nodes or prompts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..prompts.errors import PictureError

if TYPE_CHECKING:
    import torch

OVERSHOOT = 0.25
"""How far a value may lie outside 0–1 and still be what a sharpener or upscaler left; it is clipped, as ComfyUI's own
Save Image does. Further out, the picture is in another range (-1–1, 0–255) and would be seen wrong."""

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
REDUCING_GAP = 2.0
"""The engine scales the rest of the way down, by this much at least, with a better filter."""
ROWS = 16
"""Rows made at a time: their float copy stays in the processor's cache, which is what makes it fast."""


def check_batch(images: torch.Tensor) -> int:
    """The number of pictures in an IMAGE batch of shape [B, H, W, C]. Raises PictureError if it holds none."""
    if images.ndim != 4 or images.shape[3] not in MODES:
        raise PictureError(
            f"The image input has the shape {list(images.shape)}, not [pictures, height, width, 1, 3 or 4 channels]; "
            "connect an IMAGE."
        )
    if images.numel() == 0:
        raise PictureError(
            f"The image batch is empty (shape {list(images.shape)}); check the node that makes it, "
            "and connect at least one picture."
        )
    return images.shape[0]


def check_batches(batches: Sequence[torch.Tensor]) -> list[int]:
    """The number of pictures in each IMAGE batch of a list. Raises PictureError, which names the item of the list where
    there are several."""
    found: list[int] = []
    for number, batch in enumerate(batches, 1):
        try:
            found.append(check_batch(batch))
        except PictureError as error:
            item = f"Item {number} of the list: " if len(batches) > 1 else ""
            raise PictureError(f"{item}{error}") from error
    return found


class Pictures:
    """The pictures of an IMAGE batch, shape [B, H, W, C], each made when it is asked for; a batch is not copied whole.

    Values are 0–1 floats; C is 1 (grey), 3 (RGB) or 4 (RGBA).
    """

    def __init__(self, images: torch.Tensor, max_pixels: int) -> None:
        """`max_pixels` is what the engine will send of each. Raises PictureError for what is no batch."""
        check_batch(images)
        self._images = images
        self._max_pixels = max_pixels

    def __iter__(self) -> Iterator[Image.Image]:
        """One after another. Raises PictureError when a picture cannot be one."""
        return (self.picture(index) for index in range(self._images.shape[0]))

    def picture(self, index: int) -> Image.Image:
        """One of them, from 0. Raises PictureError when it cannot be one."""
        return to_picture(self._images[index], self._max_pixels)


def one_after_another(batches: Sequence[torch.Tensor], max_pixels: int) -> list[Image.Image]:
    """The pictures of several IMAGE batches in their order, all in memory at one time; sizes may differ.

    Parameters as in `Pictures`. Raises PictureError, which names the picture where there are several.
    """
    total = sum(map(check_batch, batches))
    pictures: list[Image.Image] = []
    for number, image in enumerate((image for batch in batches for image in batch), 1):
        try:
            pictures.append(to_picture(image, max_pixels))
        except PictureError as error:
            raise PictureError(f"Picture {number} of {total}: {error}" if total > 1 else str(error)) from error
    return pictures


def from_picture(picture: Image.Image) -> torch.Tensor:
    """An IMAGE batch of one, shape [1, H, W, 3], values 0–1."""
    import torch

    values = np.asarray(picture.convert("RGB"), np.float32)
    return torch.from_numpy(values / np.float32(255))[None]


def to_picture(image: torch.Tensor, max_pixels: int) -> Image.Image:
    """One picture of shape [H, W, C], values 0–1.

    One that is far larger than what will be sent is averaged down by a whole number on the way, which leaves the engine
    at least twice the width and height that it sends: half the time and a quarter of the memory, no visible difference.
    Raises PictureError for NaN, infinity, or another range.
    """
    low, high = (float(value) for value in image.aminmax())
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):  # NaN fails every comparison
        if not (math.isfinite(low) and math.isfinite(high)):
            raise PictureError(
                "A picture holds values that are not numbers (NaN or infinity); the node that made it failed, "
                "often a VAE in half precision: run that one in fp32 or choose another VAE."
            )
        raise PictureError(
            f"A picture's values run from {low:.3g} to {high:.3g}, outside ComfyUI's 0–1; "
            "scale them to 0–1 before this node."
        )
    values = image.detach().cpu().float().numpy()
    by = _reduction(values.shape, max_pixels)
    pixels = _to_bytes(values, by, clip=low < 0 or high > 1)
    picture = Image.fromarray(pixels, MODES[values.shape[2]])
    return picture.reduce((by, 1)) if by > 1 else picture


def _reduction(shape: tuple[int, ...], max_pixels: int) -> int:
    """By how much a picture of shape [H, W, C] is averaged down: as Pillow's resize does for its reducing_gap."""
    height, width, _ = shape
    return max(1, min(height, width, int(math.sqrt(height * width / max_pixels) / REDUCING_GAP)))


def _to_bytes(values: npt.NDArray[np.float32], by: int, *, clip: bool) -> npt.NDArray[np.uint8]:
    """Shape [H, W, C] floats to 8 bits, rounded to the nearest, each row the mean of `by`: [H/by, W, C].

    Rows are cheap to average here, columns in Pillow. Rows left over below, fewer than `by`, are not seen. One channel
    loses its axis, as Pillow wants it.
    """
    height, width, channels = values.shape[0] // by, values.shape[1], values.shape[2]
    out = np.empty((height, width, channels), np.uint8)
    buffer = np.empty((min(ROWS, height), width, channels), np.float32)
    for top in range(0, height, ROWS):
        part = values[top * by : min(top + ROWS, height) * by]
        scaled = np.multiply(part[::by], 255 / by, out=buffer[: len(part) // by])
        for offset in range(1, by):
            scaled += part[offset::by] * (255 / by)
        if clip:
            np.clip(scaled, 0, 255, out=scaled)
        out[top : top + ROWS] = np.add(scaled, 0.5, out=scaled)
    return out[:, :, 0] if channels == 1 else out
