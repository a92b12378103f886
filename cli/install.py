"""`img2prompt engine install`: vLLM in an environment of its own."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from ..engine.errors import InstallFailed
from ..engine.server.install import TORCH_INDEX, VERSION, Installation, default_folder
from ..engine.server.install import install as make
from ..engine.server.machine import Check, checks, unsupported
from .console import put, say

MARKS = {"ok": "✓", "failed": "✗", "note": "·"}


def install(
    cpu: Annotated[bool, typer.Option("--cpu", help="vLLM for the CPU: slow, for machines without a GPU.")] = False,
    into: Annotated[
        Path | None, typer.Option(help="Another folder; then set IMG2PROMPT_VLLM to its bin/vllm.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would do, and do nothing.")] = False,
    constraint: Annotated[
        Path | None,
        typer.Option(help="A constraints file for pip or uv.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    torch_index: Annotated[
        str, typer.Option(help='Where --cpu gets torch; "": from the same place as everything.')
    ] = TORCH_INDEX,
) -> None:
    """Install vLLM in an environment of its own, which the managed engine then uses. ComfyUI's is not touched.

    It needs several GB and takes minutes; interrupted, it goes on the next time.
    """
    if words := unsupported(VERSION):
        raise InstallFailed(words)
    installation = Installation(
        cpu=cpu,
        folder=(into.expanduser() if into else default_folder(cpu=cpu)).absolute(),
        uv=shutil.which("uv") or "",
        torch_index=torch_index,
        constraint=constraint,
    )
    found = checks(installation.folder, cpu=cpu)
    for check in found:
        (put if dry_run else say)(f"{MARKS[check.verdict]} {check.name:<8}  {check.detail}")
    if dry_run:
        for command in installation.commands():
            put(shlex.join(command))
    _refuse(found)
    if dry_run:
        return
    version = make(installation, say)
    say(f"vLLM {version} is ready.")
    if into:
        say(f"The engine uses it with IMG2PROMPT_VLLM={shlex.quote(str(installation.program))}.")
    put(str(installation.program))


def _refuse(found: list[Check]) -> None:
    """Raises InstallFailed with what is missing here, if anything is."""
    missing = [f"{check.name}: {check.detail}" for check in found if check.verdict == "failed"]
    if missing:
        raise InstallFailed(f"vLLM cannot be installed here. {'. '.join(missing)}.")
