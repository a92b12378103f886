"""Write locales/en from the node schemas and the front end's strings: `python scripts/locales.py`. A test holds it.

English itself needs no such files: ComfyUI's front ends fall back to the schemas, and `text("…")` to its own words.
They are what translators translate, and what tests hold other languages and the help pages against, without ComfyUI.
An English name there wins over the schema's, so it is never written by hand.

Runs in the environment `comfyui`, with the package installed; the node schemas need ComfyUI's API.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCALES = ROOT / "locales"
SCRIPTS = ROOT / "web" / "js"
OURS = "img2prompt"
"""Where our own strings stand in main.json, and our nodes' category."""

PARTS = (
    *("prompt", "text", "story", "found prompt", "saved prompt", "engine", "negative", "caption"),
    *("Medium", "Movement", "Era", "Technique", "Palette", "Light", "Composition", "Mood"),
)
"""What the server calls the parts of a result (nodes/shown.py, prompts/style_text.py), for `named()` of texts.js.
Others, such as the titles of a story's beats, stay as they are."""

_COMMENT = re.compile(r"/\*(?s:.*?)\*/|^\s*//.*$|(?<=[;,{})])\s+//.*$", re.MULTILINE)
_CALL = re.compile(r"(?<![\w.])text\(\s*")
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"\s*[,)]')


def node_definitions() -> dict[str, Any]:
    """All that the schemas say in words, in the form of ComfyUI's nodeDefs.json."""
    return {node.GET_SCHEMA().node_id: _words(node.GET_SCHEMA()) for node in _nodes()}


def _nodes() -> list[Any]:
    """Our node classes. ComfyUI's code must be importable."""
    from img2prompt.nodes import Img2PromptExtension

    return asyncio.run(Img2PromptExtension().get_node_list())


def _words(schema: Any) -> dict[str, Any]:
    return {
        "display_name": schema.display_name,
        "description": schema.description,
        "inputs": {one.id: {"name": one.id, "tooltip": one.tooltip} for one in schema.inputs},
        "outputs": {
            str(at): {"name": one.display_name or one.id, "tooltip": one.tooltip}
            for at, one in enumerate(schema.outputs)
        },
    }


def strings() -> list[str]:
    """Every English text that our scripts show by `text("…")`, and PARTS, in order. Raises ValueError for one that is
    put together while the page runs, which nobody can translate."""
    shown = {words for file in SCRIPTS.glob("*.js") for words in strings_in(file.read_text(encoding="utf-8"))}
    return sorted(shown | set(PARTS))


def strings_in(code: str) -> list[str]:
    """Those of one script. Comments and the function's own definition are none."""
    code = _COMMENT.sub("", code)
    found: list[str] = []
    for call in _CALL.finditer(code):
        if re.search(r"function\s+$", code[: call.start()]):
            continue
        literal = _STRING.match(code, call.end())
        if literal is None:
            raise ValueError(f"not a plain string: {code[call.start() : call.start() + 60]!r}")
        found.append(json.loads(f'"{literal[1]}"'))
    return found


def main_words() -> dict[str, Any]:
    """The English main.json: each string is its own translation."""
    same = {"nodeCategories": [OURS], "settingsCategories": ["Prompt Engine"], OURS: strings()}
    return {part: {words: words for words in found} for part, found in same.items()}


def settings_words() -> dict[str, Any]:
    """The English settings.json: the rows of settings.js, `setting("Id", "Name", draw, "tooltip")`."""
    code = (SCRIPTS / "settings.js").read_text(encoding="utf-8")
    rows = re.findall(r'setting\(\s*"(\w+)",\s*"([^"]+)",\s*\w+,\s*"([^"]+)",?\s*\)', code)
    return {f"Img2Prompt_{name}": {"name": label, "tooltip": tooltip} for name, label, tooltip in rows}


def as_text(words: dict[str, Any]) -> str:
    """As the files are written."""
    return json.dumps(words, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.path.append(str(ROOT / ".environments" / "comfyui" / "ComfyUI"))
    sys.argv += ["--cpu"]  # ComfyUI reads it
    for name, words in (("nodeDefs", node_definitions), ("main", main_words), ("settings", settings_words)):
        (LOCALES / "en" / f"{name}.json").write_text(as_text(words()), encoding="utf-8")
