"""Starts the real ComfyUI of the environment `comfyui` with this checkout as its only custom node pack.

`make comfyui` runs it for a person; the tests use its parts. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".environments" / "comfyui"
PYTHON = ENVIRONMENT / "bin" / "python"
COMFYUI = ENVIRONMENT / "ComfyUI"
PACK = "ComfyUI-Img2Prompt"
TINY_CHECKPOINT = ROOT / "tests" / "comfyui" / "tiny_checkpoint.py"
CHECKPOINT = "tiny-random-sd15.safetensors"
"""The name under which CheckpointLoaderSimple lists the tiny checkpoint."""
UI_SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False}
"""Without the first, a template dialog covers a fresh user's page."""


def prepare(base: Path, checkpoint: Path | None = None) -> None:
    """Make `base` a ComfyUI base directory: the pack linked in, the interface's settings, ComfyUI's own example.png,
    and `checkpoint` listed as CHECKPOINT and under the names that our example workflows load: those with a checkpoint
    run, and none asks for a download."""
    for folder in ("custom_nodes", "input", "output", "models/checkpoints", "user/default"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    link(base / "custom_nodes" / PACK, ROOT)
    shutil.copy(COMFYUI / "input" / "example.png", base / "input")
    if checkpoint:
        for folder, name in {("checkpoints", CHECKPOINT), *example_models()}:
            (base / "models" / folder).mkdir(exist_ok=True)
            link(base / "models" / folder / name, checkpoint)
    settings = base / "user" / "default" / "comfy.settings.json"
    if not settings.exists():
        settings.write_text(json.dumps(UI_SETTINGS))


def example_models() -> set[tuple[str, str]]:
    """Folder and name of each file that an example workflow says it loads."""
    files = (ROOT / "example_workflows").glob("*.json")
    nodes = [node for file in files for node in json.loads(file.read_text(encoding="utf-8"))["nodes"]]
    return {(one["directory"], one["name"]) for node in nodes for one in node["properties"].get("models", [])}


def link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def command(base: Path, port: int, front_end: Path | None = None) -> list[str]:
    """What starts ComfyUI on 127.0.0.1 over `base`: on the CPU, nothing kept, no paid nodes. `front_end` is another
    interface than the one that is installed."""
    options = "--cpu --listen 127.0.0.1 --database-url sqlite:///:memory: --disable-api-nodes --fp32-text-enc"
    folders = ["--port", str(port), "--base-directory", str(base), "--log-stdout"]
    interface = ["--front-end-root", str(front_end)] if front_end else []
    return [str(PYTHON), "-u", str(COMFYUI / "main.py"), *options.split(), *folders, *interface]


def tiny_checkpoint() -> Path:
    """A small random SD1.5-type checkpoint, made once for each version of the script that makes it (278 MB, 15 s)."""
    key = hashlib.sha256(TINY_CHECKPOINT.read_bytes()).hexdigest()[:12]
    file = ENVIRONMENT / "checkpoints" / f"{key}.safetensors"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}.part")
        subprocess.run([str(PYTHON), str(TINY_CHECKPOINT), str(COMFYUI), str(partial)], check=True)
        partial.replace(file)
    return file


def main() -> None:
    """Become ComfyUI. Settings of ours (IMG2PROMPT_…) reach the nodes through the environment."""
    parser = argparse.ArgumentParser(description="Start a real ComfyUI with the nodes in it.")
    parser.add_argument("--port", type=int, default=8188)
    port = parser.parse_args().port
    base = ROOT / ".environments" / "base"
    prepare(base, tiny_checkpoint())
    for picture in (ROOT / "docs" / "examples").glob("*.jpg"):
        shutil.copy(picture, base / "input")
    print(f"ComfyUI will be at http://127.0.0.1:{port}; Ctrl-C stops it. Its files: {base.relative_to(ROOT)}")
    print("Its checkpoints paint noise: they are there so that a whole workflow runs on a CPU.", flush=True)
    words = command(base, port)
    os.execv(words[0], words)


if __name__ == "__main__":
    sys.exit(main())
