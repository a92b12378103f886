"""An analysis as text, read back: what Image → Prompt gives as `analysis`, or `--format json` on the command line."""

from __future__ import annotations

import json
from textwrap import shorten
from typing import TYPE_CHECKING

from .errors import AnalysisError

if TYPE_CHECKING:
    from .analysis import ImageAnalysis

RATED = "tag_confidence"
"""The field that only an analysis has whose tags were checked (`confidence.py`)."""
_NEXT = "connect the output 'analysis' of Image → Prompt, or name what `img2prompt prompt --format json` wrote"


def read_analysis(text: str) -> ImageAnalysis:
    """The analysis in a JSON text. Raises AnalysisError for any other text, and for another version's analysis."""
    return analysis_of(read_json(text))


def read_json(text: str | bytes) -> object:
    """What is in a JSON text. Raises AnalysisError for any other."""
    if not text.strip():
        raise AnalysisError(f"There is no analysis, the text is empty; {_NEXT}.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also bytes that are no text
        raise AnalysisError(f"This is no analysis (not JSON: {error}); {_NEXT}.") from error


def analysis_of(document: object) -> ImageAnalysis:
    """The analysis in what was read from JSON, with its confidence where that was read. Raises AnalysisError."""
    from pydantic import ValidationError

    from .analysis import ImageAnalysis
    from .confidence import RatedAnalysis

    if not (isinstance(document, dict) and ImageAnalysis.model_fields.keys() & document.keys()):
        raise AnalysisError(f"This is no analysis, though it is JSON; {_NEXT}.")
    try:
        kind = RatedAnalysis if RATED in document else ImageAnalysis
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise AnalysisError(
            f"The analysis does not fit this version of Img2Prompt ({field}: {shorten(first['msg'], 100)}); "
            "look at the picture again with Image → Prompt."
        ) from error
