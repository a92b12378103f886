"""The figures of a whole evaluation: each side's means, and how far the others are from the first, with intervals.

`as_json` is stable: keys are added, never renamed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .metrics import RESAMPLES, SHARE_WITHIN, Difference, mean, paired_difference
from .references import Reference
from .run import Run
from .scores import HEADLINES, MEASURES, Measure, Outcome

Verdict = Literal["better", "worse", "more", "less", "unclear", "same"]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_SIDES = len(LETTERS)
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured: `runs[0]` is the side that the others are compared with."""

    references: Sequence[Reference]
    runs: Sequence[Run]
    seed: int = 0
    """Of the bootstrap."""

    def values(self, side: int, name: str) -> dict[int, float]:
        """A measure's values on one side, by the pictures' indices; only those that it could be taken of."""
        outcomes = self.runs[side].outcomes
        return {index: one.scores[name] for index, one in enumerate(outcomes) if name in one.scores}

    def mean(self, side: int, name: str) -> float | None:
        values = self.values(side, name)
        return mean(list(values.values())) if values else None

    def measures(self) -> list[Measure]:
        """Those that were taken of any picture, on any side."""
        return [one for one in MEASURES if any(self.values(side, one.name) for side in range(len(self.runs)))]

    def difference(self, side: int, measure: Measure) -> Difference | None:
        """That side's minus the first's, of the pictures that both were measured on; None for fewer than two, and for
        what does not differ picture by picture."""
        if not measure.by_picture:
            return None
        first, other = self.values(0, measure.name), self.values(side, measure.name)
        both = sorted(first.keys() & other.keys())
        return paired_difference([first[index] for index in both], [other[index] for index in both], self.seed)

    def headline(self) -> Measure | None:
        """The measure that pictures are sorted by; None where no reference could be compared with anything."""
        taken = {one.name: one for one in self.measures()}
        return next((taken[name] for name in HEADLINES if name in taken), None)

    def order(self, side: int = 0) -> list[int]:
        """The pictures that have the headline measure, worst first: by its value on the first side, or, for another
        `side`, by how much it gains over the first."""
        headline = self.headline()
        if headline is None:
            return []
        own, values = self.values(0, headline.name), self.values(side, headline.name)
        keys = {index: value - own[index] if side else value for index, value in values.items() if index in own}
        return sorted(keys, key=lambda index: (keys[index], index))


def verdict(measure: Measure, difference: Difference) -> Verdict:
    """What a difference means, in a word."""
    if difference.mean == difference.low == difference.high == 0:
        return "same"
    if not difference.clear:
        return "unclear"
    if measure.better == "neither":
        return "more" if difference.mean > 0 else "less"
    return "better" if (difference.mean > 0) == (measure.better == "higher") else "worse"


def as_json(made: Comparison, source: str) -> dict[str, Any]:
    """Everything that was measured, as one document. `source`: the references' file."""
    return {
        "references": source,
        "pictures": len(made.references),
        "bootstrap": {"resamples": RESAMPLES, "share_within": SHARE_WITHIN, "seed": made.seed, "paired_by": "picture"},
        "sides": [_side(made, side) for side in range(len(made.runs))],
        "differences": [_differences(made, side) for side in range(1, len(made.runs))],
        "results": [
            {"image": reference.name, "sides": [_outcome(run.outcomes[index]) for run in made.runs]}
            for index, reference in enumerate(made.references)
        ],
    }


def _side(made: Comparison, side: int) -> dict[str, Any]:
    run = made.runs[side]
    settings = run.contender.settings
    return {
        "label": run.contender.label,
        "engine": run.engine,
        "model": run.model,
        "asked": asdict(run.contender.asking),
        "temperature": settings.temperature,
        "max_pixels": settings.max_pixels,
        "wall_s": round(run.wall_s, 3),
        "pictures_per_s": round(len(run.outcomes) / run.wall_s, 3) if run.wall_s else None,
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
            found[measure.name] = numbers | {
                "pictures": difference.pictures,
                "verdict": verdict(measure, difference),
            }
    return {"label": made.runs[side].contender.label, "minus": made.runs[0].contender.label, "measures": found}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    written = outcome.written
    return {
        "prompt": written.prompt if written else "",
        "caption": written.caption if written else "",
        "tags": sorted(outcome.tags) if outcome.tags is not None else None,
        "tokens": written.tokens if written else 0,
        "token_budget": written.budget if written else 0,
        "failure": outcome.failure,
        "message": outcome.message,
        "asked": outcome.asked,
        "scores": {name: _rounded(value) for name, value in outcome.scores.items()},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
