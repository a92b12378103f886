"""Writes example_workflows/*.json from scripts/examples/recipes.py: `python scripts/example_workflows.py`.

It asks a real ComfyUI (which it starts, with the nodes in it) what each node has for inputs, outputs and defaults; a
recipe says only what differs. The same recipes and nodes give the same files, byte for byte; a browser test holds them
so. Needs the environment `comfyui` (any `make` command that starts ComfyUI makes it).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from img2prompt.scripts.examples.recipes import RECIPES
from img2prompt.scripts.examples.sheet import Definitions, Sheet
from img2prompt.tests.comfyui.server import ComfyServer

FOLDER = Path(__file__).resolve().parent.parent / "example_workflows"


def documents(definitions: Definitions) -> dict[str, str]:
    """What each file of example_workflows/ holds, by its name."""
    found: dict[str, str] = {}
    for name, recipe in RECIPES.items():
        sheet = Sheet(definitions)
        recipe(sheet)
        found[f"{name}.json"] = json.dumps(sheet.document(name), indent=1, ensure_ascii=False) + "\n"
    return found


def main() -> None:
    """Write the files anew, from what this checkout's nodes are now."""
    with tempfile.TemporaryDirectory() as base:
        server = ComfyServer(Path(base), {})
        try:
            written = documents(server.get("/object_info"))
        finally:
            server.stop()
    for name, text in written.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {name}")


if __name__ == "__main__":
    main()
