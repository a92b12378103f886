"""Analyses that commands read: from files or stdin, one or many, as commands and nodes write them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..prompts.errors import AnalysisError

if TYPE_CHECKING:
    from ..prompts import ImageAnalysis

STDIN = Path("-")


def read_analyses(path: Path) -> list[tuple[str, ImageAnalysis]]:
    """The analyses in a JSON file, each with the name of its picture, or of the file where that is not told.

    The file, or stdin for `-`, holds an analysis, what `--format json` writes (a row, or a list of rows, that have one
    as `analysis`), or a list of analyses. Raises AnalysisError that names the file and which of its analyses is wrong.
    """
    from ..prompts.analysis_text import read_json

    source = "stdin" if path == STDIN else str(path)
    try:
        document = read_json(_bytes(path))
    except AnalysisError as error:
        raise AnalysisError(f"{source}: {error}") from error
    rows = document if isinstance(document, list) else [document]
    names = [source if len(rows) == 1 else f"{source}, {number} of {len(rows)}" for number in range(1, len(rows) + 1)]
    return [_named(row, name) for row, name in zip(rows, names, strict=True)]


def _named(row: object, name: str) -> tuple[str, ImageAnalysis]:
    """One analysis, which may stand in a row that tells its picture."""
    from ..prompts.analysis_text import analysis_of

    document = row
    if isinstance(row, dict) and "analysis" in row:
        document = row["analysis"]
        name = str(row.get("image", name))
    if document is None and row is not None:
        raise AnalysisError(
            f"{name}: this prompt was read from the picture's file and nobody looked at the picture, so there is no "
            "analysis; `img2prompt prompt --ignore-embedded --format json` writes one."
        )
    try:
        return name, analysis_of(document)
    except AnalysisError as error:
        raise AnalysisError(f"{name}: {error}") from error


def _bytes(path: Path) -> bytes:
    if path == STDIN:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnalysisError(f"it cannot be read ({error.strerror}); check the path.") from error
