"""What a machine must have before vLLM's environment can be made on it: looked at first, so that nothing fails halfway.

The numbers come from the wheels of vLLM 0.32.0 and of what they require; each says which.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .device import NVIDIA_SMI_TIMEOUT_S, find_device

Verdict = Literal["ok", "failed", "note"]

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
"""Requires-Python of both wheels: >=3.11,<3.15."""
ARCHITECTURES = ("x86_64", "aarch64")
OLDEST_GLIBC = (2, 31)
"""llguidance 1.7, which vLLM requires, is published for manylinux_2_31."""
OLDEST_DRIVER = 580
"""The CUDA wheel links libcudart.so.13; https://docs.nvidia.com/cuda/cuda-toolkit-release-notes: 13.0 needs 580."""
OLDEST_CAPABILITY = 7.5
"""CUDA 13 has dropped Maxwell, Pascal and Volta (same page)."""
GIB = 2**30
CUDA_GIB = 14.0
"""198 wheels of 3.7 GiB, as the package index gives their sizes, about 9 GiB unpacked, and some room to unpack them.
The second is an estimate: vLLM's own wheel grows 2.5-fold."""
CPU_GIB = 5.0
"""Measured: 3.5 GiB unpacked, 0.9 GiB of wheels."""

WINDOWS = """\
vLLM runs on Linux only. Either run it in WSL2, as follows, or set IMG2PROMPT_ENDPOINT to the URL of any other server \
with a vision model (LM Studio, Ollama, llama.cpp, another machine).

In PowerShell, once:
    wsl --install -d Ubuntu-24.04
In the Ubuntu window:
    sudo apt update && sudo apt install -y python3-venv python3-dev build-essential
    python3 -m venv ~/vllm && ~/vllm/bin/pip install vllm=={version}
    ~/vllm/bin/vllm serve Qwen/Qwen3-VL-8B-Instruct-FP8 --host 127.0.0.1 --port 8000 --max-model-len 8192 \
--structured-outputs-config '{{"backend":"guidance","disable_any_whitespace":true}}'
In PowerShell, then start ComfyUI anew:
    setx IMG2PROMPT_ENDPOINT http://127.0.0.1:8000/v1"""
ELSEWHERE = (
    "vLLM runs on Linux only; set IMG2PROMPT_ENDPOINT to the URL of a server with a vision model (LM Studio, Ollama, "
    "llama.cpp, or vLLM on another machine)."
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    detail: str
    """What was found; where that is too little, also what to do."""


def unsupported(version: str) -> str:
    """What to do where vLLM cannot run at all, or "" on Linux."""
    if sys.platform == "linux":
        return ""
    return WINDOWS.format(version=version) if sys.platform == "win32" else ELSEWHERE


def checks(folder: Path, *, cpu: bool) -> list[Check]:
    """All that matters here for vLLM for CUDA, or for the CPU, in `folder`. Changes nothing."""
    found = [_python(), _system(), _disk(folder, CPU_GIB if cpu else CUDA_GIB)]
    return found if cpu else [*found, _gpu(), _compiler()]


def _python() -> Check:
    version = sys.version_info[:2]
    detail = platform.python_version()
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return Check("Python", "ok", detail)
    return Check("Python", "failed", f"{detail}; vLLM takes 3.11 to 3.14, run this command with one of them")


def _system() -> Check:
    machine, (libc, version) = platform.machine(), platform.libc_ver()
    detail = f"{machine}, {libc or 'no glibc'} {version}".rstrip()
    if machine not in ARCHITECTURES:
        return Check("system", "failed", f"{detail}; vLLM is published for {' and '.join(ARCHITECTURES)} only")
    if libc != "glibc" or tuple(map(int, version.split(".")[:2])) < OLDEST_GLIBC:
        return Check("system", "failed", f"{detail}; vLLM needs glibc 2.31 or newer: Debian 11, Ubuntu 20.04 or later")
    return Check("system", "ok", detail)


def _disk(folder: Path, needed_gib: float) -> Check:
    """What a first try has left in `folder` counts as room."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    free_gib = shutil.disk_usage(nearest).free / GIB
    detail = f"{free_gib:.1f} GiB free for {folder}, about {needed_gib:g} GiB needed (a model's weights are extra)"
    if free_gib + _size_gib(folder) < needed_gib:
        return Check("disk", "failed", f"{detail}; make room, or name another place with --into FOLDER")
    return Check("disk", "ok", detail)


def _size_gib(folder: Path) -> float:
    sizes = (os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(folder) for name in names)
    return sum(sizes) / GIB


def _gpu() -> Check:
    device = find_device()
    if device.kind != "gpu":
        return Check(
            "GPU",
            "failed",
            "nvidia-smi shows no NVIDIA GPU; --cpu installs vLLM for the CPU, where an 8B model takes minutes for one "
            "picture, or set IMG2PROMPT_ENDPOINT to a server with a vision model",
        )
    driver = _driver()
    detail = f"{device.name or 'NVIDIA'}, {device.memory_gib:.0f} GiB, driver {driver or 'unknown'}"
    if 0 < device.capability < OLDEST_CAPABILITY:
        return Check(
            "GPU",
            "failed",
            f"{detail}; vLLM for CUDA 13 needs compute capability {OLDEST_CAPABILITY} (GTX 16, RTX 20 or newer), this "
            f"one has {device.capability}: set IMG2PROMPT_ENDPOINT to a server that supports it, such as llama.cpp",
        )
    major = driver.partition(".")[0]
    if major.isdigit() and int(major) < OLDEST_DRIVER:
        return Check("GPU", "failed", f"{detail}; vLLM for CUDA 13 needs driver {OLDEST_DRIVER} or newer, update it")
    return Check("GPU", "ok", detail)


def _driver() -> str:
    """The NVIDIA driver's version, or ""."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=NVIDIA_SMI_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # older than the query
        return ""
    return answer.partition("\n")[0].strip()


def _compiler() -> Check:
    """Triton, which vLLM uses on GPUs, compiles C against Python's headers when the engine starts."""
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), "")
    headers = Path(sysconfig.get_paths()["include"], "Python.h").is_file()
    if compiler and headers:
        return Check("compiler", "ok", f"{compiler} and Python's headers")
    missing = " and ".join([*([] if compiler else ["no C compiler"]), *([] if headers else ["no Python.h"])])
    return Check(
        "compiler",
        "note",
        f"{missing}; before the engine's first start install them (Debian, Ubuntu: sudo apt install build-essential "
        f"python{sys.version_info.major}.{sys.version_info.minor}-dev)",
    )
