"""The engine in the shape of ComfyUI's ModelPatcher: as much of one as its memory manager asks for.

Read from comfy/model_management.py of 0.3.75, and of the development version of autumn 2026 where methods are marked
newer. The manager has no base class for this, and a real ModelPatcher wants a torch module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from .vram import SharedEngine


class EnginePatcher:
    """What the manager holds, weakly. Sizes are bytes. All of it is called on ComfyUI's thread."""

    parent = None

    def __init__(self, model: SharedEngine) -> None:
        import torch

        self.model = model
        self.load_device = model.device
        self.offload_device = torch.device("cpu")

    def model_size(self) -> int:
        """What it takes when it is awake."""
        return self.model.engine.gpu_bytes

    def loaded_size(self) -> int:
        """What it takes now. The manager asks before it looks at what is free, so this waits until that is true."""
        self.model.settle()
        return self.model.bytes_on_gpu

    def current_loaded_device(self) -> torch.device:
        """Where it is."""
        return self.load_device if self.model.bytes_on_gpu else self.offload_device

    def model_dtype(self) -> torch.dtype:
        """Only ever given back to `model_patches_to`."""
        import torch

        return torch.bfloat16

    def model_patches_to(self, _where: object) -> None:
        """It has no patches."""

    def model_patches_models(self) -> list[Any]:
        """No models that must be loaded with it."""
        return []

    def lowvram_patch_counter(self) -> int:
        """It has no patches."""
        return 0

    def is_clone(self, other: object) -> bool:
        """Whether the other is this engine too."""
        return getattr(other, "model", None) is self.model

    def partially_load(self, *_device_and_memory: object, **_more: object) -> int:
        """There is room now: give it to the requests that want it. It is loaded whole, or not at all where nobody wants
        it (ControlNets load again what had been in use)."""
        room = self.model.engine.room
        if not room.wanted:
            return 0
        room.give()
        return self.model_size()

    def partially_unload(self, *_device_and_memory: object, **_more: object) -> int:
        """Sleep: less than all of it cannot be given back."""
        return self.model.evict()

    def detach(self, unpatch_all: bool = True) -> SharedEngine:
        """Leave the manager's list and the GPU. Without `unpatch_all` it is only being moved in the list."""
        if unpatch_all:
            self.model.evict()
            self.model.listed = False
        return self.model

    def is_dynamic(self) -> bool:
        """Newer. It is no model whose parts the manager may move."""
        return False

    def loaded_ram_size(self) -> int:
        """Newer, for dynamic models. What sleeps is in the server's memory, not ComfyUI's."""
        return 0

    def partially_unload_ram(self, *_size: object, **_more: object) -> int:
        """Newer, for dynamic models."""
        return 0

    def unregister_inactive_pins(self, *_size: object, **_more: object) -> int:
        """Newer, for dynamic models."""
        return 0
