"""The figures of a whole evaluation: each side's means, and how far the others are from the first, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from .metrics import Difference, mean, paired_difference
from .references import Reference
from .run import Run
from .scores import HEADLINES, MEASURES, Measure

Verdict = Literal["better", "worse", "more", "less", "unclear", "same"]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_SIDES = len(LETTERS)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured: `runs[0]` is the side that the others are compared with."""

    references: Sequence[Reference]
    runs: Sequence[Run]
    seed: int = 0
    """Of the bootstrap."""
    remarks: Sequence[str] = field(default_factory=tuple)
    """What else is to be known of the pictures, a line each."""

    def values(self, side: int, name: str) -> dict[int, float]:
        """A measure's values on one side, by the pictures' indices; only those that it could be taken of."""
        outcomes = self.runs[side].outcomes
        return {index: one.scores[name] for index, one in enumerate(outcomes) if name in one.scores}

    def mean(self, side: int, name: str) -> float | None:
        values = self.values(side, name)
        return mean(list(values.values())) if values else None

    def means(self, side: int, name: str) -> tuple[float | None, float | None]:
        """The first side's and that one's, of the pictures that both have, as `difference` has them: who fails at hard
        pictures would look good beside who does not. Where there are none, each side's own."""
        first, other = self.values(0, name), self.values(side, name)
        both = first.keys() & other.keys()
        if not both:
            return self.mean(0, name), self.mean(side, name)
        return mean([first[index] for index in both]), mean([other[index] for index in both])

    def measures(self) -> list[Measure]:
        """Those that were taken of any picture, on any side."""
        return [one for one in MEASURES if any(self.values(side, one.name) for side in range(len(self.runs)))]

    def difference(self, side: int, measure: Measure) -> Difference | None:
        """That side's minus the first's, of the pictures that both were measured on; None for fewer than two, and for
        what does not differ picture by picture. A picture that is there more than once is drawn as one."""
        if not measure.by_picture:
            return None
        first, other = self.values(0, measure.name), self.values(side, measure.name)
        both = sorted(first.keys() & other.keys())
        pictures = [self.references[index].digest or index for index in both]
        return paired_difference(
            [first[index] for index in both], [other[index] for index in both], self.seed, pictures
        )

    def one_sided(self, side: int) -> tuple[list[int], list[int]]:
        """The pictures that the first side alone got an answer for, and those that the other alone did."""
        got = [{index for index, one in enumerate(self.runs[one].outcomes) if one.written} for one in (0, side)]
        return sorted(got[0] - got[1]), sorted(got[1] - got[0])

    def means_with_zeros(self, side: int, name: str) -> tuple[float, float] | None:
        """As `means`, but that a picture which one side failed at counts with 0 on it. None where nothing is left."""
        first, other = self.values(0, name), self.values(side, name)
        only_first, only_other = self.one_sided(side)
        every = (first.keys() & other.keys()) | (first.keys() & set(only_first)) | (other.keys() & set(only_other))
        if not every:
            return None
        return mean([first.get(index, 0) for index in every]), mean([other.get(index, 0) for index in every])

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
