"""Help pages and translations say what the nodes and the front end say: every name, and no other. Without ComfyUI:
locales/en stands for the schemas, and tests/comfyui/test_help.py holds it against them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from img2prompt.prompts import read_analysis, render
from img2prompt.scripts import locales

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "web" / "docs"
SYNTAX = re.compile(r"[{}|@]")
"""Signs that vue-i18n, which ComfyUI's interface translates with, reads as its own: a name or tooltip has none."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")
TRANSLATIONS = sorted(folder.name for folder in locales.LOCALES.glob("*") if folder.name != "en")
LABEL = {"zh": r"\uff08(.+?)(?:\uff0c可选)?\uff09\uff1a"}
"""How a page in that language says, behind a name, what it is called there: in full-width brackets, then a colon."""


def words(language: str, name: str) -> dict[str, Any]:
    """One file of a language; {} where it has none."""
    file = locales.LOCALES / language / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


DEFINED = words("en", "nodeDefs")


def page(node: str, language: str = "") -> str:
    """A node's help, as the interface finds it."""
    return (PAGES / node / f"{language}.md" if language else PAGES / f"{node}.md").read_text(encoding="utf-8")


def items(text: str, part: int) -> dict[str, str]:
    """What a page's list of inputs (1) or outputs (2) names, each with the rest of its line. `image_1` … `image_16`
    stands for all of these."""
    found: dict[str, str] = {}
    for line in re.findall(r"^- (.+)", text.split("\n## ")[part], re.MULTILINE):
        first, more = re.match(r"`(\w+)`(?: … `(\w+)`)?", line).groups()  # pyright: ignore[reportOptionalMemberAccess]
        rest = re.sub(r"^`\w+`(?: … `\w+`)?", "", line)
        if more is None:
            found[first] = rest
            continue
        stem = first.rstrip("0123456789")
        found |= {f"{stem}{at}": rest for at in range(int(first[len(stem) :]), int(more[len(stem) :]) + 1)}
    return found


def test_there_is_something_to_translate() -> None:
    assert len(DEFINED) >= 10
    assert "zh" in TRANSLATIONS


def test_what_the_server_names_is_among_the_words_to_translate() -> None:
    analysis = read_analysis((ROOT / "docs" / "examples" / "astronaut.json").read_text(encoding="utf-8"))
    aspects = [line.partition(":")[0] for line in render(analysis, "sdxl").style.splitlines()]
    assert len(aspects) >= 6
    titles = re.findall(r'_shown\(\s*"([^"]+)"', (ROOT / "nodes" / "shown.py").read_text(encoding="utf-8"))
    assert len(titles) == 5
    assert {*aspects, *titles} <= set(locales.PARTS)


@pytest.mark.parametrize("language", ["", *TRANSLATIONS])
@pytest.mark.parametrize("node", DEFINED)
def test_a_help_page_names_every_input_and_output_and_no_other(node: str, language: str) -> None:
    text = page(node, language)
    assert text.startswith("# ")
    assert len(text.split("\n## ")) == 4  # inputs, outputs, example
    assert list(items(text, 1)) == list(DEFINED[node]["inputs"])
    assert list(items(text, 2)) == [one["name"] for one in DEFINED[node]["outputs"].values()]


def test_there_is_no_help_page_of_a_node_that_is_gone() -> None:
    assert {file.stem for file in PAGES.glob("*.md")} == set(DEFINED)
    pages = {str(file.relative_to(PAGES)) for file in PAGES.glob("*/*")}
    assert pages == {f"{node}/{language}.md" for node in DEFINED for language in TRANSLATIONS}


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("node", DEFINED)
def test_a_page_calls_things_as_the_node_does(node: str, language: str) -> None:
    shown, text = words(language, "nodeDefs")[node], page(node, language)
    assert text.splitlines()[0] == f"# {shown['display_name']}"
    assert DEFINED[node]["display_name"] in text  # for who knows the English name
    called = {name: one["name"] for name, one in shown["inputs"].items()}
    for name, rest in items(text, 1).items():
        label = re.match(LABEL[language], rest)
        assert label, rest
        assert called[name] in label[1] or " … " in label[1], name
    for rest, one in zip(items(text, 2).values(), shown["outputs"].values(), strict=True):
        label = re.match(LABEL[language], rest)
        assert label and label[1] == one["name"], rest


def shape(found: Any) -> Any:
    """The keys alone, all the way down."""
    return {key: shape(value) for key, value in found.items()} if isinstance(found, dict) else None


def texts(found: dict[str, Any]) -> list[str]:
    """All texts, all the way down."""
    return [text for value in found.values() for text in (texts(value) if isinstance(value, dict) else [value])]


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_name_and_tooltip_is_translated_and_nothing_else(language: str) -> None:
    translated = words(language, "nodeDefs")
    assert shape(translated) == shape(DEFINED)
    assert [text for text in texts(translated) if not CHINESE.search(text)] == []


@pytest.mark.parametrize("language", ["en", *TRANSLATIONS])
def test_the_interface_shows_names_and_tooltips_as_they_are_written(language: str) -> None:
    assert [text for text in texts(words(language, "nodeDefs")) if SYNTAX.search(text)] == []


def test_the_english_strings_are_those_of_the_scripts() -> None:
    assert locales.strings()
    assert words("en", "main") == locales.main_words(), "run scripts/locales.py (environment comfyui), and translate"


def test_the_english_settings_are_those_of_the_settings_dialog() -> None:
    assert locales.settings_words()
    assert words("en", "settings") == locales.settings_words(), "run scripts/locales.py (environment comfyui)"


def test_every_command_of_the_scripts_has_a_label() -> None:
    """In English too: the button of an extension's command takes it from there alone."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in locales.SCRIPTS.glob("*.js"))
    assert set(re.findall(r'"(Img2Prompt_\w+)"', code)) - set(DEFINED) == set(words("en", "commands"))


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("name", ["main", "settings", "commands"])
def test_every_other_file_says_the_same_things(name: str, language: str) -> None:
    translated = words(language, name)
    assert shape(translated) == shape(words("en", name))
    assert [text for text in texts(translated) if not CHINESE.search(text) and text != "token"] == []


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_keeps_its_placeholders(language: str) -> None:
    def placeholders(text: str) -> list[str]:
        return sorted(re.findall(r"\{\w+\}", text))

    translated = words(language, "main")[locales.OURS].items()
    assert {english: text for english, text in translated if placeholders(text) != placeholders(english)} == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('a(text("Copy"), text("Picture {n} of {all}", { n, all }));', ["Copy", "Picture {n} of {all}"]),
        ('text(\n  "Say \\"no\\"",\n  { a },\n)', ['Say "no"']),
        ('export function text(words, values = {}) {}\n// text("Never")\n/** text("Nor") */\ntext("But");', ["But"]),
        ('node.text("Other"); context("Nor this")', []),
    ],
)
def test_the_strings_of_a_script_are_found(code: str, found: list[str]) -> None:
    assert locales.strings_in(code) == found


@pytest.mark.parametrize("code", ["text(name)", "text(`Picture ${n}`)", 'text("a" + b)', 'text(on ? "a" : "b")'])
def test_a_string_that_nobody_can_translate_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="not a plain string"):
        locales.strings_in(code)
