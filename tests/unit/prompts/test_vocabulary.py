"""Danbooru's vocabulary: what ships of it, what a phrase becomes, and what goes without saying."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from img2prompt.prompts import VocabularyFileError, booru_wording
from img2prompt.prompts.faces import KAOMOJI
from img2prompt.prompts.vocabulary import vocabulary


def test_what_ships() -> None:
    words = vocabulary()
    assert 6_500 < len(words.tags) < 8_000
    assert {"1girl", "long hair", "cowboy shot", "depth of field", "photo (medium)", "6+girls"} <= words.tags
    assert not {"hatsune miku", "touhou", "highres", "commentary request", "toddlercon"} & words.tags
    assert all(tag == tag.strip().lower() and "_" not in tag for tag in words.tags)
    assert len(words.aliases) >= 400
    assert len(words.implied) >= 300
    assert len(words.heads) >= 100


def test_aliases_and_implications_name_tags_that_exist_and_no_alias_is_one() -> None:
    words = vocabulary()
    assert set(words.aliases.values()) <= words.tags
    assert not words.aliases.keys() & words.tags
    implied = {general for generals in words.implied.values() for general in generals}
    assert words.implied.keys() | implied | words.heads | words.own_heads <= words.tags
    assert [tag for tag in words.tags if tag in words.implied_by(tag)] == []


@pytest.mark.parametrize(
    "table",
    [
        *("SHOTS", "ANGLES", "VIEWS", "LENSES", "FOCUSES", "LIGHTS", "LIGHT_DIRECTIONS", "MEDIA", "KINDS", "AGES"),
    ],
)
def test_every_fixed_wording_is_a_tag(table: str) -> None:
    said = {word for word in getattr(booru_wording, table).values() if word}
    assert said - vocabulary().tags == set()


@pytest.mark.parametrize(
    ("phrase", "tags", "whole"),
    [
        ("long hair", ["long hair"], True),
        ("gray hair", ["grey hair"], True),
        ("a hat", ["hat"], True),
        ("hats", ["hat"], True),
        ("cat ear", ["cat ears"], True),
        ("t shirt", ["t-shirt"], True),
        ("wearing glasses", ["glasses"], True),
        ("long red hair", ["long hair", "red hair"], True),
        ("sitting on a bench", ["sitting", "bench"], True),
        ("holding paper cup", ["holding cup"], False),
        ("black dress and white gloves", ["black dress", "white gloves"], True),
        ("quizzical flobbert", [], False),
        ("quizzical hat", [], False),
        ("narrow alley", ["alley"], False),
        ("not smiling", [], False),
        ("without glasses", [], False),
        ("toy gun", [], False),
        ("short", [], False),
        ("trainer", [], False),
        ("gloves", ["gloves"], True),
        ("glove", ["gloves"], True),
        ("", [], False),
    ],
)
def test_a_phrase_becomes_tags(phrase: str, tags: list[str], whole: bool) -> None:
    assert vocabulary().tags_for(phrase) == (tags, whole)


@pytest.mark.parametrize(
    ("tag", "general"),
    [
        ("cat ears", "animal ears"),
        ("bikini", "swimsuit"),
        ("black dress", "dress"),
        ("very long hair", "long hair"),
        ("holding sword", "weapon"),
    ],
)
def test_a_tag_implies_the_more_general(tag: str, general: str) -> None:
    assert general in vocabulary().implied_by(tag)


@pytest.mark.parametrize(("tag", "other"), [("blue hair", "hair"), ("1girl", "solo"), ("long hair", "very long hair")])
def test_a_tag_implies_nothing_else(tag: str, other: str) -> None:
    assert other not in vocabulary().implied_by(tag)


def test_the_faces_are_taggui_s() -> None:
    assert len(KAOMOJI) == 19
    assert all("_" in face and not re.search(r"[a-z]{2}", face) for face in KAOMOJI)


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder for vocabularies."""
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    folder = tmp_path / "vocabulary"
    folder.mkdir()
    return folder


def test_a_user_adds_tags_and_aliases_in_tagcomplete_s_form(own_folder: Path) -> None:
    (own_folder / "danbooru.csv").write_text(
        'flobbert_(tool),0,12,"flob,flobbert"\nhatsune_miku,4,100000,"miku"\nlong_hair,0,5000000,"lng_hair"\n\nbad\n'
    )
    words = vocabulary()
    assert words.canonical("flobbert") == words.canonical("flob") == "flobbert (tool)"
    assert words.canonical("lng hair") == "long hair"
    assert words.canonical("hatsune miku") is None  # a character, no general tag
    (own_folder / "danbooru.csv").unlink()
    assert vocabulary().canonical("flobbert") is None


def test_nothing_in_a_users_file_acts(own_folder: Path) -> None:
    (own_folder / "mine.csv").write_text(
        '<lora:x:1> embedding:evil,0,5,"tiny hat"\n"a, b (c",0,1\n,0,1\n', encoding="utf-8-sig"
    )
    (own_folder / "dead.csv").symlink_to(own_folder / "nowhere.csv")
    (own_folder / "._mine.csv").write_bytes(b"\xff\xfe")
    words = vocabulary()
    assert words.canonical("tiny hat") == "evil"
    assert words.canonical("a b (c") == "a b (c"
    assert "" not in words.tags


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'"' + b"x" * 200_000])
def test_a_broken_file_of_the_users_is_told(own_folder: Path, content: bytes) -> None:
    (own_folder / "mine.csv").write_bytes(content)
    with pytest.raises(VocabularyFileError, match=r"mine\.csv cannot be read"):
        vocabulary()
