"""What is asked to rate an analysis, and what becomes of the analysis."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2prompt.prompts import (
    AnalysisError,
    ImageAnalysis,
    Probabilities,
    PromptError,
    RatedAnalysis,
    analysis_request,
    check_threshold,
    confidence_request,
    mix,
    rated,
    read_analysis,
    render,
)
from img2prompt.prompts.closed import closed_analysis
from img2prompt.prompts.minors import shows_minor
from img2prompt.prompts.mix import Recipe
from img2prompt.tests.unit.prompts.examples import CAFE, analysis, subject
from img2prompt.tests.unit.prompts.strategies import analyses
from PIL import Image
from pydantic import ValidationError

PICTURE = Image.new("RGB", (64, 48))
WOMAN = analysis(
    caption="A woman in a red dress.",
    subjects=[
        subject(appearance=["red hair", "unknown"], clothing=["red dress"], action=["looking_at_viewer"]),
        subject(appearance=["Red Hair"], clothing=["straw hat"]),
    ],
    setting=["narrow alley", "masterpiece"],
    composition=["rule of thirds"],
    tags=["red-hair", "bench", "1girl", "(cat:1.2)", ""],
)
ASKED = ["red-hair", "bench", "(cat:1.2)", "narrow alley", "red dress", "looking at viewer", "straw hat"]


def phrases(found: ImageAnalysis) -> list[str]:
    """What is asked about, a question each."""
    return re.findall(r'"([^"\n]*)"\?$', confidence_request(PICTURE, found).instruction, re.MULTILINE)


def test_each_phrase_is_asked_about_once() -> None:
    request = confidence_request(PICTURE, WOMAN)
    assert phrases(WOMAN) == ASKED
    assert len(request.instruction.splitlines()) == len(ASKED)
    assert all("yes or no" in line for line in request.instruction.splitlines())
    assert (request.pictures, request.answer) == ((PICTURE,), Probabilities)


def test_what_is_unlikely_goes_and_every_number_stays() -> None:
    sure = {"bench": 0.9, "narrow alley": 0.5, "straw hat": 0.51, "looking at viewer": 1.0}
    found = rated(WOMAN, Probabilities(yes=[sure.get(one, 0.2) for one in ASKED]), 0.5)
    # what was not asked about stays: it says nothing, and no prompt has it
    assert (found.tags, found.setting) == (["bench", "1girl", ""], ["narrow alley", "masterpiece"])
    first, second = found.subjects
    assert (first.appearance, first.clothing, first.action) == (["unknown"], [], ["looking_at_viewer"])
    assert (second.appearance, second.clothing) == ([], ["straw hat"])
    assert (found.caption, found.composition) == (WOMAN.caption, WOMAN.composition)
    assert found.tag_confidence == {
        **{"red-hair": 0.2, "red hair": 0.2, "Red Hair": 0.2, "bench": 0.9, "(cat:1.2)": 0.2, "narrow alley": 0.5},
        **{"red dress": 0.2, "looking_at_viewer": 1.0, "straw hat": 0.51},
    }
    prompt = render(found, "sdxl").positive
    assert "bench" in prompt and "straw hat" in prompt
    assert "red" not in prompt


def test_without_a_threshold_nothing_goes() -> None:
    found = rated(WOMAN, Probabilities(yes=[0.0] * len(ASKED)))
    assert found.model_dump(exclude={"tag_confidence"}) == WOMAN.model_dump()
    assert render(found, "sdxl") == render(WOMAN, "sdxl")


def test_a_rated_analysis_is_written_read_and_mixed() -> None:
    found = rated(CAFE, Probabilities(yes=[0.25] * len(phrases(CAFE))), 0.2)
    assert read_analysis(found.model_dump_json()) == found
    assert isinstance(read_analysis(found.model_dump_json()), RatedAnalysis)
    assert type(read_analysis(CAFE.model_dump_json())) is ImageAnalysis
    again = rated(found, Probabilities(yes=[0.75] * len(phrases(found))), 0.5)
    assert set(again.tag_confidence.values()) == {0.75}
    assert type(mix(found, WOMAN, Recipe())) is ImageAnalysis  # its numbers were another picture's
    assert rated(WOMAN, Probabilities(yes=[1.0] * len(ASKED))).tags == WOMAN.tags


@pytest.mark.parametrize("wrong", [{"bench": 1.5}, {"bench": "sure"}, {"bench": None}, [0.5], 0.5])
def test_numbers_that_are_none_are_not_read(wrong: object) -> None:
    text = json.dumps(CAFE.model_dump(mode="json") | {"tag_confidence": wrong})
    with pytest.raises(AnalysisError, match="tag_confidence"):
        read_analysis(text)


def test_what_the_model_is_asked_for_has_no_such_field() -> None:
    assert analysis_request(PICTURE).answer is ImageAnalysis
    assert "tag_confidence" not in json.dumps(ImageAnalysis.model_json_schema())


def test_a_closed_vocabularys_analysis_is_rated_too() -> None:
    closed = closed_analysis().model_validate(analysis(tags=["long hair", "smile"]).model_dump())
    assert phrases(closed) == ["long hair", "smile"]
    found = rated(closed, Probabilities(yes=[0.9, 0.1]), 0.5)
    assert (found.tags, found.tag_confidence) == (["long hair"], {"long hair": 0.9, "smile": 0.1})


@given(found=analyses, random=st.randoms(use_true_random=False), threshold=st.floats(0, 1))
def test_whatever_a_model_writes(found: ImageAnalysis, random: Random, threshold: float) -> None:
    lines = confidence_request(PICTURE, found).instruction.splitlines()
    assert len(phrases(found)) == len(lines)  # nothing in a phrase ends its quotation or its line
    after = rated(found, Probabilities(yes=[random.random() for _ in lines]), threshold)
    assert shows_minor(after) == shows_minor(found)  # a child is never rated away
    assert read_analysis(after.model_dump_json()) == after
    assert {one.casefold() for one in after.tags} <= {one.casefold() for one in found.tags}


CHILD = ["little girl", "school uniform", "schoolgirl", "5 years old", "park"]


def test_a_child_is_never_rated_away() -> None:
    found = rated(analysis(tags=CHILD), Probabilities(yes=[0.0] * len(CHILD)), 1.0)
    assert found.tags == ["little girl", "schoolgirl", "5 years old"]
    assert shows_minor(found)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), 50])
def test_a_threshold_is_a_probability(value: float) -> None:
    with pytest.raises(PromptError, match=r"must be from 0 to 1, not .*; 0 turns it off"):
        check_threshold(value)


@pytest.mark.parametrize("value", [0, 0.35, 1])
def test_these_are(value: float) -> None:
    assert check_threshold(value) == value


@pytest.mark.parametrize("wrong", [{"yes": [1.01]}, {"yes": [float("nan")]}, {"yes": None}, {}, {"yes": [], "no": []}])
def test_an_answer_is_probabilities(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Probabilities.model_validate(wrong)
