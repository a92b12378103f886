"""With a child in the picture no adult wording gets out; without one nothing is withheld."""

from __future__ import annotations

import re
from typing import Any

import pytest
from img2prompt.prompts import PromptError, RenderOptions, render
from img2prompt.tests.unit.prompts.examples import analysis, style, subject

FAMILIES = ("sdxl", "flux1")


CHILD_SIGNS = [
    {"subjects": [subject(age="child")]},
    {"subjects": [subject(age="adult"), subject(age="teen", gender="male")]},
    {"caption": "Two kids at a lake."},
    {"tags": ["school_girl"]},
    {"tags": ["chi\u200bld"]},
    {"setting": ["14 years old"]},
    {"subjects": [subject(appearance=["14-year-old"])]},
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sign", CHILD_SIGNS)
def test_with_a_child_no_adult_wording_gets_out(family: str, sign: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"rating": "explicit", "tags": [], "caption": ""} | sign
    fields["tags"] = [*fields["tags"], "nude", "sexy_pose", "see-through dress", "tree"]
    fields["caption"] += " A naked figure, cleavage shown, stands by a tree. She is topless."
    fields["style"] = style(technique=["erotic art", "pencil"], mood=["sensual", "calm"])
    found = render(analysis(**fields), family)
    everything = f"{found.positive} {found.style} {found.caption}".lower()
    assert not re.search(r"nude|naked|sexy|see.through|cleavage|topless|erotic|sensual|explicit", everything)
    assert "tree" in found.positive
    assert "pencil" in found.style


def test_with_a_child_the_negative_says_so_and_the_prefix_may_not_be_adult() -> None:
    child = analysis(subjects=[subject(age="child")])
    assert render(child, "sdxl").negative.startswith("nsfw, ")
    with pytest.raises(PromptError, match="take 'nude' out of the prefix"):
        render(child, "sdxl", RenderOptions(prefix="(nude:1.2)"))


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_child_the_analysis_is_rendered_as_it_is(family: str) -> None:
    found = render(analysis(caption="A nude statue.", tags=["nude"], rating="questionable"), family)
    assert "nude" in found.positive.lower()
