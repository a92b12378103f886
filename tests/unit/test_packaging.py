"""What is installed is what is declared: two equal lists, every package, every data file."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import img2prompt
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = ROOT / "scripts" / "environments"
NEVER = {"torch", "torchvision", "transformers", "vllm"}
"""Too heavy for a node pack's requirements, or in conflict with what ComfyUI installed."""
NOT_SHIPPED = {"benchmarks", "build", "dist", "docs", "scripts", "tests"}
SHIPPED = (
    "*.py",
    *(f"{folder}/**/*.py" for folder in ("prompts", "engine", "captions", "nodes", "cli", "evaluation")),
    "cli/*.html",
    "evaluation/*.html",
    *(f"prompts/{folder}/*" for folder in ("presets", "presets/text", "families", "data")),
    *(f"{folder}/**/*" for folder in ("web", "locales", "example_workflows")),
)


def names(lines: str | list[str]) -> list[str]:
    """The normalized distribution names in requirement lines."""
    lines = lines.splitlines() if isinstance(lines, str) else lines
    found = [re.match(r"[\w.-]+", line) for line in lines if line and not line.startswith("#")]
    return [re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match]


def test_both_requirement_lists_are_equal() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert lines == PROJECT["project"]["dependencies"]


def test_requirements_bring_nothing_heavy() -> None:
    everything = names((PINS / "run.txt").read_text())  # what they bring, all of it
    assert set(names(PROJECT["project"]["dependencies"])) < set(everything)
    assert not NEVER & set(everything)


@pytest.mark.parametrize("file", sorted(PINS.glob("*.txt")), ids=lambda file: file.stem)
def test_environments_are_pinned(file: Path) -> None:
    pins = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []


def test_every_package_is_listed() -> None:
    """But for what runs in vLLM's processes, which is carried along as data: nothing of ours imports it."""
    folders = [folder for folder in ROOT.glob("[!.]*") if folder.is_dir() and folder.name not in NOT_SHIPPED]
    files = [*ROOT.glob("*.py"), *(file for folder in folders for file in folder.rglob("*.py"))]
    imported = [file.relative_to(ROOT).parent.parts for file in files if "inside" not in file.parts]
    found = {".".join(("img2prompt", *parts)) for parts in imported}
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_the_version_is_one() -> None:
    assert img2prompt.__version__ == PROJECT["project"]["version"]


def test_the_scripts_of_the_page_stay_light() -> None:
    """9,446 bytes that the nodes need, and 30 KiB for all that is to be looked at."""
    assert sum(file.stat().st_size for file in (ROOT / "web" / "js").glob("**/*.js")) <= 9446 + 30 * 1024


def test_a_wheel_holds_all_that_is_shipped(tmp_path: Path) -> None:
    traces = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__")

    def left_out(folder: str, names: list[str]) -> set[str]:
        return traces(folder, names) | (NOT_SHIPPED if Path(folder) == ROOT else set())  # web/docs is shipped

    copy = tmp_path / "checkout"  # setuptools leaves its traces in the folder that it builds
    shutil.copytree(ROOT, copy, ignore=left_out)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = copy.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name.removeprefix("img2prompt/") for name in archive.namelist() if name.startswith("img2prompt/")}
    expected = {str(file.relative_to(ROOT)) for pattern in SHIPPED for file in ROOT.glob(pattern) if file.is_file()}
    assert {name.partition("/")[0] for name in expected} >= {"__init__.py", "prompts", "engine", "nodes", "cli", "web"}
    assert expected - held == set()
    assert {name.partition("/")[0] for name in held} & NOT_SHIPPED == set()
