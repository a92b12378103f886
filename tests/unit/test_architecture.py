"""The house's order: prompts <- engine <- nodes and cli, and each folder meets one foreign world.

Read from the source, so imports on first use and imports for types count too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import img2prompt
import pytest

ROOT = Path(__file__).resolve().parents[2]
COMFYUI = {"comfy", "comfy_api", "comfy_execution", "execution", "folder_paths", "nodes", "server"}
OUTSIDE_WORLD = {"asyncio", "datetime", "http", "socket", "ssl", "subprocess", "time", "urllib"}
"""Standard modules that reach the network, other processes or the clock."""
STANDARD = set(sys.stdlib_module_names)

ALLOWED: dict[str, set[str]] = {
    "prompts": (STANDARD - OUTSIDE_WORLD)
    | {"pydantic", "pydantic_core", "typing_extensions", "platformdirs", "PIL", "numpy", "tokenizers"},
    "engine": STANDARD
    | {".prompts", "pydantic", "pydantic_core", "pydantic_settings", "platformdirs", "PIL", "openai", "httpx", "httpx2"}
    | {"numpy", "rapidocr", "tomlkit"},
    "captions": STANDARD | {".prompts", ".engine", "pydantic", "PIL", "pyarrow", "ray"},
    "nodes": STANDARD | {".prompts", ".engine", "torch", "numpy", "PIL"},
    "nodes/comfy.py": STANDARD | COMFYUI | {".prompts", ".engine", "torch", "numpy", "PIL"},
    "nodes/comfy_progress.py": STANDARD | {"comfy", "comfy_api", "server"},
    "evaluation": STANDARD | {".prompts", ".engine", "pydantic", "PIL", "numpy"},
    "cli": STANDARD | {".prompts", ".engine", ".captions", ".evaluation", "PIL", "typer", "rich"},
    "__init__.py": STANDARD | {".nodes"},
    "__main__.py": STANDARD | {".cli"},
}
"""What a folder or file may import; ".prompts" is our own folder of that name."""
MOST_LINES = 300
LONGER = {"engine/server/supervisor.py"}
"""A script that runs by itself and can import nothing of ours."""


def sources() -> list[Path]:
    folders = [folder for folder in ALLOWED if "." not in folder]
    return [*ROOT.glob("*.py"), *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]


def imports(code: str, place: Path) -> Iterator[str]:
    """The top-level modules that `code` at `place` (relative to the package) imports; our folders as ".name"."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            above = place.parts[: -node.level]
            wholes = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ("." + (*above, *whole.split("."))[0] for whole in wholes)


def violations(code: str, place: Path) -> set[str]:
    """What `code` at `place` imports but may not. `from img2prompt import …` is never allowed: ComfyUI loads the
    package under another name."""
    allowed = ALLOWED.get(str(place)) or ALLOWED[place.parts[0]]
    return set(imports(code, place)) - allowed - {"__future__", "." + place.parts[0]}


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_imports_what_its_folder_may(file: Path) -> None:
    assert violations(file.read_text(), file.relative_to(ROOT)) == set()


@pytest.mark.parametrize(
    ("place", "code", "forbidden"),
    [
        ("prompts/render.py", "import torch", {"torch"}),
        ("prompts/render.py", "from ..engine import Settings", {".engine"}),
        ("prompts/render.py", "from .. import engine", {".engine"}),
        ("prompts/render.py", "def f():\n    import urllib.request", {"urllib"}),
        ("engine/server/command.py", "from ...nodes.comfy import io", {".nodes"}),
        ("engine/server/command.py", "from ..settings import Settings; from . import process", set()),
        ("nodes/images.py", "from comfy_api.latest import io", {"comfy_api"}),
        ("nodes/comfy.py", "from comfy_api.latest import io", set()),
        ("nodes/comfy_progress.py", "from server import PromptServer; import folder_paths", {"folder_paths"}),
        ("cli/prompt.py", "from img2prompt.engine import Settings", {"img2prompt"}),
        ("__init__.py", "from .engine import Settings", {".engine"}),
    ],
)
def test_the_check_finds_what_is_forbidden(place: str, code: str, forbidden: set[str]) -> None:
    assert violations(code, Path(place)) == forbidden


def test_files_stay_readable() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in sources()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES and name not in LONGER} == {}


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import img2prompt", {"img2prompt.", "pydantic", "numpy", "torch"}),
        ("import img2prompt.engine", {"torch", "openai", "comfy", "img2prompt.nodes", "img2prompt.cli"}),
        ("import img2prompt.prompts", {"torch", "tokenizers", "img2prompt.engine"}),
    ],
)
def test_importing_loads_no_more_than_it_needs(statement: str, never: set[str]) -> None:
    # From where this package was imported, in a fresh Python.
    place = str(Path(img2prompt.__file__).parent.parent)
    before = f"import sys; sys.path.insert(0, {place!r}); had = set(sys.modules)"
    code = f"{before}; {statement}; print(*set(sys.modules) - had)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith(tuple(never))] == []
