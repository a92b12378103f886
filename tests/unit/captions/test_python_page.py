"""The examples of docs/python.md run as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from img2prompt.engine.shared import close_engines
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import Album, json_rows
from img2prompt.tests.unit.pages import DOCS, FENCE, text_of

EXAMPLES = [block for kind, block in FENCE.findall(text_of(DOCS / "python.md")) if kind == "python"]


def test_the_examples_run(
    album: Album,
    server: SeeingServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    album.add("cat.png", "dog.png")
    monkeypatch.chdir(tmp_path)
    said = []
    for number, example in enumerate(EXAMPLES):
        exec(compile(example, f"python.md, example {number + 1}", "exec"), {})  # noqa: S102 - our own page
        said.append(capsys.readouterr().out)
    close_engines()
    three_lines, told, listed, one = said
    assert three_lines.startswith("2 pictures in ") and len(album.beside()) == 2
    assert told.startswith("2 0 ") and len(json_rows(tmp_path / "captions.jsonl")) == 4
    captions = sorted(str(file.relative_to(tmp_path)) for file in (tmp_path / "captions").rglob("*.txt"))
    assert (listed, captions) == ("", ["captions/pictures/cat.txt", "captions/pictures/dog.txt"])
    assert f"{album.colors['cat.png']} center" in one


def test_the_first_has_three_lines() -> None:
    assert len([line for line in EXAMPLES[0].splitlines() if line]) <= 3
