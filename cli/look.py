"""`img2prompt look FILES…`: what pixels tell without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import Format, put, put_json

if TYPE_CHECKING:
    from ..prompts import Look


def look(
    files: Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)],
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.text,
) -> None:
    """Measure each picture without a model: palette, warmth, light, symmetry, aspect."""
    from ..engine.pictures import open_picture
    from ..prompts import measure

    found = {str(path): measure(open_picture(path)) for path in files}
    if output is Format.json:
        put_json([{"image": name} | one.model_dump(mode="json") for name, one in found.items()])
        return
    for name, one in found.items():
        put(f"{name}\n{_as_text(one)}")


def _as_text(found: Look) -> str:
    """What was measured, a line for each aspect."""
    palette = ", ".join(f"{color.name} {color.share:.0%}" for color in found.palette)
    lines = {
        "size": f"{found.width} x {found.height}, {found.aspect}",
        "palette": palette + (f"; accent {found.accent}" if found.accent else ""),
        "temperature": "monochrome" if found.monochrome else found.temperature,
        "light": "low key" if found.low_key else "not low key",
        "symmetry": f"{found.symmetry:.2f}" + (" (symmetrical)" if found.symmetrical else ""),
    }
    return "\n".join(f"  {name}: {value}" for name, value in lines.items())
