"""Which plans ran out of memory here, in one small file, so that the next start does not try them again.

Each entry is for one GPU and one choice of settings; deleting the file or changing those settings forgets it.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from ..settings import Settings
from .budget import Plan, Wanted
from .device import Device


def memory_file(settings: Settings) -> Path:
    """Where it is kept."""
    return settings.cache_dir / "out-of-memory.json"


def remember(plan: Plan, settings: Settings, device: Device) -> bool:
    """Keep that this plan ran out of memory at start: plans for these settings begin a step below it from now on.

    Returns whether that could be written. Of two processes that write at one time, one may be forgotten.
    """
    file = memory_file(settings)
    entries = _entries(file) | {_key(settings, device): {"ran_out": plan.model, "level": plan.level + 1}}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(entries, stream, indent=2)
        os.replace(name, file)
    except OSError:
        return False
    return True


def remembered(settings: Settings, device: Device) -> int:
    """How many steps below the best plan to begin; 0 for a device without a name, which is one that is not here."""
    if not device.name:
        return 0
    entry = _entries(memory_file(settings)).get(_key(settings, device))
    level = entry.get("level") if isinstance(entry, dict) else None
    return level if isinstance(level, int) and level > 0 else 0


def _entries(file: Path) -> dict[str, object]:
    """What is kept; nothing where the file is not there or is none of ours: it is written anew at the next use."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _key(settings: Settings, device: Device) -> str:
    """The GPU and all that the plan follows from, in words."""
    wanted = Wanted.of(settings)
    chosen = [wanted.model or "any model", wanted.precision, f"{wanted.max_pixels} pixels"]
    chosen += [f"{wanted.kv_cache_gib:g} GiB of cache"] if wanted.kv_cache_gib else []
    chosen += [f"context {wanted.max_model_len}"] if wanted.max_model_len else []
    return f"{device.name} {device.memory_gib:.1f} GiB: {', '.join(chosen)}"
