"""ComfyUI's door to ComfyUI-Img2Prompt. Importing this package loads nothing else and needs no ComfyUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import Img2PromptExtension

__version__ = "0.1.0"

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> Img2PromptExtension:
    """What ComfyUI calls after importing this package: the extension that lists our nodes."""
    from .nodes import Img2PromptExtension

    return Img2PromptExtension()
