"""Which GPU the server will run on, as the driver tells it. Knows nothing of models; starts only `nvidia-smi`."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field

NVIDIA_SMI_TIMEOUT_S = 20.0
FIELDS = ("memory.total", "memory.free", "uuid", "compute_cap", "name")
OLDER_FIELDS = ("memory.total", "memory.free", "uuid", "name")
"""What drivers before 470 can tell; they refuse a query that names compute_cap."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where the model runs."""

    kind: str
    """ "gpu" or "cpu"."""
    memory_gib: float = 0.0
    """Of the GPU, in all."""
    free_gib: float = 0.0
    """Of the GPU, when the driver was asked."""
    capability: float = 0.0
    """CUDA compute capability, such as 8.9; 0 where it is not known."""
    name: str = ""
    """As the driver calls it, such as "NVIDIA GeForce RTX 4090"."""
    uuid: str = field(default="", compare=False)
    """The driver's own number for it: which of several alike it is."""


@dataclass(frozen=True, slots=True)
class _Listed:
    uuid: str
    device: Device


def find_device() -> Device:
    """The first GPU that CUDA_VISIBLE_DEVICES shows, else the CPU; no torch.

    An index there counts in the driver's order, which is CUDA's where the GPUs are alike; with unlike ones set
    CUDA_DEVICE_ORDER=PCI_BUS_ID. A slice of a GPU (MIG) has no line of its own: its GPU's numbers are taken.
    """
    program, visible = shutil.which("nvidia-smi"), os.environ.get("CUDA_VISIBLE_DEVICES")
    if program is None or visible in ("", "-1"):
        return Device("cpu")
    listed = _listed(program, FIELDS) or _listed(program, OLDER_FIELDS)
    return _first_visible(listed, visible) or Device("cpu")


def _first_visible(listed: list[_Listed], visible: str | None) -> Device | None:
    """CUDA takes entries up to the first that names no GPU, so only the first entry matters here."""
    first = (visible or "0").split(",")[0].strip()
    if first.isdigit():
        return listed[int(first)].device if int(first) < len(listed) else None
    if first.startswith("MIG-"):
        return listed[0].device if listed else None
    return next((one.device for one in listed if first and one.uuid.startswith(first)), None)


def _listed(program: str, fields: tuple[str, ...]) -> list[_Listed]:
    """The driver's GPUs, or none when it does not answer this query."""
    query = [program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=NVIDIA_SMI_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # a driver that does not answer is no GPU to run on
        return []
    rows = [line.split(", ", len(fields) - 1) for line in answer.splitlines()]
    return [_parse(dict(zip(fields, row, strict=True))) for row in rows if len(row) == len(fields) and row[0].isdigit()]


def _parse(row: dict[str, str]) -> _Listed:
    """One GPU. Sizes come in MiB; what this GPU does not tell is "[N/A]"."""
    free, capability = row["memory.free"], row.get("compute_cap", "")
    known = capability.replace(".", "", 1).isdigit()
    device = Device(
        "gpu",
        int(row["memory.total"]) / 1024,
        int(free) / 1024 if free.isdigit() else 0.0,
        float(capability) if known else 0.0,
        row["name"].strip(),
        row["uuid"],
    )
    return _Listed(row["uuid"], device)
