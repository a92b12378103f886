"""Presets: what ships is whole, filling is strict, and the user's own are found and judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from img2prompt.prompts import Preset, PresetError, load_preset, preset_names
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.presets import (
    DEFAULT_TEXT_PRESET,
    TEXT_PRESETS,
    load_text_preset,
    text_preset_names,
    text_preset_version,
)

TEXTS = ("alt-text", "detailed-caption", "documentary", "literary", "selling-points", "social-post")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of presets, empty."""
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    folder = tmp_path / "presets"
    folder.mkdir()
    return folder


def test_the_presets_that_ship() -> None:
    assert preset_names() == ("image_analysis", "image_text", "story", "system", "tag_question")
    assert "never an order" in load_preset("system").fill()


def test_the_analysis_preset_explains_only_fields_that_exist() -> None:
    lines = [line[2:] for line in load_preset("image_analysis").text.splitlines() if line.startswith("- ")]
    explained = {name.strip() for line in lines for name in line.partition(":")[0].split(",")}
    assert explained <= ImageAnalysis.model_fields.keys()
    assert {"caption", "subjects", "style", "tags"} <= explained


@pytest.mark.parametrize(
    ("text", "values", "filled"),
    [
        ("plain", {}, "plain"),
        ("$a and ${b}c", {"a": "1", "b": "2"}, "1 and 2c"),
        ("$$5", {}, "$5"),
        ("$a", {"a": "$b"}, "$b"),
    ],
)
def test_fill(text: str, values: dict[str, str], filled: str) -> None:
    assert Preset("test", text).fill(**values) == filled


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("$a $b", {"a": "1"}, "given no b"),
        ("$a", {"a": "1", "c": "2"}, "no placeholder c"),
        ("costs $ 5", {}, "begins no placeholder"),
    ],
)
def test_fill_is_strict(text: str, values: dict[str, str], message: str) -> None:
    with pytest.raises(PresetError, match=message):
        Preset("test", text).fill(**values)


@pytest.mark.parametrize("name", ["nothing", "", "../presets/system", "system.md"])
def test_an_unknown_preset_is_an_error(name: str) -> None:
    with pytest.raises(PresetError, match="known are image_analysis, image_text, story, system"):
        load_preset(name)


def test_the_text_presets_that_ship(mine: Path) -> None:
    assert text_preset_names() == TEXTS
    assert DEFAULT_TEXT_PRESET in TEXTS


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_preset_says_all_that_a_writer_needs(mine: Path, name: str) -> None:
    preset = load_text_preset(name)
    assert preset.placeholders() == {"language", "extra"}
    assert preset.text.endswith("\n\n$extra")  # the user's words come last, and nothing when there are none
    for part in ("Form: ", "Tone: ", "What to keep to:", "Only what can be seen"):
        assert part in preset.text


@pytest.mark.parametrize("name", ["nothing", "", "../alt-text", "../../system", "text/alt-text", "alt-text.md"])
def test_an_unknown_text_preset_is_an_error(mine: Path, name: str) -> None:
    with pytest.raises(PresetError, match="known are alt-text, "):
        load_text_preset(name)


def test_the_users_own_are_there_at_once_and_go_first(mine: Path) -> None:
    (mine / "haiku.md").write_text("Write a haiku.", encoding="utf-8")
    (mine / "alt-text.md").write_text("\ufeffAlt text,\r\nmy way.\r\n", encoding="utf-8", newline="")
    (mine / "notes.txt").write_text("not a preset", encoding="utf-8")
    assert text_preset_names() == tuple(sorted([*TEXTS, "haiku"]))
    assert load_text_preset("haiku").text == "Write a haiku."
    assert load_text_preset("alt-text").text == "Alt text,\nmy way."
    (mine / "alt-text.md").unlink()
    assert "screen reader" in load_text_preset("alt-text").text


def test_an_edited_preset_has_another_version(mine: Path) -> None:
    shipped, everything = text_preset_version("alt-text"), text_preset_version(None)
    assert text_preset_version("alt-text") == shipped != text_preset_version("literary")
    (mine / "alt-text.md").write_text("Mine.", encoding="utf-8")
    assert text_preset_version("alt-text") != shipped
    assert text_preset_version(None) != everything
    assert text_preset_version("nothing") == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \r\n\t\n", "is empty"),
        (b"Costs $5.", r"write '\$\$'"),
        (b"In $language about $subject.", r"\$subject, which nothing fills; use \$extra, \$language"),
        ("Schön".encode("latin-1"), "save it as UTF-8"),
        (b"x" * 20_001, "has 20,001 characters; shorten it to 20,000"),
        (b"x" * 100_000, "shorten it to 20,000"),
    ],
)
def test_a_broken_preset_is_listed_and_names_its_file_when_used(mine: Path, content: bytes, message: str) -> None:
    file = mine / "broken.md"
    file.write_bytes(content)
    assert "broken" in text_preset_names()
    with pytest.raises(PresetError, match=message) as error:
        load_text_preset("broken")
    assert str(file) in str(error.value)


def test_the_longest_preset_may_be_used(mine: Path) -> None:
    (mine / "long.md").write_text("\u4e00" * 20_000, encoding="utf-8")
    assert len(load_text_preset("long").text) == 20_000


def test_every_shipped_file_is_a_preset(mine: Path) -> None:
    assert {file.name for file in TEXT_PRESETS.iterdir()} == {f"{name}.md" for name in TEXTS}
