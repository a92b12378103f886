"""What is made of the outcomes of several sides: means, differences, orders, and the document."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from img2prompt.evaluation.comparison import Comparison, verdict
from img2prompt.evaluation.document import as_json
from img2prompt.evaluation.lines import notes, rows, side_line
from img2prompt.evaluation.metrics import Difference
from img2prompt.evaluation.scores import MEASURES
from img2prompt.tests.unit.evaluation.sides import answered, failed, pictures, ran

BY_NAME = {measure.name: measure for measure in MEASURES}


@pytest.fixture
def made(tmp_path: Path) -> Comparison:
    """Of five pictures A lost one, B another."""
    first = ran([answered(0.1), answered(0.5), answered(0.3), failed(), answered(0.9)])
    other = ran([answered(0.3), answered(0.4), failed(), answered(1.0), answered(1.0)], "model=b", wall_s=2.0)
    return Comparison(pictures(tmp_path, 5), [first, other])


def test_means_are_of_what_was_measured(made: Comparison) -> None:
    assert made.mean(0, "tag_f1") == pytest.approx((0.1 + 0.5 + 0.3 + 0.9) / 4)
    assert made.mean(0, "answered") == 0.8
    assert made.mean(0, "prompt_overlap") is None
    assert [measure.name for measure in made.measures()] == ["tag_f1", "answered", "asked_again", "seconds"]


def test_differences_are_of_the_pictures_that_both_have(made: Comparison) -> None:
    found = made.difference(1, BY_NAME["tag_f1"])
    assert found and found.pictures == 3
    assert found.mean == pytest.approx((0.2 - 0.1 + 0.1) / 3)
    assert found.low <= found.mean <= found.high
    validity = made.difference(1, BY_NAME["answered"])
    assert validity and (validity.pictures, validity.mean) == (5, 0)
    assert made.difference(1, BY_NAME["prompt_overlap"]) is None


def test_pictures_are_in_order_from_the_worst(made: Comparison) -> None:
    assert made.order() == [0, 2, 1, 4]
    assert made.order(1) == [1, 4, 0]  # loses 0.1, gains 0.1, gains 0.2


def test_two_runs_are_not_told_apart_by_their_seconds(tmp_path: Path) -> None:
    """All pictures of a slow hour are slow: an interval over pictures would take that for the engine's doing."""
    first, other = [answered(0.5)] * 9, [answered(0.5, seconds=3.0)] * 9
    made = Comparison(pictures(tmp_path, 9), [ran(first), ran(other)])
    assert made.difference(1, BY_NAME["seconds"]) is None
    assert "seconds" not in as_json(made, "")["differences"][0]["measures"]
    assert (made.mean(0, "seconds"), made.mean(1, "seconds")) == (2, 3)


@pytest.mark.parametrize(
    ("measure", "low", "high", "word"),
    [
        ("tag_f1", 0.1, 0.2, "better"),
        ("tag_f1", -0.2, -0.1, "worse"),
        ("tag_f1", -0.1, 0.2, "unclear"),
        ("tag_f1", 0.0, 0.2, "unclear"),
        ("tag_f1", 0.0, 0.0, "same"),
        ("asked_again", 0.1, 0.2, "worse"),
        ("asked_again", -0.2, -0.1, "better"),
        ("duplicate_tags", 0.1, 0.2, "worse"),
        ("budget_use", 0.1, 0.2, "more"),
        ("budget_use", -0.2, -0.1, "less"),
    ],
)
def test_a_difference_in_a_word(measure: str, low: float, high: float, word: str) -> None:
    assert verdict(BY_NAME[measure], Difference((low + high) / 2, low, high, 9)) == word


def test_the_document_tells_everything(made: Comparison) -> None:
    document = json.loads(json.dumps(as_json(made, "mine.jsonl"), allow_nan=False))
    assert document.keys() == {
        *("kind", "version", "references", "pictures", "remarks", "bootstrap", "sides", "differences", "results"),
    }
    own, other = document["sides"]
    assert (own["label"], own["model"], own["asked"]["family"]) == ("own settings", "model-x", "sdxl")
    assert (own["failures"], own["wall_s"], own["pictures_per_s"], other["pictures_per_s"]) == (
        *({"BadAnswer": 1}, 4.0, 1.25, 2.5),
    )
    assert own["measures"]["tag_f1"] == {"mean": 0.45, "pictures": 4}
    (difference,) = document["differences"]
    assert (difference["label"], difference["minus"]) == ("model=b", "own settings")
    assert difference["measures"]["tag_f1"].keys() == {
        *("first_mean", "other_mean", "mean", "low", "high", "pictures", "verdict"),
    }
    assert [row["image"] for row in document["results"]] == [f"{number}.png" for number in range(5)]
    lost = document["results"][3]["sides"][0]
    assert (lost["failure"], lost["prompt"], lost["tags"]) == ("BadAnswer", "", None)
    assert document["results"][0]["sides"][1]["scores"]["tag_f1"] == 0.3
    assert "secret-key" not in json.dumps(document)
    assert as_json(made, "mine.jsonl") == as_json(made, "mine.jsonl"), "the bootstrap is seeded"


def test_lines_to_read(made: Comparison) -> None:
    assert rows(made, 0)[0] == ("tag F1", "0.450", "", "", "")
    title, first, other, difference, word = rows(made, 1)[0]
    assert (title, first, other, word) == ("tag F1", "0.500", "0.567", "unclear"), "of the three that both have"
    assert difference.startswith("+0.067 [-0.100, +0.200]")
    assert rows(made, 1)[-1] == ("seconds a picture", "2.000 s", "2.000 s", "–", "")
    assert side_line(made, 1) == "B = model=b: model-x (endpoint), prompts for sdxl; 2.0 s, 2.50 pictures/s"
    assert notes(made)[0] == "A: 1 of 5 failed with BadAnswer, as: The answer is not JSON."


def test_who_fails_at_hard_pictures_does_not_look_better(tmp_path: Path) -> None:
    """Both answer alike, but B fails where A is at its worst."""
    first = [answered(0.1), answered(0.1), answered(0.9), answered(0.8)]
    other = [failed(), failed(), answered(0.9), answered(0.8)]
    made = Comparison(pictures(tmp_path, 4), [ran(first), ran(other)])
    row = next(row for row in rows(made, 1) if row.title == "tag F1")
    assert (row.first, row.other, row.verdict) == ("0.850", "0.850", "same")
    assert next(row.verdict for row in rows(made, 1) if row.title == "answered") == "unclear"
    assert (
        "Answered by A alone: 2, by B alone: 0; no row of both but answered counts these. If a failure counted as 0, "
        "tag F1 were 0.475 for A and 0.425 for B."
    ) in notes(made)
    assert made.means_with_zeros(1, "tag_f1") == pytest.approx((0.475, 0.425))
    turned = Comparison(made.references, made.runs[::-1])
    assert turned.means_with_zeros(1, "tag_f1") == pytest.approx((0.425, 0.475))
    document = as_json(made, "")["differences"][0]["measures"]["tag_f1"]
    assert (document["first_mean"], document["other_mean"], document["mean"]) == (0.85, 0.85, 0)


def test_a_picture_that_is_there_many_times_is_one(tmp_path: Path) -> None:
    known = [replace(one, digest="same" if number else "other") for number, one in enumerate(pictures(tmp_path, 9))]
    first, other = [answered(0.5)] * 9, [answered(0.5), *[answered(0.6)] * 8]
    made = Comparison(known, [ran(first), ran(other)])
    found = made.difference(1, BY_NAME["tag_f1"])
    assert found and (found.pictures, found.low, found.high) == (2, 0, pytest.approx(0.1))
    assert found.mean == pytest.approx(0.8 / 9)
    assert "Lines that name a picture which stands before: 7; intervals count it as one picture." in notes(made)
    alone = Comparison(known[1:], [ran(first[1:]), ran(other[1:])])
    assert alone.difference(1, BY_NAME["tag_f1"]) is None


def test_a_terminal_does_not_act_on_foreign_words(tmp_path: Path) -> None:
    side = ran([failed("\x1b[2J\x07It\nbroke.\u202e\udcff")], "model=\x1b]0;x\x07")
    made = Comparison(pictures(tmp_path, 1), [side])
    lines = [side_line(made, 0), *notes(made)]
    assert all(line.isprintable() for line in lines)
    assert "A = own" not in lines[0] and "[2J It broke." in lines[1]


def test_one_picture_has_no_interval_and_prose_no_tags(tmp_path: Path) -> None:
    made = Comparison(pictures(tmp_path, 1), [ran([answered(0.5)]), ran([answered(0.6)], "family=flux1", "flux1")])
    assert rows(made, 1)[0][2:] == ("0.600", "–", "")
    assert as_json(made, "")["differences"][0]["measures"] == {}
    assert any("FLUX.1 is prose" in note for note in notes(made))
