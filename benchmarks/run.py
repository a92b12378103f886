"""The measurements behind the README's numbers: `make bench`. Prints them and leaves benchmarks/results/local.json.

Where the machine is noisy only ratios within one run mean something; the times of single steps are medians.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COMFYUI = HERE.parent / ".environments" / "comfyui" / "ComfyUI"
RESULTS = HERE / "results" / "local.json"
IMPORTS = 5


def import_ms() -> float:
    """What loading the package adds to ComfyUI's start, in fresh processes."""
    command = [sys.executable, "-P", str(HERE / "import_time.py")]
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken = [float(subprocess.check_output(command, text=True, env=compiled).split()[-1]) for _ in range(IMPORTS)]
    return round(statistics.median(taken), 1)


def measure() -> dict[str, Any]:
    """All of it, each said on stderr as it is there."""
    sys.path.append(str(COMFYUI))
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    from img2prompt.benchmarks import batch, pictures, vocabulary

    found: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {version('torch')}",
    }

    def add(name: str, value: Any) -> None:
        found[name] = value
        print(f"{name}: {value}", file=sys.stderr, flush=True)

    add("import_ms", import_ms())
    for side in (1024, 4096):
        add(f"tensor_to_request_{side}_ms", round(pictures.tensor_to_request(side), 1))
    add("render_ms", {family: round(ms, 2) for family, ms in pictures.render_ms().items()})
    add("render_story_of_16_beats_ms", {family: round(ms, 1) for family, ms in pictures.render_story_ms().items()})
    add("vocabulary", vocabulary.in_fresh_processes())
    with tempfile.TemporaryDirectory() as folder:
        add("cancel_s", batch.cancel_s(Path(folder)))
        add("long_list", batch.long_list(Path(folder)))
        add("batch_of_32_extra_memory_mib", batch.extra_memory_mib(Path(folder)))
        add("batch_of_32", batch.compare(Path(folder)))
    return found


if __name__ == "__main__":
    result = measure()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
