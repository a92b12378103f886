"""The seeing server and engines that ask it, apart from the settings of whoever runs the tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine import Engine, Settings
from img2prompt.engine.client import ChatClient
from img2prompt.tests.seeing_server import SeeingServer

MakeEngine = Callable[..., Engine]
Until = Callable[[Callable[[], object]], None]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("IMG2PROMPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))


@pytest.fixture
def server() -> Iterator[SeeingServer]:
    with SeeingServer() as server:
        yield server


@pytest.fixture
def make_engine(server: SeeingServer, tmp_path: Path) -> Iterator[MakeEngine]:
    """Makes engines that ask the server; keyword arguments are settings. Nothing is cached unless asked for."""
    made: list[Engine] = []

    def make(**changed: Any) -> Engine:
        settings = Settings(**{"endpoint": server.url, "cache": False, "cache_dir": tmp_path, **changed})
        client = ChatClient(settings, settings.endpoint, settings.api_key.get_secret_value())
        made.append(Engine(client, settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    return make_engine()


@pytest.fixture
def until() -> Until:
    """Waits for something that another thread or process brings about."""

    def wait(happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not happened():
            assert time.monotonic() < deadline, "it did not happen in 20 s"
            time.sleep(0.01)

    return wait
