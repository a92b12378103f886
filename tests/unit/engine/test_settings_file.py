"""Settings changed in a dialog: what the file holds then, what is refused, and where an API key never goes."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine import Settings, settings_file
from img2prompt.engine.errors import SettingsError
from img2prompt.engine.settings import RELEASES
from img2prompt.engine.settings_file import change, view

KEY = "sk-very-secret-7c1d"
HERE, THERE = "http://127.0.0.1:8000/v1", "https://gpu.example/v1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the settings stand; not there yet."""
    return tmp_path / "settings.toml"


def test_the_defaults_are_shown_and_the_key_is_not(file: Path) -> None:
    assert view() == {
        "endpoint": {"value": "", "fixed_by": ""},
        "api_key": {"is_set": False, "fixed_by": ""},
        "max_pixels": {"value": 1_048_576, "fixed_by": "", "least": 65_536, "most": 16_777_216},
        "release": {"value": RELEASES[0], "fixed_by": "", "choices": list(RELEASES)},
    }
    assert not file.exists()
    change({"api_key": KEY})
    assert view()["api_key"]["is_set"] and KEY not in json.dumps(view())


def test_what_is_changed_is_what_is_loaded_and_the_rest_of_the_file_stays(file: Path) -> None:
    file.write_text(
        f'# mine\r\nendpoint = "{HERE}"  # the big one\r\nmax_pixels = 65536\n\nmodel = "m"\n[other]\na = 1  # b\n'
    )
    assert change({"max_pixels": 2_000_000, "release": "keep"}) is False
    settings = Settings.load()
    assert (settings.endpoint, settings.max_pixels, settings.release, settings.model) == (HERE, 2_000_000, "keep", "m")
    text = file.read_bytes().decode()
    assert "# mine\r\n" in text and "# the big one" in text and "[other]\na = 1  # b\n" in text
    change({"endpoint": ""})
    assert "endpoint" not in file.read_text() and Settings.load().endpoint == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file modes")
def test_the_file_is_the_user_s_alone_and_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "mine.toml"
    target.parent.mkdir()
    target.write_text("max_pixels = 65536\n")
    target.chmod(0o644)
    file.symlink_to(target)
    change({"api_key": KEY})
    assert file.is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o600
    assert Settings.load().api_key.get_secret_value() == KEY
    assert os.listdir(target.parent) == ["mine.toml"]  # nothing is left behind


def test_the_folder_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "new" / "settings.toml"))
    change({"release": "keep"})
    assert Settings.load().release == "keep"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"max_pixels": 3}, "max_pixels"),
        ({"max_pixels": "many"}, "max_pixels"),
        ({"max_pixels": True}, "max_pixels"),
        ({"release": "never"}, "release"),
        ({"release": ""}, "release"),
        ({"endpoint": "127.0.0.1:8000"}, "must be a base URL"),
        ({"endpoint": "http://me:pass@127.0.0.1:8000"}, "must be a base URL"),
        ({"endpoint": 8000}, "endpoint"),
        ({"api_key": "schlüssel"}, "characters that HTTP cannot carry"),
        ({"api_key": "a\nb"}, "characters that HTTP cannot carry"),
        ({"api_key": ["a"]}, "api_key"),
        ({"cache_dir": "/"}, "cannot be changed here"),
        ({"vllm": "/bin/sh"}, "cannot be changed here"),
        ({"release": "keep", "max_pixels": 3}, "max_pixels"),  # all or none
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_changes(file: Path, changes: dict[str, Any], says: str) -> None:
    file.write_text(before := f'endpoint = "{HERE}"\napi_key = "{KEY}"\n')
    with pytest.raises(SettingsError, match=says) as refused:
        change(changes)
    assert file.read_text() == before
    assert KEY not in str(refused.value) and "pass" not in str(refused.value).replace("password", "")


@pytest.mark.parametrize(
    ("endpoint", "kept"),
    [
        (HERE, True),
        ("http://127.0.0.1:8000/other/v1", True),
        (" http://127.0.0.1:8000/v1/ ", True),
        ("http://127.0.0.1:8001/v1", False),
        ("https://127.0.0.1:8000/v1", False),
        ("http://localhost:8000/v1", False),
        (THERE, False),
        ("", False),
    ],
)
def test_a_key_stays_with_the_server_that_it_was_given_for(file: Path, endpoint: str, kept: bool) -> None:
    file.write_text(f'endpoint = "{HERE}"\napi_key = "{KEY}"\n')
    assert change({"endpoint": endpoint}) is not kept
    assert bool(Settings.load().api_key.get_secret_value()) is kept
    assert (KEY in file.read_text()) is kept


def test_a_key_that_comes_before_its_endpoint_is_kept(file: Path) -> None:
    change({"api_key": KEY})
    assert change({"endpoint": THERE}) is False
    assert Settings.load().api_key.get_secret_value() == KEY


def test_names_in_capitals_are_changed_too(file: Path) -> None:
    file.write_text(f'Endpoint = "{HERE}"\nAPI_KEY = "{KEY}"\n')
    assert Settings.load().api_key.get_secret_value() == KEY  # as pydantic-settings reads them
    assert change({"endpoint": THERE}) is True
    settings = Settings.load()
    assert (settings.endpoint, settings.api_key.get_secret_value()) == (THERE, "")
    assert KEY not in file.read_text()


@pytest.mark.parametrize("endpoint", [f"{THERE}?key={KEY}", f"{THERE}#{KEY}", f"https://{KEY}@gpu.example/v1"])
def test_a_key_in_the_endpoint_is_refused_and_never_shown(file: Path, endpoint: str) -> None:
    with pytest.raises(SettingsError):
        change({"endpoint": endpoint})
    file.write_text(f'endpoint = "{endpoint}"\n')
    assert KEY not in json.dumps(view())


def test_a_key_that_comes_with_the_endpoint_is_for_that(file: Path) -> None:
    file.write_text(f'endpoint = "{HERE}"\napi_key = "{KEY}"\n')
    assert change({"endpoint": THERE, "api_key": "sk-new"}) is False
    assert Settings.load().api_key.get_secret_value() == "sk-new"
    change({"api_key": ""})
    assert not view()["api_key"]["is_set"] and "api_key" not in file.read_text()


@pytest.mark.parametrize(
    ("variable", "value", "fixed"),
    [
        ("IMG2PROMPT_API_KEY", KEY, {"api_key", "endpoint"}),  # else the key would go to another server
        ("img2prompt_endpoint", HERE, {"endpoint"}),
        ("IMG2PROMPT_MAX_PIXELS", "70000", {"max_pixels"}),
        ("IMG2PROMPT_RELEASE", "keep", {"release"}),
    ],
)
def test_what_the_environment_sets_cannot_be_changed_here(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, fixed: set[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert {name for name, setting in view().items() if setting["fixed_by"] == variable.upper()} == fixed
    values: dict[str, Any] = {"endpoint": THERE, "api_key": "k", "max_pixels": 80_000, "release": "keep"}
    for name in fixed:
        with pytest.raises(SettingsError, match=variable.upper()):
            change({name: values[name]})
    assert not file.exists()
    change({name: values[name] for name in values.keys() - fixed})
    assert KEY not in file.read_text()


def test_a_bad_file_is_told_and_a_bad_value_can_be_mended(file: Path) -> None:
    file.write_text("max_pixels = 3\n")
    with pytest.raises(SettingsError, match="max_pixels"):
        view()
    change({"max_pixels": 70_000})
    assert view()["max_pixels"]["value"] == 70_000
    file.write_text(before := "max_pixels = = 3\n")
    for broken in (view, lambda: change({"release": "keep"})):
        with pytest.raises(SettingsError, match="not valid TOML"):
            broken()
    assert file.read_text() == before


def test_a_file_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "a-file" / "settings.toml"))
    with pytest.raises(SettingsError, match="cannot be written to"):
        change({"release": "keep"})


def test_a_write_that_breaks_off_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(before := "max_pixels = 70000\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(settings_file.os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"):
        change({"release": "keep"})
    assert file.read_text() == before and os.listdir(file.parent) == [file.name]
