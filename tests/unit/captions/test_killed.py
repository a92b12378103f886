"""Runs that are killed (-9) at random points: nothing is lost, doubled or torn, and nothing is left over."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from img2prompt.captions.find import find
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import NAMES, csv_rows, json_rows, parquet_rows
from img2prompt.tests.unit.captions.killed import FAMILIES

PICTURES = 500
KILLS = 20
OPERATIONS = 650
"""Of all threads until it is killed, at most: so that all runs are killed before all is done."""
OF_WRITER = 250
CALLS = 8


@pytest.fixture
def colors(tmp_path: Path) -> dict[str, str]:
    """500 pictures, all different; the colour of each by its name, in the pictures' order."""
    for number in range(PICTURES):
        name = tmp_path / "pictures" / f"part {number % 7}" / f"{number:03d} ü.png"
        name.parent.mkdir(parents=True, exist_ok=True)
        draw(NAMES[number % len(NAMES)], size=(64 + number, 48)).save(name, compress_level=1)
    names = [found.name for found in find(tmp_path / "pictures")]
    return {name: NAMES[int(name.split("/")[1][:3]) % len(NAMES)] for name in names}


def test_twenty_kills_lose_double_and_tear_nothing(
    colors: dict[str, str], server: SeeingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2PROMPT_CACHE", "true")
    monkeypatch.setenv("IMG2PROMPT_CACHE_DIR", str(tmp_path / "cache"))
    rng, out = random.Random(8), tmp_path / "out"
    program = [sys.executable, "-m", "img2prompt.tests.unit.captions.killed", str(tmp_path / "pictures"), str(out)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as runs:
        assert runs.stdin and runs.stdout
        anywhere = [(rng.randint(1, OPERATIONS), 0, rng.uniform(0, 0.03)) for _ in range(KILLS // 2)]
        writing = [(rng.randint(1, OF_WRITER), rng.randint(1, CALLS), 0.0) for _ in range(KILLS // 2)]
        points = [point for pair in zip(anywhere, writing, strict=True) for point in pair]
        for point in [*points, (0, 0, 0.0), (0, 0, 0.0)]:
            runs.stdin.write("{} {} {}\n".format(*point))
            runs.stdin.flush()
            assert runs.stdout.readline() == ("-9\n" if point[0] else "0\n"), point
        runs.stdin.close()
    wanted = [(name, family) for name in colors for family in FAMILIES]
    for rows in (json_rows(out / "all.jsonl"), csv_rows(out / "all.csv"), parquet_rows(out / "all")):
        assert [(row["file_name"], row["family"]) for row in rows] == wanted
        assert [row["file_name"] for row in rows if f"{colors[row['file_name']]} center" not in row["text"]] == []
    beside = {
        f"{name.removesuffix('.png')}.{family}.txt": color for name, color in colors.items() for family in FAMILIES
    }
    files = {str(file.relative_to(tmp_path / "pictures")) for file in (tmp_path / "pictures").rglob("*.*")}
    assert files == {*colors, *beside}
    texts = {name: (tmp_path / "pictures" / name).read_text() for name in beside}
    assert [name for name, text in texts.items() if f"{beside[name]} center" not in text or text[-1] != "\n"] == []
    assert {file.suffix for file in out.rglob("*.*")} == {".jsonl", ".csv", ".parquet"}
