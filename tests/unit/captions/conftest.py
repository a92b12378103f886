"""Folders of drawn pictures, the seeing server, and engines that ask it, apart from the settings of whoever runs the
tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from img2prompt.engine import Engine
from img2prompt.engine.shared import bulk_engine
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import Album


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("IMG2PROMPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("IMG2PROMPT_CACHE", "false")


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path / "pictures")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SeeingServer]:
    """The endpoint of the settings."""
    with SeeingServer() as server:
        monkeypatch.setenv("IMG2PROMPT_ENDPOINT", server.url)
        yield server


@pytest.fixture
def engine(server: SeeingServer) -> Iterator[Engine]:
    """As `caption` makes one."""
    engine = bulk_engine()
    yield engine
    engine.close()
