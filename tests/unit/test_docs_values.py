"""Settings, memory plans and example files are as the pages have them."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from img2prompt.engine.server.device import Device
from img2prompt.engine.server.plan import best_plan
from img2prompt.engine.settings import Settings
from img2prompt.prompts import RenderOptions, load_family, read_analysis, render
from img2prompt.prompts.presets import load_text_preset
from img2prompt.prompts.texts import text_instruction
from img2prompt.tests.unit.pages import DOCS, FENCE, each_page, text_of

NO_SETTINGS = {"IMG2PROMPT_SETTINGS"}
"""Variables that are no setting."""

# Settings


def as_toml(value: object) -> str:
    """A setting's value as settings.toml has it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return str(list(value))
    return str(value)


def settings_rows() -> dict[str, tuple[str, str, str]]:
    """Default, unit and meaning of each setting, from the table in engine.md."""
    table = text_of(DOCS / "engine.md").partition("| setting | default | unit |")[2]
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.*?) \| (.*?) \| (.+) \|$", table)
    return {name: (default, unit, meaning) for name, default, unit, meaning in rows}


def test_the_table_of_settings_is_complete() -> None:
    assert list(settings_rows()) == list(Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_its_default_and_unit(name: str) -> None:
    default, unit, meaning = settings_rows()[name]
    value = Settings.model_fields[name].default
    secret = getattr(value, "get_secret_value", None)
    expected = f"`{as_toml(secret() if secret else value)}`"
    if name == "cache_dir":
        expected = "the system's"
    assert default == ("unset" if value is None else expected)
    counted = isinstance(value, int | float) and not isinstance(value, bool)
    assert (unit != "–") == counted
    assert meaning


def test_the_defaults_can_be_written_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand in the table they are valid TOML, and change nothing."""
    rows = settings_rows().items()
    lines = [f"{name} = {default.strip('`')}" for name, (default, *_) in rows if default.startswith("`")]
    (tmp_path / "settings.toml").write_text("\n".join(lines))
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "none.toml"))
    plain = Settings.load()
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    written = Settings.load()
    assert written == plain
    assert len(written.model_fields_set) == len(lines) == len(Settings.model_fields) - 2  # temperature and cache_dir


@each_page
def test_every_variable_is_a_setting(page: Path) -> None:
    known = {f"IMG2PROMPT_{name.upper()}" for name in Settings.model_fields} | NO_SETTINGS
    assert set(re.findall(r"IMG2PROMPT_[A-Z_]*[A-Z]", text_of(page))) - known == set()


def test_settings_in_toml_blocks_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [block for kind, block in FENCE.findall(text_of(DOCS / "engine.md")) if kind == "toml"]
    assert blocks
    for block in blocks:
        (tmp_path / "settings.toml").write_text(block)
        monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
        assert Settings.load().model_fields_set == tomllib.loads(block).keys()


# The memory plan

PLANS = re.findall(r"(?m)^\| (\d+) GiB \| `(.*?)` \| ([\d.]+) GiB \| (.*?) \|$", text_of(DOCS / "engine.md"))


def test_there_are_plans() -> None:
    assert [gib for gib, *_ in PLANS] == ["8", "12", "16", "24", "48"]


@pytest.mark.parametrize(("gib", "model", "takes", "beside"), PLANS)
def test_the_plan_is_the_one_that_is_made(
    gib: str, model: str, takes: str, beside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))  # a checkpoint that is here would be measured
    plan = best_plan(Settings(), Device("gpu", float(gib)))
    assert (plan.fits, plan.model, f"{plan.total_gib:.1f}") == (True, model, takes)
    assert beside.replace("takes turns", "take turns").partition(" ComfyUI")[0].split()[0] in plan.reason
    assert ("are left" in beside) == ("are left" in plan.reason)


# Example files


@pytest.fixture
def users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with the example files in it."""
    shutil.copytree(DOCS / "examples", tmp_path / "img2prompt")
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "img2prompt" / "settings.toml"))
    return tmp_path / "img2prompt"


def shown_in_extending() -> list[str]:
    return [block for _, block in FENCE.findall(text_of(DOCS / "extending.md"))]


@pytest.mark.parametrize("file", ["families/my-merge.toml", "presets/haiku.md", "vocabulary/mine.csv"])
def test_extending_shows_the_example_files(file: str) -> None:
    assert (DOCS / "examples" / file).read_text(encoding="utf-8") in shown_in_extending()


def test_the_example_preset_is_used(users_folder: Path) -> None:
    assert load_text_preset("haiku").file == users_folder / "presets" / "haiku.md"
    told = text_instruction("haiku", "Deutsch", "the cat")
    assert told.startswith("Write a haiku")
    assert "Write in Deutsch." in told
    assert "the cat" in told


def test_the_example_family_renders_what_the_page_shows(users_folder: Path) -> None:
    family = load_family("my-merge")
    analysis = read_analysis(text_of(users_folder / "astronaut.json"))
    assert render(analysis, family).positive + "\n" in shown_in_extending()
    assert "mottled" in render(analysis, "flux1").positive  # of other families it is none
    dropped = render(analysis, family, RenderOptions(unknown_tags="drop")).positive
    assert "grey background" in dropped
    (users_folder / "vocabulary" / "mine.csv").unlink()
    assert "grey background" not in render(analysis, family, RenderOptions(unknown_tags="drop")).positive


def test_extending_names_every_key_of_a_family() -> None:
    keys = set(re.findall(r"(?m)^\| ((?:`[\[\]\w]+`(?:, )?)+) \|", text_of(DOCS / "extending.md")))
    named = {key.strip("[]") for cell in keys for key in re.findall(r"`([\[\]\w]+)`", cell)}
    fields = set(type(load_family(DOCS / "examples" / "families" / "my-merge.toml")).model_fields)
    assert named == fields
