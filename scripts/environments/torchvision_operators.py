"""Declares the operators that torchvision's Python code expects from its compiled library, just before its import.

torchvision is published for CUDA builds of torch; beside a CPU build its library does not load, and the import stops at
`torchvision::nms`, which neither ComfyUI nor vLLM calls here. A .pth file in an environment's site-packages imports
this module, so that every program of that environment has it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class BeforeTorchvision(importlib.abc.MetaPathFinder):
    """Finds nothing; it notices that torchvision is about to be imported."""

    library: object = None  # torch withdraws the operators when their library object goes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            import torch

            library = torch.library.Library("torchvision", "DEF")
            for schema in SCHEMAS:
                library.define(schema)
            BeforeTorchvision.library = library
        return None


sys.meta_path.insert(0, BeforeTorchvision())
