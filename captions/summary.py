"""How far a run is, and what it has done."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that has no caption."""

    name: str
    why: str
    """One sentence: the cause and the next step."""


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    done: int = 0
    """Pictures that this run has written, embedded ones among them. What a part of a Parquet table gathers is counted
    here, and taken back where it cannot be written."""
    embedded: int = 0
    """Of these, the ones whose own prompt was taken."""
    skipped: int = 0
    """Pictures that every output had already."""
    failed: int = 0
    lost: int = 0
    """Pictures that were answered and could not be written after all; 0 in a run that came to its end."""


@dataclass(slots=True)
class Summary(Progress):
    """What a run has done."""

    failures: list[Failure] = field(default_factory=list)
    """The first of them (run.py's MOST_TOLD)."""
    seconds: float = 0.0
    model: str = ""
    """Who was asked; "" where nobody was."""

    @property
    def pictures_per_s(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0

    def price(self, per_hour: float) -> float:
        """What 1,000 pictures cost on a machine that costs so much an hour; 0 where none was done."""
        return per_hour * self.seconds / 3600 * 1000 / self.done if self.done else 0.0

    def __str__(self) -> str:
        skipped = f", {self.skipped:,} were there already" if self.skipped else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.done:,} pictures in {self.seconds:,.1f} s ({self.pictures_per_s:.2f} a second){skipped}{failed}"
