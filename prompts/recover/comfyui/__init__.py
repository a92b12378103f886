"""ComfyUI: the executed graph ("prompt"), the interface's graph ("workflow"), and what Civitai makes of them."""

from __future__ import annotations

from .stored_graphs import describe, read

__all__ = ["describe", "read"]
