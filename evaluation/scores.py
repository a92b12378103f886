"""What is measured on one picture: the measures' names, and one answer's values. `metrics.py` has the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .metrics import repeated, rouge_l, set_overlap, trigrams
from .references import Reference
from .tag_sets import TagSets

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of numbers. Its name is stable; the title is for people."""

    name: str
    title: str
    better: Better
    unit: Literal["", "s"] = ""
    by_picture: bool = True
    """Whether pictures differ by chance alone. The seconds of one run do not: the hour, and what else the machine does,
    are the same for all of them, so an interval over pictures would call any two runs different."""


MEASURES = (
    Measure("tag_f1", "tag F1", "higher"),
    Measure("tag_precision", "tag precision", "higher"),
    Measure("tag_recall", "tag recall", "higher"),
    Measure("caption_overlap", "caption overlap", "higher"),
    Measure("prompt_overlap", "prompt overlap", "higher"),
    Measure("repeated_words", "repeated words", "lower"),
    Measure("duplicate_tags", "duplicate tags", "lower"),
    Measure("budget_use", "budget use", "neither"),
    Measure("answered", "answered", "higher"),
    Measure("asked_again", "asked again", "lower"),
    Measure("seconds", "seconds a picture", "lower", "s", by_picture=False),
)
HEADLINES = ("tag_f1", "caption_overlap", "prompt_overlap")
"""By the first of them that was measured, pictures are sorted from worst to best."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one side wrote of one picture; "" and () where it did not."""

    prompt: str = ""
    caption: str = ""
    model_tags: tuple[str, ...] = ()
    """The model's own list, as it wrote it: a rendered prompt says nothing twice."""
    tokens: int = 0
    budget: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture on one side."""

    written: Written | None
    """None: no answer that could be used."""
    failure: str = ""
    """The kind of error, by its name."""
    message: str = ""
    asked: int = 0
    """How often the model was asked: 0 where the disk or no model answered, 2 for a second try."""
    seconds: float | None = None
    """From when the model was asked to its answer, beside others that it answered meanwhile; None where it was not."""
    tags: frozenset[str] | None = None
    """The tags of the prompt as they are compared; None where tags were not measured."""
    scores: dict[str, float] = field(default_factory=dict)
    """By the measures' names; what could not be measured is not there."""


def measured(
    reference: Reference, written: Written, tag_sets: TagSets, *, in_tags: bool, asked: int, seconds: float | None
) -> Outcome:
    """What an answer comes to: its texts compared with the reference. Raises PromptError for brackets that nest too
    deep."""
    scores = scores_of(reference, written, tag_sets, in_tags=in_tags) | _again(asked) | {"answered": 1.0}
    scores |= {} if seconds is None else {"seconds": seconds}
    tags = written_tags(written, tag_sets, in_tags=in_tags)
    return Outcome(written, asked=asked, seconds=seconds, tags=tags, scores=scores)


def lost(kind: str, message: str, asked: int) -> Outcome:
    """What no answer, or one that cannot be used, comes to."""
    return Outcome(None, kind, message, asked, scores=_again(asked) | {"answered": 0.0})


def _again(asked: int) -> dict[str, float]:
    return {"asked_again": float(asked > 1)} if asked else {}


def written_tags(written: Written, tag_sets: TagSets, *, in_tags: bool) -> frozenset[str] | None:
    """The tags of a prompt that is written `in_tags`; None for any other."""
    return tag_sets.tags(written.prompt) if in_tags and written.prompt else None


def reference_tags(reference: Reference, tag_sets: TagSets) -> frozenset[str]:
    """The tags that a picture should have: those told, or else what its known prompt has between commas."""
    return tag_sets.tags(*reference.tags) if reference.tags else tag_sets.tags(reference.prompt)


def scores_of(reference: Reference, written: Written, tag_sets: TagSets, *, in_tags: bool) -> dict[str, float]:
    """All measures of one answer that can be taken from texts alone."""
    found: dict[str, float] = {}
    ours, wanted = written_tags(written, tag_sets, in_tags=in_tags), reference_tags(reference, tag_sets)
    if ours is not None and wanted:
        overlap = set_overlap(ours, wanted)
        found |= {"tag_f1": overlap.f1, "tag_precision": overlap.precision, "tag_recall": overlap.recall}
    if reference.caption and written.caption:
        found["caption_overlap"] = rouge_l(written.caption, reference.caption).f1
    if reference.prompt and written.prompt:
        found["prompt_overlap"] = rouge_l(written.prompt, reference.prompt).f1
    if threes := trigrams(written.caption):
        found["repeated_words"] = repeated(threes)
    if keys := tag_sets.keys(*written.model_tags):
        found["duplicate_tags"] = repeated(keys)
    if written.budget:
        found["budget_use"] = written.tokens / written.budget
    return found
