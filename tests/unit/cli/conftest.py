"""How tests run a command, and what it finds: drawn pictures and an endpoint that sees them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from img2prompt.cli.app import run
from img2prompt.engine.shared import close_engines
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer


class Ended(NamedTuple):
    """How a command ended."""

    code: object
    out: str
    err: str


Img2Prompt = Callable[..., Ended]


@pytest.fixture
def img2prompt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Img2Prompt]:
    """Runs the command with these arguments in this process, without vllm on PATH and with nothing on disk."""
    close_engines()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("IMG2PROMPT_CACHE", "false")

    def command(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["img2prompt", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run()
        written = capsys.readouterr()
        return Ended(end.value.code, written.out, written.err)

    yield command
    close_engines()


@pytest.fixture
def seen(tmp_path: Path) -> dict[str, Path]:
    """Drawn pictures on disk, by the colour in their middle."""
    files = {}
    for color in ("red", "green", "blue"):
        files[color] = tmp_path / f"{color}.png"
        draw(color).save(files[color])
    return files


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[SeeingServer]:
    """An endpoint that looks at the pixels; commands ask it."""
    with SeeingServer() as server:
        monkeypatch.setenv("IMG2PROMPT_ENDPOINT", server.url)
        yield server
