"""A GPU of 24 GiB that is not there: ComfyUI's real memory manager over counted bytes, and an engine that takes some.

Only the outermost things are made up: how much is free, how long a start takes, and that a model of so many bytes can
be moved. The manager, its patchers, our Engine and our nodes' code are the real ones.
"""

from __future__ import annotations

import asyncio
import math
import warnings
from typing import Any

import torch
from img2prompt.engine.backend import UNWATCHED, Report, Status, Watch
from img2prompt.engine.errors import Unreachable
from img2prompt.engine.room import Room
from img2prompt.prompts.request import Answer, Request

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import comfy.model_patcher
    from comfy import model_management as manager

__all__ = ["ASLEEP_BYTES", "CPU", "DEVICE", "GIB", "DiffusionModel", "Gpu", "GpuBackend", "manager"]

GIB = 2**30
DEVICE = torch.device("cuda", 0)
CPU = torch.device("cpu")
ASLEEP_BYTES = int(0.6 * GIB)
"""What a sleeping server keeps: its CUDA context."""


class Gpu:
    """Who holds how much, and what happened, in order."""

    total = 24 * GIB

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.log: list[str] = []
        self.overfull = False
        """More was taken than there is: out of memory."""

    @property
    def free(self) -> int:
        return self.total - sum(self.held.values())

    def hold(self, who: str, size: int) -> None:
        self.held[who] = size
        self.overfull = self.overfull or self.free < 0

    def happened(self) -> list[str]:
        """What has happened since the last time."""
        log, self.log = self.log, []
        return log

    def get_free_memory(self, dev: object = None, torch_free_too: bool = False) -> object:
        """In the place of the manager's own function."""
        return (self.free, 0) if torch_free_too else self.free


class Net(torch.nn.Module):
    """A network of no size to speak of."""

    device = CPU

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)


class DiffusionModel(comfy.model_patcher.ModelPatcher):
    """ComfyUI's own patcher around a network whose size is only said."""

    def __init__(self, gpu: Gpu, size: int, name: str = "diffusion") -> None:
        super().__init__(Net(), DEVICE, CPU, size=size)
        self.gpu, self.name = gpu, name

    def _move(self, change: int, what: str) -> None:
        self.model.model_loaded_weight_memory += change
        self.gpu.hold(self.name, self.model.model_loaded_weight_memory)
        self.gpu.log.append(f"{self.name} {what}")

    def partially_load(self, device_to: Any, extra_memory: Any = 0, force_patch_weights: bool = False) -> int:
        more = int(min(self.size - self.model.model_loaded_weight_memory, extra_memory))
        self.model.device = device_to
        self._move(more, "loads" if more == self.size else "loads more")
        return more

    def partially_unload(self, device_to: Any, memory_to_free: Any = 0, *_more: Any) -> int:
        less = math.ceil(min(memory_to_free, self.model.model_loaded_weight_memory))
        self._move(-less, "shrinks")
        return less

    def detach(self, unpatch_all: bool = True) -> Any:
        if unpatch_all:
            self._move(-self.model.model_loaded_weight_memory, "leaves")
            self.model.device = CPU
        return self.model


class GpuBackend:
    """A managed engine without a server: it takes bytes of a Gpu, and answers while it is awake and nobody holds it."""

    name = "managed"

    def __init__(self, gpu: Gpu, size: int = 11 * GIB, name: str = "engine") -> None:
        self.gpu, self.gpu_bytes, self._who = gpu, size, name
        self.room = Room()
        self.phase = "stopped"
        self.in_flight = 0
        self.hold = False
        """Answer nobody until it is false again."""
        self.start_held = False
        """A start does not end until it is false again."""
        self.start_s = 0.0
        self.answer_s = 0.0
        """So long it must be awake for an answer."""
        self.frees = True
        """Sleeping frees memory."""
        self.sleep_fails = False
        self.sleeps = self.stops = 0
        """How often it was told to."""
        self._waking = asyncio.Lock()

    def _becomes(self, phase: str, size: int) -> None:
        if self.phase != phase:
            self.gpu.log.append(f"{self._who} {phase}")
        self.phase = phase
        self.gpu.hold(self._who, size)

    async def ready(self, report: Report) -> None:
        """Nothing to find out."""

    async def wake(self, report: Report) -> None:
        """In the room that was given."""
        with self.room.used():
            await self._awake()

    async def _awake(self) -> None:
        async with self._waking:
            await self.room.wait()
            if self.phase == "awake":
                return
            if self.phase == "stopped":  # a sleeping engine is said to sleep until it is awake
                self.phase = "starting"
            await asyncio.sleep(self.start_s)
            while self.start_held:
                await asyncio.sleep(0.01)
            self._becomes("awake", self.gpu_bytes)

    async def answer(self, request: Request[Answer], report: Report, watch: Watch = UNWATCHED) -> Answer:
        """Kept while the engine sleeps, as the server keeps its requests."""
        with self.room.used():
            await self._awake()
            self.in_flight += 1
            awake_s = 0.0
            try:
                while self.hold or self.phase != "awake" or awake_s < self.answer_s:
                    await asyncio.sleep(0.01)
                    await self._awake()
                    awake_s += 0.01
            finally:
                self.in_flight -= 1
        return request.answer.model_construct()

    def wanted(self) -> int:
        return 32

    def identity(self) -> str:
        return self._who

    def status(self) -> Status:
        return Status(self.name, self._who, "http://127.0.0.1:1/v1", f"It is {self.phase}.", self.phase)

    async def sleep(self) -> None:
        self.sleeps += 1
        if self.sleep_fails:
            raise Unreachable("It does not listen.")
        self.room.take()
        if self.phase == "starting":
            self._becomes("stopped", 0)
        if self.phase == "awake":
            self._becomes("asleep", ASLEEP_BYTES if self.frees else self.gpu_bytes)

    async def stop(self) -> None:
        self.stops += 1
        self._becomes("stopped", 0)

    async def close(self) -> None:
        """What belongs to a loop goes with it."""
        self._waking = asyncio.Lock()
