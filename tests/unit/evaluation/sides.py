"""Runs as they could have been, without an engine: for what is computed and shown afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from img2prompt.engine import Settings
from img2prompt.evaluation.contenders import Asking, Contender
from img2prompt.evaluation.references import Reference
from img2prompt.evaluation.run import Run
from img2prompt.evaluation.scores import Outcome, Written
from img2prompt.tests.seeing import draw
from pydantic import SecretStr


def pictures(folder: Path, count: int) -> list[Reference]:
    """So many, each with tags and a caption."""
    found = []
    for number in range(count):
        file = folder / f"{number}.png"
        draw("red" if number % 2 else "blue").save(file)
        found.append(Reference(file.name, file, ("sky", "tree"), caption=f"Picture {number}."))
    return found


def answered(f1: float, **scores: float) -> Outcome:
    written = Written("sky, bench", "A sky.", ("sky", "bench"), 3, 75)
    every = {"tag_f1": f1, "answered": 1.0, "asked_again": 0.0, "seconds": 2.0, **scores}
    return Outcome(written, asked=1, seconds=2.0, tags=frozenset({"sky", "bench"}), scores=every)


def failed(message: str = "The answer is not JSON.", kind: str = "BadAnswer") -> Outcome:
    return Outcome(None, kind, message, 1, scores={"answered": 0.0, "asked_again": 0.0})


def ran(outcomes: Sequence[Outcome], label: str = "own settings", family: str = "sdxl", wall_s: float = 4.0) -> Run:
    contender = Contender(
        label, Settings(endpoint="http://127.0.0.1:9/v1", api_key=SecretStr("secret-key")), Asking(family)
    )
    return Run(contender.side, "endpoint", "model-x", "vLLM serves model-x.", tuple(outcomes), wall_s, len(outcomes))
