"""`img2prompt text IMAGES…`: a text about each picture, by preset and language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..prompts.presets import DEFAULT_LANGUAGE, DEFAULT_TEXT_PRESET
from .asking import ask
from .console import Format, put, put_json, say

PRESETS = (
    "What to write: alt-text, detailed-caption, documentary, literary, selling-points, social-post, or the name of a "
    "Markdown file of your own in presets/, beside your settings.toml."
)


def text(
    images: Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)],
    preset: Annotated[str, typer.Option(help=PRESETS)] = DEFAULT_TEXT_PRESET,
    language: Annotated[str, typer.Option(help="Any language, by any name: Deutsch, 中文.")] = DEFAULT_LANGUAGE,
    extra: Annotated[str, typer.Option(help="What the text should also mention or heed.")] = "",
    seed: Annotated[int, typer.Option(min=0, max=0xFFFF_FFFF, help="Another seed writes another text.")] = 0,
    output: Annotated[Format, typer.Option("--format", help="text: a blank line between texts; json: a list.")] = (
        Format.text
    ),
) -> None:
    """Write a text about each picture, in their order."""
    from ..engine import shared_engine
    from ..engine.pictures import open_picture
    from ..prompts import finished_texts, text_requests

    pictures = (open_picture(path) for path in images)
    requests = text_requests(pictures, preset=preset, language=language, extra=extra, seed=seed)
    engine = shared_engine()  # no sketch in its place: it can write nothing
    texts = finished_texts(ask(engine, requests, len(images)), [str(image) for image in images])
    status = engine.status()
    say(f"Answered by {status.model} ({status.detail}).")
    if output is Format.json:
        shared = {"preset": preset, "language": language, "engine": status.engine}
        rows = zip(images, texts, strict=True)
        put_json([{"image": str(image), **shared, "text": written} for image, written in rows])
    else:
        put("\n\n".join(texts))
