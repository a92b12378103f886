"""How deep the server may sleep on this machine: what of its weights the RAM can hold meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from .checkpoints import GIB

MEMORY_INFO = Path("/proc/meminfo")
CONTROL_GROUP = Path("/sys/fs/cgroup")
TIMES_WEIGHTS = 2.0
"""Level 1 pins as much RAM as the weights take; as much again stays for ComfyUI, which moves its models there too."""


def sleep_level(weights_gib: float, *, offloaded: bool = False) -> Literal[0, 1, 2]:
    """1: weights to pinned RAM, back within seconds. 2: weights dropped and read from disk again, when RAM is short.
    0: it cannot sleep and must be stopped; vLLM 0.32 cannot reload weights that are partly in RAM (its
    model_executor/model_loader/reload/__init__.py)."""
    if offloaded:
        return 0
    return 1 if available_ram_gib() >= TIMES_WEIGHTS * weights_gib else 2


def available_ram_gib() -> float:
    """RAM that can be had without swapping, within this container's limit; 0 where that cannot be read."""
    try:
        lines = dict(line.split(":", 1) for line in MEMORY_INFO.read_text(encoding="ascii").splitlines() if ":" in line)
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return 0.0
    return min(available, _left_in_container(available)) / GIB


def _left_in_container(available: int) -> int:
    """Bytes; the same number where no limit is set. Pages of files that were read count as free, as in MemAvailable."""
    try:
        limit = (CONTROL_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CONTROL_GROUP / "memory.current").read_text(encoding="ascii"))
        pages = dict(line.split() for line in (CONTROL_GROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(0, int(limit) - used + int(pages.get("inactive_file", 0))) if limit.isdigit() else available
    except (OSError, ValueError):
        return available
