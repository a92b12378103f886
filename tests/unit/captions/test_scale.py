"""Folders of any size in the same memory: `make test-scale` takes 20,000 pictures, `make test` fewer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from img2prompt.tests.memory import resident_bytes
from img2prompt.tests.processes import alive
from img2prompt.tests.unit.captions.album import Album, json_rows

FLAT_BYTES = 50_000_000


@pytest.fixture
def server_elsewhere() -> Iterator[str]:
    """The URL of a seeing server in a process of its own, whose memory is not measured."""
    words = [sys.executable, "-m", "img2prompt.tests.seeing_server", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().removeprefix("seeing at ").strip()
        server.terminate()


def test_memory_is_flat_and_order_and_names_are_right(
    album: Album, server_elsewhere: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    pictures: Any = pytestconfig.getoption("--pictures")
    album.numbered(pictures)
    table = tmp_path / "a.jsonl"
    words = [sys.executable, "-m", "img2prompt", "caption", str(album.folder), "--jsonl", str(table), "--sidecars"]
    environment = os.environ | {"IMG2PROMPT_ENDPOINT": server_elsewhere}
    with (
        subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as run,
        resident_bytes(run.pid) as seen,
    ):
        while alive(run.pid) and (not table.exists() or table.read_bytes().count(b"\n") < min(2000, pictures // 3)):
            time.sleep(0.05)
        mark = len(seen)
        while alive(run.pid):
            time.sleep(0.05)
    assert run.stderr and run.returncode == 0
    rows = json_rows(table)
    assert [row["file_name"] for row in rows] == list(album.colors)
    assert album.wrong((row["file_name"], row["text"]) for row in rows) == []
    assert album.wrong(album.beside().items()) == [] and len(album.beside()) == pictures
    later = [size for size in seen[mark:] if size]  # 0: it has ended
    print(f"{later[0] / 1e6:.0f} MB, then {min(later) / 1e6:.0f} to {max(later) / 1e6:.0f} MB")
    assert max(abs(size - later[0]) for size in later) < FLAT_BYTES
