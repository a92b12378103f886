"""Everything that decides how the engine of these settings is started: device, plan, folder, commands."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import NoEngine, StartFailed
from ..settings import Settings
from .budget import Plan
from .checkpoints import GIB
from .command import find_vllm, serve_command, serve_environment, served_name
from .device import Device, find_device
from .folder import EngineFolder, State
from .plan import make_plan, smaller

WEIGHTS = ("*.safetensors", "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class Launch:
    """How one engine is started."""

    settings: Settings
    device: Device
    plan: Plan
    folder: EngineFolder

    @classmethod
    def of(cls, settings: Settings) -> Launch:
        """For this machine; asks the GPU's driver, so it may take a second. Raises StartFailed."""
        if sys.platform != "linux":
            raise StartFailed(
                "vLLM runs on Linux only; run it in WSL2 or on another machine and set IMG2PROMPT_ENDPOINT to its URL."
            )
        device = find_device()
        plan = make_plan(settings, device)
        if not plan.fits:
            raise StartFailed(f"{plan.reason} `img2prompt engine plan` shows the arithmetic.")
        # not CUDA_VISIBLE_DEVICES, which ComfyUI sets for itself: the same GPU is one engine however it was chosen
        gpu = device.uuid if device.kind == "gpu" else "cpu"
        return cls(settings, device, plan, EngineFolder.of(settings.cache_dir, _absolute(plan.model), gpu))

    @property
    def model(self) -> str:
        """The name under which the model is served."""
        return served_name(self.plan)

    @property
    def gpu_bytes(self) -> int:
        """What the engine takes of the GPU when it is awake."""
        return round(self.plan.total_gib * GIB) if self.device.kind == "gpu" else 0

    @property
    def less(self) -> Plan | None:
        """The next step down from the plan, when its memory ran out."""
        return smaller(self.plan, self.settings, self.device)

    def started(self, state: State) -> bool:
        """Whether this process has started that server, by this plan."""
        return (state.about.get("starter"), state.about.get("level")) == (os.getpid(), self.plan.level)

    def identity(self) -> str:
        """The checkpoint, and of a local one how old its files are: training it on changes its answers."""
        folder = Path(self.plan.model).expanduser()
        if not folder.is_dir():
            return f"managed {self.plan.model}"
        times = [file.stat().st_mtime_ns for pattern in WEIGHTS for file in folder.glob(pattern)]
        return f"managed {folder.resolve()} {max(times, default=0)}"

    def spec(self) -> dict[str, Any]:
        """What the supervisor must know, with a new token. Raises NoEngine or SettingsError."""
        program = find_vllm(self.settings)
        if program is None:
            raise NoEngine(
                "No vllm program was found; make one with `img2prompt engine install`, or set IMG2PROMPT_ENDPOINT to "
                "the URL of a server."
            )
        token, less = secrets.token_urlsafe(32), self.less
        # another checkpoint would be another engine, with a folder and answers of its own
        plans = [self.plan, *([less] if less and less.model == self.plan.model else [])]
        return {
            "commands": [serve_command(program, self.device, plan) for plan in plans],
            "environment": serve_environment(program, self.device, self.plan, token, self.folder.path),
            "token": token,
            "idle_stop_s": self.settings.idle_stop_s,
            "start_timeout_s": self.settings.start_timeout_s,
            "about": {
                "model": self.model,
                "gpu_bytes": self.gpu_bytes,
                "weights_gib": self.plan.weights_gib,
                "offloaded": self.plan.cpu_offload_gib > 0,
                "less": less.label if less else "",
                "starter": os.getpid(),
                "level": self.plan.level,
            },
        }


def _absolute(model: str) -> str:
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() else model
