"""ComfyUI: the executed graph ("prompt"), the interface's graph ("workflow"), and what Civitai makes of them."""

from __future__ import annotations

from .reading import describe, read

__all__ = ["describe", "read"]
