"""`img2prompt engine plan`: what the managed engine takes of a GPU's memory, and whether that fits."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Format, put, put_json

if TYPE_CHECKING:
    from ..engine import Settings
    from ..engine.server.budget import Plan
    from ..engine.server.device import Device

SLEEPS = {
    1: "level 1: its weights go to RAM, and it is back within seconds",
    2: "level 2: its weights are dropped and read from disk again, for there is too little RAM",
    0: "not at all: it is stopped instead",
}


class Precision(StrEnum):
    """How weights are stored."""

    auto = "auto"
    bf16 = "bf16"
    fp8 = "fp8"
    w4a16 = "w4a16"


def plan(
    vram: Annotated[
        float | None, typer.Option("--vram", min=1, help="Plan for a GPU of this many GiB that is not here.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="8B, 4B, 2B, a hub name or a checkpoint's folder; auto: the best.")
    ] = None,
    precision: Annotated[Precision | None, typer.Option("--precision", help="How the weights are stored.")] = None,
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.text,
) -> None:
    """Show which checkpoint the managed engine would serve, and what of the GPU it takes. Exit code 1 if none fits."""
    from ..engine.server.device import Device, find_device
    from ..engine.server.plan import make_plan

    settings = _settings(model, precision)
    device = find_device() if vram is None else Device("gpu", vram)
    made = make_plan(settings, device)
    if output is Format.json:
        put_json(made.as_json() | {"device": _device_json(device), "sleep": _sleep_json(made, device)})
    else:
        _put_table(made, device)
        for line in _notes(made, settings, device):
            put(line)
    if not made.fits:
        raise typer.Exit(1)


def _settings(model: str | None, precision: Precision | None) -> Settings:
    from ..engine import Settings

    changed = {"model": "" if model == "auto" else model, "precision": precision and precision.value}
    return Settings.load().model_copy(update={name: value for name, value in changed.items() if value is not None})


def _device_json(device: Device) -> dict[str, Any]:
    return {
        "kind": device.kind,
        "name": device.name,
        "memory_gib": round(device.memory_gib, 2),
        "free_gib": round(device.free_gib, 2),
        "capability": device.capability,
    }


def _sleep_json(made: Plan, device: Device) -> dict[str, Any] | None:
    """How it would sleep on this machine; None on a CPU, where nothing is given back."""
    from ..engine.server.sleeping import available_ram_gib, sleep_level

    if device.kind != "gpu":
        return None
    return {
        "level": sleep_level(made.weights_gib, offloaded=made.cpu_offload_gib > 0),
        "ram_needed_gib": round(made.weights_gib, 2),
        "ram_available_gib": round(available_ram_gib(), 2),
    }


def _put_table(made: Plan, device: Device) -> None:
    """The parts and their sum."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{made.model} on {_place(device)}", title_justify="left", title_style="")
    table.add_column("part")
    table.add_column("GiB", justify="right")
    table.add_column("how it comes about", overflow="fold")
    for row in made.rows:
        table.add_row(row.name, f"{row.gib:.2f}", row.how)
    table.add_section()
    table.add_row("total", f"{made.total_gib:.2f}", "" if device.kind == "cpu" else f"of {device.memory_gib:.1f}")
    Console(file=sys.stdout, highlight=False, markup=False).print(table)


def _place(device: Device) -> str:
    if device.kind == "cpu":
        return "the CPU"
    return f"{device.name or 'a GPU'} with {device.memory_gib:.1f} GiB"


def _notes(made: Plan, settings: Settings, device: Device) -> list[str]:
    """What else a person should know, a line each; first whether it fits."""
    from ..engine.server.remembered import memory_file

    lines = [f"{'Fits' if made.fits else 'Does not fit'}: {made.reason}"]
    if not made.fits:
        return lines
    lines.append(
        f"It takes up to {made.max_num_seqs} requests at one time in a context of {made.max_model_len:,} tokens, and "
        f"pictures of up to {made.max_pixels:,} pixels; {_graphs(made)}."
    )
    if device.kind == "gpu":
        lines.append(_sleep_line(made, device))
        lines += _gpu_notes(device)
    if made.level:
        lines.append(
            f"This is {made.level} below the best plan, for memory ran out at an earlier start; "
            f"delete {memory_file(settings)} to begin anew."
        )
    if not made.downloaded and made.weights_gib:
        lines.append(f"It is not on disk: the first start downloads about {made.weights_gib:.1f} GiB.")
    return lines


def _graphs(made: Plan) -> str:
    return "CUDA graphs are off, which saves memory" if made.eager else "CUDA graphs are on, for speed"


def _sleep_line(made: Plan, device: Device) -> str:
    sleep = _sleep_json(made, device) or {}
    return (
        f"When ComfyUI needs the GPU it sleeps, {SLEEPS[sleep['level']]} ({sleep['ram_available_gib']:.1f} GiB of RAM "
        f"are available, and level 1 takes {sleep['ram_needed_gib']:.1f})."
    )


def _gpu_notes(device: Device) -> list[str]:
    if not device.name:
        return ["The GPU is not here: it is taken to be one that computes in FP8 (GeForce RTX 40 and later)."]
    return [f"{device.free_gib:.1f} GiB of the GPU are free now; ComfyUI's models make room when the engine starts."]
