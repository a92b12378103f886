"""How `vllm serve` is called: which program, with which flags and environment. The flags are those of vLLM 0.32.

Knows nothing of processes; what is decided is in the plan.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ...prompts.options import MOST_PICTURES
from ..context import SMALLEST_PICTURE
from ..errors import SettingsError
from ..settings import Settings
from .budget import Plan
from .checkpoints import GIB
from .device import Device

GPU_UTILIZATION = 0.05
"""vLLM refuses to start unless this share of the card is free; how much it takes follows from the cache's bytes."""
PICTURES_PER_REQUEST = MOST_PICTURES
"""As many as a story takes. It costs no memory: vLLM 0.32 measures and encodes as many pictures in one step as its
encoder budget holds, --max-num-batched-tokens or one picture of the largest size (multimodal/encoder_budget.py)."""
PROCESSOR_CACHE_GIB = 1
"""vLLM holds this cache twice in RAM, and its default is 4."""
NOT_FOR_VLLM = ("IMG2PROMPT_", "PYTHON", "PYTORCH_", "CUBLAS_", "MIMALLOC_", "LD_PRELOAD", "VIRTUAL_ENV")
"""Variables that begin so are ComfyUI's own. It sets PYTORCH_CUDA_ALLOC_CONF=backend:cudaMallocAsync for itself
(cuda_malloc.py of 0.3.75), whose allocator has no memory pools, and vLLM's sleep mode is made of these."""
INSIDE = Path(__file__).with_name("inside")
"""What runs inside the server: the guard, and what ends the server's processes with it."""


def find_vllm(settings: Settings) -> Path | None:
    """The `vllm` program: the one in the settings, else that of `img2prompt engine install`, else the one on PATH.

    Raises SettingsError if the one in the settings is no program.
    """
    if settings.vllm:
        named = shutil.which(os.path.expanduser(settings.vllm))
        if named is None:
            raise SettingsError(
                f"{settings.vllm} is not a program; set IMG2PROMPT_VLLM to the vllm program of its environment."
            )
        return Path(named).absolute()
    from .install import installed_vllm

    found = installed_vllm() or shutil.which("vllm")
    return Path(found).absolute() if found else None


def served_name(plan: Plan) -> str:
    """The name under which the model is served: the last part of its folder's or hub's name."""
    return plan.model.rstrip("/").rsplit("/", 1)[-1]


def serve_command(program: Path, device: Device, plan: Plan) -> list[str]:
    """The whole command line of the server, with "{port}" where its port belongs: that is found at each try.

    It holds no secret: anybody on the machine can read it.
    """
    return [
        str(program),
        "serve",
        os.path.expanduser(plan.model),
        f"--served-model-name={served_name(plan)}",
        "--host=127.0.0.1",
        "--port={port}",
        "--middleware=img2prompt_guard.Guard",
        f"--max-model-len={plan.max_model_len}",
        *_pixel_limits(plan),
        f"--limit-mm-per-prompt={_json({'image': PICTURES_PER_REQUEST, 'video': 0})}",
        f"--mm-processor-cache-gb={PROCESSOR_CACHE_GIB}",
        # Without these two, guided answers run away in white space or hold raw control characters.
        f"--structured-outputs-config={_json({'backend': 'guidance', 'disable_any_whitespace': True})}",
        # Otherwise vLLM would fetch any URL that a request names.
        "--allowed-media-domains=nowhere.invalid",
        # The checkpoint's own sampling defaults would change what a request means.
        "--generation-config=vllm",
        # An answer's usage tells how much of its prompt came from the prefix cache.
        "--enable-prompt-tokens-details",
        "--disable-fastapi-docs",
        "--disable-uvicorn-access-log",
        *(_gpu_flags(plan) if device.kind == "gpu" else _cpu_flags(plan)),
    ]


def serve_environment(program: Path, device: Device, plan: Plan, token: str, folder: Path) -> dict[str, str]:
    """The server's environment: ours, less what is not for it, with the token that its requests must carry.

    The guard finds the token and the engine's folder there. Without the guard the development routes, which ask for no
    key, would be open.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_VLLM)}
    kept |= {
        "PATH": os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)]),  # vLLM calls ninja
        "PYTHONPATH": str(INSIDE),
        "PYTHONUNBUFFERED": "1",  # the start is followed by what it says
        "IMG2PROMPT_ENGINE_TOKEN": token,
        "IMG2PROMPT_ENGINE_FOLDER": str(folder),
        "VLLM_API_KEY": token,
        "VLLM_SERVER_DEV_MODE": "1",  # sleep and wake are development routes
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a forked process would not load our sitecustomize
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    if device.kind == "cpu":
        kept["VLLM_CPU_KVCACHE_SPACE"] = str(round(plan.kv_cache_gib))  # whole GiB
    if Path(plan.model).expanduser().is_dir():
        kept["HF_HUB_OFFLINE"] = "1"
    return kept


def _gpu_flags(plan: Plan) -> list[str]:
    return [
        f"--gpu-memory-utilization={GPU_UTILIZATION}",
        f"--kv-cache-memory-bytes={round(plan.kv_cache_gib * GIB)}",
        f"--max-num-seqs={plan.max_num_seqs}",
        f"--max-num-batched-tokens={plan.max_num_batched_tokens}",
        *(["--enforce-eager"] if plan.eager else []),
        # The two have not been seen to work together.
        *([f"--cpu-offload-gb={plan.cpu_offload_gib:g}"] if plan.cpu_offload_gib else ["--enable-sleep-mode"]),
    ]


def _cpu_flags(plan: Plan) -> list[str]:
    return [
        "--dtype=bfloat16",
        "--enforce-eager",
        f"--max-num-seqs={plan.max_num_seqs}",
        # vLLM 0.32 on a CPU dies of a request with a seed and a temperature whose prompt is taken in pieces.
        f"--max-num-batched-tokens={plan.max_num_batched_tokens}",
        "--no-enable-chunked-prefill",
    ]


def _pixel_limits(plan: Plan) -> list[str]:
    """Caps what one picture may cost, which is also what vLLM sets memory aside for.

    A checkpoint that asks for less keeps its own limits, both of them.
    """
    if plan.own_pixel_limit:
        return []
    size = {"longest_edge": plan.max_pixels, "shortest_edge": SMALLEST_PICTURE}
    return [f"--mm-processor-kwargs={_json({'size': size})}"]


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
