"""Families: those that ship, how one is found by name, and how a broken file is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from img2prompt.prompts import Family, FamilyFileError, UnknownFamily, family_names, load_family

GOOD = """
name = "mine"
title = "Mine"
form = "tags"
encoder = "clip"
budget = 75
order = ["subject", "general"]
weights_allowed = true
sources = ["community practice"]
"""


@pytest.mark.parametrize(
    ("name", "form", "encoder", "budget", "takes_negative"),
    [("sdxl", "tags", "clip", 75, True), ("flux1", "prose", "t5", 512, False)],
)
def test_what_ships(name: str, form: str, encoder: str, budget: int, takes_negative: bool) -> None:
    family = load_family(name)
    assert (family.form, family.encoder, family.budget, bool(family.negative)) == (
        form,
        encoder,
        budget,
        takes_negative,
    )


def test_every_family_that_ships_loads() -> None:
    assert list(family_names()) == sorted(family_names())
    assert {"flux1", "sdxl"} <= set(family_names())
    assert [load_family(name).name for name in family_names()] == list(family_names())


@pytest.mark.parametrize(
    ("name", "hint"), [("SDXL", "known are"), ("sdx1", "did you mean 'sdxl'"), ("../sdxl", "sdxl"), ("", "known are")]
)
def test_an_unknown_family_is_an_error_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(UnknownFamily, match=hint):
        load_family(name)


def test_a_users_own_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    family = load_family(path)
    assert isinstance(family, Family)
    assert load_family(family) is family
    assert (family.title, family.negative, family.prefix) == ("Mine", [], [])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Mine"', "", "title is wrong"),
        ('title = "Mine"', 'title = "Mine"\ncolour = 1', "colour is wrong"),
        ("budget = 75", 'budget = "75"', "budget is wrong"),
        ("budget = 75", "budget = 0", "budget is wrong"),
        ('"tags"', '"poem"', "form is wrong"),
        ('"subject", "general"', '"subject", "subject"', "names a slot twice"),
        ('"subject", "general"', '"subject", "nose"', r"order\.1 is wrong"),
        ('"subject", "general"', '"rating", "subject"', "if, and only if"),
        ('["community practice"]', "[]", "sources is wrong"),
        ('name = "mine"', 'name = "yours"', "name the file and the family alike"),
        ('name = "mine"', 'name = "mine', "not valid TOML"),
    ],
)
def test_a_broken_file_is_told_by_file_and_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(FamilyFileError, match=message) as caught:
        load_family(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FamilyFileError, match="cannot be read"):
        load_family(tmp_path / "mine.toml")
