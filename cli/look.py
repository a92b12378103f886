"""`img2prompt look FILES…`: what pixels tell without a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .console import Format, put, put_json


def look(
    files: Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)],
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.text,
) -> None:
    """Measure each picture without a model: palette, warmth, light, symmetry, aspect."""
    from ..engine.pictures import open_picture
    from ..prompts import measure

    found = {str(path): measure(open_picture(path)) for path in files}
    if output is Format.json:
        put_json([{"image": name} | asdict(one) for name, one in found.items()])
        return
    for name, one in found.items():
        put(f"{name}\n{one.as_text()}")
