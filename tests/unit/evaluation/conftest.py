"""Drawn pictures with what is known of them, and an endpoint that sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine import Settings
from img2prompt.evaluation.contenders import OWN, Asking, Contender
from img2prompt.evaluation.references import Reference
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

MakeContender = Callable[..., Contender]
COLORS = ("red", "green", "blue", "yellow", "cyan", "pink")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("IMG2PROMPT_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def server() -> Iterator[SeeingServer]:
    with SeeingServer() as server:
        yield server


@pytest.fixture
def references(tmp_path: Path) -> list[Reference]:
    """A picture of each colour; the caption knows its colour, the tags that and one thing that nobody sees."""
    found = []
    for color in COLORS:
        file = tmp_path / f"{color}.png"
        draw(color).save(file)
        found.append(
            Reference(file.name, file, (f"{color} center", "white border", "unicorn"), caption=f"a {color} center")
        )
    return found


@pytest.fixture
def contender(server: SeeingServer) -> MakeContender:
    """Makes sides that ask the server; keyword arguments are of the settings, `asking` of what is asked."""

    def make(asking: Asking | None = None, **settings: Any) -> Contender:
        return Contender(OWN, Settings(**{"endpoint": server.url, **settings}), asking or Asking("sdxl"))

    return make
