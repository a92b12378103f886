"""A result that was saved, as a side of another comparison, so that models can be compared of which the GPU holds one.

The saved texts are measured again with the references of now, as those of the other sides are, so corrected references
and other compared families favour nobody. What must be the same are the pictures, by their digests. Asks nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from ..prompts.errors import PromptError
from ..prompts.families import Family
from .comparison import LETTERS
from .contenders import OWN, Asking, Side, pairs
from .document import KIND, VERSION
from .errors import BadComparison
from .references import Reference
from .run import Run
from .scores import Outcome, Written, lost, measured
from .tag_sets import TagSets

Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class _Outcome(BaseModel):
    """As `document.py` writes it; what can be measured again is not read."""

    prompt: str
    caption: str
    model_tags: tuple[str, ...]
    tokens: Count
    token_budget: Count
    failure: str
    message: str
    asked: Count
    seconds: Number | None


class _Known(BaseModel):
    tags: tuple[str, ...]
    prompt: str
    caption: str


class _Result(BaseModel):
    image: str
    digest: str
    reference: _Known
    sides: tuple[_Outcome, ...]


class _Side(BaseModel):
    label: str
    engine: str
    model: str
    asked: Asking
    temperature: float | None
    max_pixels: Count
    precision: str
    max_in_flight: Count
    wall_s: Number
    pictures: Count


class _Document(BaseModel):
    sides: Annotated[tuple[_Side, ...], Field(min_length=1)]
    results: tuple[_Result, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """One side of a saved result."""

    side: Side
    named: str
    """The file, for messages."""
    told: _Side
    results: tuple[_Result, ...]
    column: int
    """Which of each result's sides it is."""

    @property
    def family(self) -> Family:
        return self.side.family

    def places(self, references: Sequence[Reference]) -> list[int | None]:
        """For each picture, which result is its; None where there is none. One result is one picture's: of pictures
        that are there twice, those of one name belong together first."""
        left: dict[str, list[int]] = {}
        for place, result in enumerate(self.results):
            if result.digest:
                left.setdefault(result.digest, []).append(place)
        found: list[int | None] = [None] * len(references)
        for same_name in (True, False):
            for index, reference in enumerate(references):
                there = left.get(reference.digest, []) if found[index] is None else []
                names = [place for place in there if not same_name or self.results[place].image == reference.name]
                if names:
                    there.remove(names[0])
                    found[index] = names[0]
        return found

    def run(self, references: Sequence[Reference], tag_sets: TagSets) -> Run:
        """What it made of these pictures, all of which it has, measured now. Raises BadComparison."""
        in_tags = self.side.family.form == "tags"
        outcomes: list[Outcome] = []
        for reference, place in zip(references, self.places(references), strict=True):
            assert place is not None
            outcome = self.results[place].sides[self.column]
            try:
                outcomes.append(_again(outcome, partial(measured, reference, tag_sets=tag_sets, in_tags=in_tags)))
            except PromptError as error:
                raise BadComparison(f"{self.named}, {self.results[place].image}: {error}") from error
        told = self.told
        return Run(self.side, told.engine, told.model, "", tuple(outcomes), told.wall_s, told.pictures)


def _again(told: _Outcome, measure: Callable[..., Outcome]) -> Outcome:
    if told.failure:
        return lost(told.failure, told.message, told.asked)
    written = Written(told.prompt, told.caption, told.model_tags, told.tokens, told.token_budget)
    return measure(written, asked=told.asked, seconds=told.seconds)


def read_saved(text: str) -> Saved | None:
    """The side that `saved=FILE` or `saved=FILE side=LETTER` names; None for what names none. Raises BadComparison."""
    wanted = pairs(text)
    if "saved" not in wanted:
        return None
    if more := wanted.keys() - {"saved", "side"}:
        raise BadComparison(
            f"A saved result stands alone: it was asked already, so {sorted(more)[0]} cannot change it."
        )
    file = Path(wanted["saved"])
    document = _document(file)
    column = _column(document, wanted.get("side", ""), file)
    told = document.sides[column]
    label = text.strip() if told.label == OWN else f"{text.strip()} ({told.label})"
    side = Side(label, told.asked, told.temperature, told.max_pixels, told.precision, told.max_in_flight)
    try:
        _ = side.family
    except PromptError as error:
        raise BadComparison(f"{file} holds prompts for a family that is not here: {error}") from error
    return Saved(side, str(file), told, document.results, column)


def _document(file: Path) -> _Document:
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadComparison(f"{file} cannot be read ({error.strerror}); check the path.") from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one
        raise BadComparison(
            f"{file} is damaged, or no saved result (not JSON: {error}); save one with --save."
        ) from error
    if not isinstance(found, dict) or not {"sides", "results"} <= found.keys():
        raise BadComparison(f"{file} is no result of an evaluation; save one with --save.")
    _check_version(found, file)
    try:
        document = _Document.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BadComparison(f"{file} is damaged ({place}: {first['msg']}); save the result once more.") from error
    for result in document.results:
        if len(result.sides) != len(document.sides):
            raise BadComparison(f"{file} is damaged ({result.image} lacks a side); save the result once more.")
    return document


def _check_version(found: dict[str, Any], file: Path) -> None:
    version = found.get("version", 0)
    if found.get("kind", KIND) != KIND or not isinstance(version, int):
        raise BadComparison(f"{file} is no result of an evaluation; save one with --save.")
    if version < VERSION:
        raise BadComparison(
            f"{file} was written by an older img2prompt, and lacks what a comparison needs; measure again, with --save."
        )
    if version > VERSION:
        raise BadComparison(f"{file} was written by a newer img2prompt; update this one.")


def _column(document: _Document, letter: str, file: Path) -> int:
    """Which side is meant."""
    letters = LETTERS[: len(document.sides)]
    if len(letters) == 1 and not letter:
        return 0
    if len(letter) != 1 or letter.upper() not in letters:
        there = ", ".join(f"side={name} ({side.label})" for name, side in zip(letters, document.sides, strict=False))
        raise BadComparison(f"{file} holds {len(letters)} side{'s' * (len(letters) > 1)}; say which: {there}.")
    return letters.index(letter.upper())


def in_common(references: Sequence[Reference], saved: Sequence[Saved]) -> tuple[list[Reference], list[str]]:
    """The pictures that every saved side has, and what is to be said of the others, a line each. A picture that one
    side lacks would make that side look better or worse on no ground, so it is left out of all before anybody is asked.

    Raises BadComparison where nothing is left.
    """
    places = [one.places(references) for one in saved]
    kept = [index for index in range(len(references)) if all(found[index] is not None for found in places)]
    said = [line for one, found in zip(saved, places, strict=True) for line in _said(one, references, found)]
    said = list(dict.fromkeys(said))  # two sides may be of one file
    if not kept:
        raise BadComparison(" ".join(["No picture is common to the references and what was saved.", *said]))
    return [references[index] for index in kept], said


def _said(one: Saved, references: Sequence[Reference], places: Sequence[int | None]) -> list[str]:
    """What differs between the references and one saved side."""
    lines: list[str] = []
    lacking = [reference.name for reference, place in zip(references, places, strict=True) if place is None]
    if lacking:
        old = {result.image for result in one.results}
        changed = [name for name in lacking if name in old]
        why = f"; {len(changed)} of them changed since, such as {changed[0]}" if changed else ""
        lines.append(
            f"{one.named} lacks {len(lacking)} of {len(references)} pictures, such as {lacking[0]}{why}. They are left "
            "out on every side."
        )
    corrected = [
        reference.name
        for reference, place in zip(references, places, strict=True)
        if place is not None and not _same(reference, one.results[place].reference)
    ]
    if corrected:
        lines.append(
            f"What is known of {len(corrected)} of {len(references)} pictures, such as {corrected[0]}, changed since "
            f"{one.named} was saved; all sides are measured by what is known now."
        )
    return lines


def _same(reference: Reference, known: _Known) -> bool:
    return (reference.tags, reference.prompt, reference.caption) == (known.tags, known.prompt, known.caption)
