"""`img2prompt prompt --min-confidence`: a second look at each tag, at a server that sees the pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from img2prompt.prompts import RatedAnalysis
from img2prompt.tests.seeing_reads import FITS, FITS_NOT
from img2prompt.tests.unit.cli.conftest import Img2Prompt
from img2prompt.tests.unit.prompts.examples import analysis

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
TOLD = [{"content": analysis(tags=["red center", "blue sky", "white border"]).model_dump_json()}]


def test_the_unlikely_is_left_out_and_told(img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]) -> None:
    endpoint.control.script = list(TOLD)
    ended = img2prompt("prompt", seen["red"], "--min-confidence", 0.5, "--format", "json")
    (row,) = json.loads(ended.out)
    found = RatedAnalysis.model_validate(row["analysis"])
    assert found.tag_confidence == {
        "red center": pytest.approx(FITS),
        "blue sky": pytest.approx(FITS_NOT),
        "white border": pytest.approx(FITS),
    }
    assert found.tags == ["red center", "white border"]
    assert "red center" in row["prompt"] and "blue sky" not in row["prompt"]


def test_each_picture_is_asked_about_its_own_tags(img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]) -> None:
    ended = img2prompt("prompt", *seen.values(), "--min-confidence", 0.5, "--format", "json")
    for color, row in zip(seen, json.loads(ended.out), strict=True):
        assert row["analysis"]["tag_confidence"][f"{color} center"] == pytest.approx(FITS)


def test_the_tags_of_a_picture_are_asked_about_right_after_it_was_looked_at(
    img2prompt: Img2Prompt, endpoint, seen: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has it at hand then."""
    monkeypatch.setenv("IMG2PROMPT_MAX_IN_FLIGHT", "1")
    pictures = [seen[color] for color in ("red", "green", "blue", "red", "green", "blue")]
    assert img2prompt("prompt", *pictures, "--min-confidence", 0.5).code == 0
    is_look = ["response_format" in payload for payload in endpoint.counts.payloads]
    assert (is_look.count(True), is_look.count(False)) == (6, 4 + 6 * 2)
    last_look = len(is_look) - 1 - is_look[::-1].index(True)
    assert is_look[:last_look].count(False) > 6


def test_without_it_nothing_is_asked(img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]) -> None:
    endpoint.control.script = list(TOLD)
    (row,) = json.loads(img2prompt("prompt", seen["red"], "--format", "json").out)
    assert "tag_confidence" not in row["analysis"] and "blue sky" in row["prompt"]
    assert endpoint.counts.requests == 1


@pytest.mark.parametrize("value", [1.5, -1, "nan"])
def test_what_is_no_probability_asks_nobody(
    value: Any, img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]
) -> None:
    ended = img2prompt("prompt", seen["red"], f"--min-confidence={value}")
    assert (ended.code, ended.out) == (2, "")
    assert "must be from 0 to 1" in ended.err
    assert endpoint.counts.requests == 0


def test_the_sketch_cannot(img2prompt: Img2Prompt) -> None:
    ended = img2prompt("prompt", EXAMPLES / "coffee.jpg", "--min-confidence", 0.5)
    assert (ended.code, ended.out) == (1, "")
    assert "has no model that could say how sure it is" in ended.err
