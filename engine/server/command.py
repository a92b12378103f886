"""How `vllm serve` is called: which program, on which device, with which flags and environment.

The flags are those of vLLM 0.32. Knows nothing of processes; only asks `nvidia-smi` which GPU there is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from ..settings import Settings

EAGER_UP_TO_GIB = 16.5
"""Up to a 16 GB card, CUDA graphs and compilation cost memory that the model needs, and two minutes at each start."""
GPU_UTILIZATION = 0.05
"""vLLM refuses to start unless this share of the card is free; how much it takes follows from the cache's bytes."""
GPU_BATCHED_TOKENS = 2048
CPU_SEQUENCES = 8
PICTURES_PER_REQUEST = 8
SMALLEST_PICTURE = 65_536
"""Qwen3-VL scales smaller pictures up to this many pixels."""
PROCESSOR_CACHE_GIB = 1
"""vLLM holds this cache twice in RAM, and its default is 4."""
NVIDIA_SMI_TIMEOUT_S = 20.0
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Device:
    """Where the model runs."""

    kind: str
    """ "gpu" or "cpu"."""
    memory_gib: float = 0.0
    """Of the GPU, in all."""


def find_vllm(settings: Settings) -> Path | None:
    """The `vllm` program: the one in the settings, else the one on PATH. Raises SettingsError if that one is none."""
    found = shutil.which(os.path.expanduser(settings.vllm) or "vllm")
    if settings.vllm and found is None:
        raise SettingsError(
            f"{settings.vllm} is not a program; set IMG2PROMPT_VLLM to the vllm program of the environment it is in."
        )
    return Path(found).absolute() if found else None


def find_device() -> Device:
    """The first NVIDIA GPU that `nvidia-smi` lists and CUDA_VISIBLE_DEVICES does not hide, else the CPU; no torch."""
    program = shutil.which("nvidia-smi")
    if program is None or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return Device("cpu")
    query = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=NVIDIA_SMI_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # a driver that does not answer is no GPU to run on
        return Device("cpu")
    sizes_mib = [int(line) for line in listed.split("\n") if line.strip().isdigit()]
    return Device("gpu", sizes_mib[0] / 1024) if sizes_mib else Device("cpu")


def served_name(settings: Settings) -> str:
    """The name under which the model is served: the last part of its folder's or hub's name."""
    return settings.model.rstrip("/").rsplit("/", 1)[-1]


def serve_command(settings: Settings, program: Path, port: int, device: Device) -> list[str]:
    """The whole command line of the server. It holds no secret: anybody on the machine can read it."""
    return [
        str(program),
        "serve",
        os.path.expanduser(settings.model),
        f"--served-model-name={served_name(settings)}",
        "--host=127.0.0.1",
        f"--port={port}",
        f"--max-model-len={settings.max_model_len}",
        *_pixel_limits(settings),
        f"--limit-mm-per-prompt={_json({'image': PICTURES_PER_REQUEST, 'video': 0})}",
        f"--mm-processor-cache-gb={PROCESSOR_CACHE_GIB}",
        # Without these two, guided answers run away in white space or hold raw control characters.
        f"--structured-outputs-config={_json({'backend': 'guidance', 'disable_any_whitespace': True})}",
        # Otherwise vLLM would fetch any URL that a request names.
        "--allowed-media-domains=nowhere.invalid",
        # The checkpoint's own sampling defaults would change what a request means.
        "--generation-config=vllm",
        "--disable-fastapi-docs",
        "--disable-uvicorn-access-log",
        *(_gpu_flags(settings, device) if device.kind == "gpu" else _cpu_flags(settings)),
    ]


def serve_environment(settings: Settings, program: Path, device: Device, api_key: str) -> dict[str, str]:
    """The server's environment: ours, less what is not for it, and with the key that its requests must carry."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("IMG2PROMPT_") and name != "VLLM_SERVER_DEV_MODE"  # opens routes that take no key
    }
    kept |= {
        "PATH": os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)]),  # vLLM calls ninja
        "VLLM_API_KEY": api_key,
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    if device.kind == "cpu":
        kept["VLLM_CPU_KVCACHE_SPACE"] = str(max(1, round(settings.kv_cache_gib)))  # whole GiB
    if _folder(settings):
        kept["HF_HUB_OFFLINE"] = "1"
    return kept


def _gpu_flags(settings: Settings, device: Device) -> list[str]:
    return [
        f"--gpu-memory-utilization={GPU_UTILIZATION}",
        f"--kv-cache-memory-bytes={round(settings.kv_cache_gib * GIB)}",
        f"--max-num-seqs={settings.max_in_flight}",
        f"--max-num-batched-tokens={GPU_BATCHED_TOKENS}",
        *(["--enforce-eager"] if device.memory_gib <= EAGER_UP_TO_GIB else []),
    ]


def _cpu_flags(settings: Settings) -> list[str]:
    return [
        "--dtype=bfloat16",
        "--enforce-eager",
        f"--max-num-seqs={min(settings.max_in_flight, CPU_SEQUENCES)}",
        # vLLM 0.32 on a CPU dies of a request with a seed and a temperature whose prompt is taken in pieces.
        f"--max-num-batched-tokens={settings.max_model_len}",
        "--no-enable-chunked-prefill",
    ]


def _pixel_limits(settings: Settings) -> list[str]:
    """Caps what one picture may cost, which is also what vLLM sets memory aside for.

    A checkpoint that asks for less keeps its own limits.
    """
    folder = _folder(settings)
    own = folder / "preprocessor_config.json" if folder else None
    if own and own.is_file():
        size = json.loads(own.read_text(encoding="utf-8")).get("size") or {}
        if size.get("longest_edge", settings.max_pixels + 1) <= settings.max_pixels:
            return []
    size = {"longest_edge": settings.max_pixels, "shortest_edge": SMALLEST_PICTURE}
    return [f"--mm-processor-kwargs={_json({'size': size})}"]


def _folder(settings: Settings) -> Path | None:
    """The checkpoint's folder, or None when the model is a hub name."""
    folder = Path(settings.model).expanduser()
    return folder if folder.is_dir() else None


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
