"""An evaluation's figures as words and numbers to read, for a terminal and for the page."""

from __future__ import annotations

from typing import NamedTuple

from .comparison import LETTERS, Comparison, verdict
from .scores import Measure

NOTHING = "–"
NOT_COMPARED = "Tags are compared for families that are written in tags only; {family} is prose."


class Cells(NamedTuple):
    """One measure of two sides, or of one alone."""

    title: str
    first: str
    other: str
    difference: str
    """With its interval."""
    verdict: str


def rows(made: Comparison, side: int) -> list[Cells]:
    """A row for each measure; with `side` 0 the first side alone."""
    return [_cells(made, side, measure) for measure in made.measures()]


def _cells(made: Comparison, side: int, measure: Measure) -> Cells:
    if not side:
        return Cells(measure.title, number(made.mean(0, measure.name), measure), "", "", "")
    first, other = (number(value, measure) for value in made.means(side, measure.name))
    difference = made.difference(side, measure)
    if difference is None:
        return Cells(measure.title, first, other, NOTHING, "")
    mean, low, high = (f"{value:+.3f}" for value in difference[:3])
    return Cells(measure.title, first, other, f"{mean} [{low}, {high}]", verdict(measure, difference))


def number(value: float | None, measure: Measure) -> str:
    """A value with three decimals, and its unit."""
    return NOTHING if value is None else f"{value:.3f}{f' {measure.unit}' if measure.unit else ''}"


def side_line(made: Comparison, side: int) -> str:
    """Which side a letter stands for, who answered, and how long all of it took."""
    run = made.runs[side]
    asking = run.side.asking
    what = f"text preset {asking.preset}" if asking.preset else f"prompts for {asking.family}"
    rate = f", {run.pictures_per_s:.2f} pictures/s" if run.pictures_per_s else ""
    model = f"{run.model} ({run.engine})" if run.model else f"the {run.engine} engine"
    return plain(f"{LETTERS[side]} = {run.side.label}: {model}, {what}; {run.wall_s:.1f} s{rate}")


def notes(made: Comparison) -> list[str]:
    """What else a reader should know, a line each."""
    found = [
        f"{LETTERS[side]}: {count} of {len(run.outcomes)} failed with {kind}, as: {_message(run.outcomes, kind)}"
        for side, run in enumerate(made.runs)
        for kind, count in run.failures.items()
    ]
    families = [run.side.family for run in made.runs]
    prose = {family.title for family in families if family.form != "tags"}
    if any(reference.tags for reference in made.references):
        found += [NOT_COMPARED.format(family=family) for family in sorted(prose)]
    for side, run in enumerate(made.runs):
        kept = sum(1 for outcome in run.outcomes if outcome.written and not outcome.asked)
        if kept and run.engine != "sketch":
            found.append(f"{LETTERS[side]}: {kept} answers were kept on disk and have no seconds.")
    for side in range(1, len(made.runs)):
        found += _one_sided(made, side)
    if repeated := _repeated(made):
        found.append(f"Lines that name a picture which stands before: {repeated}; intervals count it as one picture.")
    found += made.remarks
    if len(made.runs) > 1:
        found.append(
            "Differences are means over the same pictures, with 95 % bootstrap intervals; unclear: 0 is within."
        )
    return [plain(line) for line in found]


def _one_sided(made: Comparison, side: int) -> list[str]:
    """What an answer that one side alone has does to a comparison."""
    first, other = (len(pictures) for pictures in made.one_sided(side))
    if not first and not other:
        return []
    letter, headline = LETTERS[side], made.headline()
    line = f"Answered by A alone: {first}, by {letter} alone: {other}; no row of both but answered counts these."
    zeros = made.means_with_zeros(side, headline.name) if headline else None
    if headline and zeros:
        line += (
            f" If a failure counted as 0, {headline.title} were {zeros[0]:.3f} for A and {zeros[1]:.3f} for {letter}."
        )
    return [line]


def _repeated(made: Comparison) -> int:
    digests = [reference.digest for reference in made.references if reference.digest]
    return len(digests) - len(set(digests))


def plain(text: str) -> str:
    """Text on one line that a terminal does not act on, and that can be written: what nobody sees becomes a space."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _message(outcomes: tuple, kind: str) -> str:
    return next(outcome.message for outcome in outcomes if outcome.failure == kind)
