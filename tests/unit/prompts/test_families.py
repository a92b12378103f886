"""Families: those that ship, how one is found by name, and how a broken file is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from img2prompt.prompts import Family, FamilyFileError, UnknownFamily, family_names, load_family
from img2prompt.prompts.catalogue import family_version

GOOD = """
name = "mine"
title = "Mine"
form = "tags"
encoder = "clip"
budget = 75
order = ["subject", "general"]
weights_allowed = true

[sources]
form = ["community practice"]
"""
REQUIRED = {"form", "budget", "order", "weights", "negative"}
"""The facts that every family states, and so must give the source of."""


@pytest.mark.parametrize(
    ("name", "form", "vocabulary", "encoder", "budget", "weights", "takes_negative"),
    [
        ("sd15", "tags", "plain", "clip", 75, True, True),
        ("sdxl", "tags", "plain", "clip", 75, True, True),
        ("pony", "tags", "danbooru", "clip", 150, True, False),
        ("illustrious", "tags", "danbooru", "clip", 150, True, True),
        ("noobai", "tags", "danbooru", "clip", 150, True, True),
        ("animagine4", "tags", "danbooru", "clip", 150, True, True),
        ("sd35", "prose", "plain", "t5", 256, False, True),
        ("flux1", "prose", "plain", "t5", 512, False, False),
        ("flux2", "prose", "plain", "mistral", 481, False, False),
        ("chroma", "prose", "plain", "t5", 512, False, False),
        ("qwen-image", "prose", "plain", "qwen", 512, False, False),
        ("z-image", "prose", "plain", "qwen", 504, False, False),
    ],
)
def test_what_ships(
    name: str, form: str, vocabulary: str, encoder: str, budget: int, weights: bool, takes_negative: bool
) -> None:
    family = load_family(name)
    assert (family.form, family.vocabulary, family.encoder, family.budget) == (form, vocabulary, encoder, budget)
    assert (family.weights_allowed, bool(family.negative)) == (weights, takes_negative)


def test_every_family_that_ships_gives_the_source_of_every_claim() -> None:
    assert len(family_names()) == 12
    for name in family_names():
        family = load_family(name)
        stated = {field for field in ("prefix", "suffix", "rating", "source") if getattr(family, field)} | {
            field for field in ("vocabulary", "details") if field in family.model_fields_set
        }
        assert family.sources.keys() == REQUIRED | stated, name
        for claim, sources in family.sources.items():
            for source in sources:
                assert source == "community practice" or source.startswith("https://"), (name, claim, source)


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
        ('"subject", "general"', '"rating", "subject"', "must name the slot 'rating' if, and only if"),
        ("budget = 75", 'budget = 75\nprefix = ["(open"]', "do not balance"),
        ("budget = 75", 'budget = 75\nnegative = ["embedding: x"]', "without a name"),
        ("budget = 75", 'budget = 75\nsuffix = ["a\\u0000"]', "control characters"),
        ("budget = 75", "budget = 75\nx = " + "[" * 5000, "not valid TOML"),
        ('["community practice"]', "[]", r"sources\.form is wrong"),
        ("form = [", "colour = [", r"sources\.colour.* is wrong"),
        ("[sources]", '[source]\ncartoon = "x"\n[sources]', "must name the slot 'source' if"),
        ('"clip"', '"t5"', "only CLIP follows weights"),
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


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder for families."""
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    folder = tmp_path / "families"
    folder.mkdir()
    return folder


def test_a_family_in_the_users_folder_is_listed_and_read_again_when_it_changes(own_folder: Path) -> None:
    (own_folder / "mine.toml").write_text(GOOD, encoding="utf-8-sig")
    assert "mine" in family_names()
    assert load_family("mine").budget == 75
    before = family_version("mine")
    (own_folder / "mine.toml").write_text(GOOD.replace("budget = 75", "budget = 150"))
    os.utime(own_folder / "mine.toml", ns=(1, 1))
    assert load_family("mine").budget == 150
    assert family_version("mine") != before
    (own_folder / "mine.toml").unlink()
    assert "mine" not in family_names()
    with pytest.raises(UnknownFamily):
        load_family("mine")


def test_a_broken_family_in_the_users_folder_is_listed_and_says_what_is_wrong(own_folder: Path) -> None:
    (own_folder / "mine.toml").write_text(GOOD.replace("budget = 75", ""))
    (own_folder / ".hidden.toml").write_text("")
    (own_folder / "folder.toml").mkdir()
    (own_folder / "dead.toml").symlink_to(own_folder / "nowhere.toml")
    assert {"mine", "sdxl"} <= set(family_names())
    assert not {".hidden", "folder", "dead"} & set(family_names())
    with pytest.raises(UnknownFamily):
        load_family("x" * 5000)
    with pytest.raises(FamilyFileError, match="budget is wrong"):
        load_family("mine")


def test_a_family_of_the_users_goes_before_ours_of_the_same_name(own_folder: Path) -> None:
    (own_folder / "sdxl.toml").write_text(GOOD.replace('"mine"', '"sdxl"'))
    assert (load_family("sdxl").title, family_names().count("sdxl")) == ("Mine", 1)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FamilyFileError, match="cannot be read"):
        load_family(tmp_path / "mine.toml")
