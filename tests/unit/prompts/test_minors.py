"""With a child in the picture no adult wording gets out; without one nothing is withheld."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from img2prompt.prompts import PromptError, RenderOptions, load_family, render
from img2prompt.prompts.minors import DATA, adult_words, minor_words, says_minor
from img2prompt.prompts.vocabulary import vocabulary
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
    {"caption": "A ten-year-old boy."},
    {"caption": "A boy aged 12."},
    {"caption": "High school students."},
    {"caption": "A little blonde girl."},
    {"tags": ["kindergarten uniform"]},
    {"tags": ["小女孩"]},
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


def test_every_adult_tag_of_the_vocabulary_is_withheld_from_a_child() -> None:
    listed = (DATA / "adult_tags.txt").read_text(encoding="utf-8").split()
    assert len(listed) > 500
    tags = (DATA / "adult_tags.txt").read_text(encoding="utf-8").splitlines()
    assert set(tags) <= vocabulary().tags
    assert [tag for tag in tags if not adult_words(tag)] == []
    child = analysis(subjects=[subject(age="child", action=["fingering", "paizuri"])], tags=["handjob", "tree"])
    for family in ("noobai", "pony", "sdxl", "flux1"):
        prompt = render(child, family).positive.lower()
        assert "tree" in prompt
        assert not re.search("fingering|paizuri|handjob", prompt)


def test_a_tag_of_the_users_vocabulary_that_means_a_child_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    (tmp_path / "vocabulary").mkdir()
    (tmp_path / "vocabulary" / "mine.csv").write_text('loli,0,9,"slender build"\n')
    found = analysis(subjects=[subject(appearance=["slender build"])], tags=["nude"], rating="explicit")
    prompt = render(found, "noobai").positive
    assert "safe" in prompt.split(", ")
    assert not re.search("nude|explicit", prompt)


def test_a_family_may_not_say_adult_words_beside_a_child() -> None:
    family = load_family("sdxl").model_copy(update={"prefix": ["nsfw"]})
    assert render(analysis(subjects=[subject()]), family).positive.startswith("nsfw")
    with pytest.raises(PromptError, match="take 'nsfw' out of the family 'sdxl'"):
        render(analysis(subjects=[subject(age="child")]), family)


@pytest.mark.parametrize(
    "text", ["a young man and a girl in her twenties", "small woman", "age 34", "twenty years old"]
)
def test_a_grown_person_is_no_child(text: str) -> None:
    assert not says_minor([text])


@pytest.mark.parametrize("words", ["Two kids.", "A boy aged 12.", "小女孩"])
def test_the_words_that_tell_of_a_child_are_found_as_they_stand(words: str) -> None:
    assert minor_words(analysis(caption=words))
    assert says_minor(minor_words(analysis(caption=words)))


@pytest.mark.parametrize("family", ["flux1", "noobai"])
def test_writing_in_the_picture_describes_nobody(family: str) -> None:
    seen = [{"text": "KIDS MENU", "where": "wall"}]
    found = analysis(caption="A nude statue.", tags=["nude"], visible_text=seen, rating="questionable")
    assert "nude" in render(found, family).positive.lower()
