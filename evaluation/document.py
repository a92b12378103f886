"""An evaluation as one JSON document: everything that was measured, and all that `saved.py` needs to measure it again.

It is stable: keys are added, never renamed. It holds no key, no password and no picture.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .comparison import Comparison, verdict
from .errors import EvaluationError
from .metrics import RESAMPLES, SHARE_WITHIN
from .scores import Outcome

DECIMALS = 6
KIND = "img2prompt evaluation"
"""What the document calls itself."""
VERSION = 1
"""Of the document, for who reads it as a saved result: `saved.py`."""


def write_whole(file: Path, source: str, made: Comparison) -> None:
    """The document as a file. Raises EvaluationError."""
    write(file, json.dumps(as_json(made, source), ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def write(file: Path, text: str) -> None:
    """Text as a file that is there whole, or as it was before. Raises EvaluationError."""
    part = file.with_name(f".{os.getpid()}.part")
    try:
        try:
            part.write_text(text, encoding="utf-8", newline="\n")
            os.replace(part, file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise EvaluationError(f"{file} cannot be written ({error.strerror}); name another file.") from error


def as_json(made: Comparison, source: str) -> dict[str, Any]:
    """Everything that was measured, as one document. `source`: the references' file."""
    document = {
        "kind": KIND,
        "version": VERSION,
        "references": source,
        "pictures": len(made.references),
        "remarks": made.remarks,
        "bootstrap": {"resamples": RESAMPLES, "share_within": SHARE_WITHIN, "seed": made.seed, "paired_by": "picture"},
        "sides": [_side(made, side) for side in range(len(made.runs))],
        "differences": [_differences(made, side) for side in range(1, len(made.runs))],
        "results": [
            {
                "image": reference.name,
                "digest": reference.digest,
                "reference": {name: getattr(reference, name) for name in ("tags", "prompt", "caption")},
                "sides": [_outcome(run.outcomes[index]) for run in made.runs],
            }
            for index, reference in enumerate(made.references)
        ],
    }
    return _writable(document)


def _writable(value: Any) -> Any:
    """The same without halves of characters, such as a file's name may have, which no JSON file can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _writable(inner) for name, inner in value.items()}
    return [_writable(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _side(made: Comparison, side: int) -> dict[str, Any]:
    run = made.runs[side]
    return {
        "label": run.side.label,
        "engine": run.engine,
        "model": run.model,
        "asked": asdict(run.side.asking),
        "temperature": run.side.temperature,
        "max_pixels": run.side.max_pixels,
        "precision": run.side.precision,
        "max_in_flight": run.side.max_in_flight,
        "wall_s": round(run.wall_s, 3),
        "pictures": run.pictures,
        "pictures_per_s": round(run.pictures_per_s, 3) if run.pictures_per_s else None,
        "not_asked": sum(1 for outcome in run.outcomes if outcome.written and not outcome.asked),
        "failures": run.failures,
        "measures": {
            one.name: {"mean": _rounded(made.mean(side, one.name)), "pictures": len(made.values(side, one.name))}
            for one in made.measures()
        },
    }


def _differences(made: Comparison, side: int) -> dict[str, Any]:
    """Of one side to the first."""
    found: dict[str, Any] = {}
    for measure in made.measures():
        if difference := made.difference(side, measure):
            numbers = {name: _rounded(value) for name, value in difference._asdict().items() if name != "pictures"}
            first, other = made.means(side, measure.name)
            found[measure.name] = numbers | {
                "first_mean": _rounded(first),
                "other_mean": _rounded(other),
                "pictures": difference.pictures,
                "verdict": verdict(measure, difference),
            }
    return {"label": made.runs[side].side.label, "minus": made.runs[0].side.label, "measures": found}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    written = outcome.written
    return {
        "prompt": written.prompt if written else "",
        "caption": written.caption if written else "",
        "model_tags": written.model_tags if written else (),
        "tags": sorted(outcome.tags) if outcome.tags is not None else None,
        "tokens": written.tokens if written else 0,
        "token_budget": written.budget if written else 0,
        "failure": outcome.failure,
        "message": outcome.message,
        "asked": outcome.asked,
        "seconds": _rounded(outcome.seconds),
        "scores": {name: _rounded(value) for name, value in outcome.scores.items()},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
