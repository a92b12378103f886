"""Whole prompts, to read: what a few analyses become for each family."""

from __future__ import annotations

import pytest
from img2prompt.prompts import ImageAnalysis, render
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR, SKETCH

GOLDEN = {}


@pytest.mark.parametrize(("name", "family"), GOLDEN)
def test_golden(name: str, family: str) -> None:
    examples: dict[str, ImageAnalysis] = {"cafe": CAFE, "harbour": HARBOUR, "duel": DUEL, "sketch": SKETCH}
    assert render(examples[name], family).positive == GOLDEN[name, family]
