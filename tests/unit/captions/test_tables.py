"""JSONL and CSV that grow: whatever is cut off of them, the rest is whole; what is none of ours is never touched."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from img2prompt.captions.errors import CaptionError
from img2prompt.captions.find import Found
from img2prompt.captions.tables import COLUMNS, Csv, JsonLines, Table
from img2prompt.captions.task import Row
from img2prompt.tests.unit.captions.album import csv_rows, json_rows

FAMILIES = ("sdxl", "flux1")
TABLES = (JsonLines, Csv)
MAY_BE_OURS = [(JsonLines, b"{"), (Csv, b"file_name,text")]
"""A row as short as that may be what a killed run has left."""
EVIL = 'a "red"\nfox,\n\r\\u0000 ü 狐 \x85'


def row(name: str, family: str, text: str = EVIL) -> Row:
    one = Row(name, text, family, text, "", "", 'A "fox".', "red fox", 7, 75, "model", {"caption": "ü\u2028"})
    return replace(one, source="embedded", analysis=None) if name.startswith("e") else one


def found(number: int) -> Found:
    return Found(Path(f"{number}.png"), f'{"e" if number % 2 else "m"}{number}, "ü".png')


@contextmanager
def opened(kind: type[Table], path: Path, *, overwrite: bool = False) -> Iterator[Table]:
    with closing(kind(path, FAMILIES, overwrite=overwrite)) as table:
        table.open()
        yield table


def fill(table: Table, numbers: range) -> list[int]:
    """Write what it lacks; which that were."""
    lacking = [number for number in numbers if not table.has(found(number))]
    for number in lacking:
        table.write(found(number), [row(found(number).name, family) for family in FAMILIES])
    return lacking


def made(kind: type[Table], path: Path, count: int = 3) -> bytes:
    with opened(kind, path) as table:
        fill(table, range(count))
    return path.read_bytes()


@pytest.mark.parametrize("kind", TABLES)
def test_what_is_written_is_read_by_others(kind: type[Table], tmp_path: Path) -> None:
    made(kind, tmp_path / "new" / "table")
    rows = (json_rows if kind is JsonLines else csv_rows)(tmp_path / "new" / "table")
    assert [(one["file_name"], one["family"], one["text"]) for one in rows] == [
        (found(number).name, family, EVIL) for number in range(3) for family in FAMILIES
    ]
    assert list(rows[0]) == [*COLUMNS, *(["analysis"] if kind is JsonLines else [])]


@pytest.mark.parametrize("kind", TABLES)
def test_wherever_it_was_torn_it_becomes_the_same(kind: type[Table], tmp_path: Path) -> None:
    whole, path, redone = made(kind, tmp_path / "table"), tmp_path / "torn", [0]
    for cut in (*range(150), *range(len(made(kind, tmp_path / "two", 2)) + 60, len(whole) + 1)):
        path.write_bytes(whole[:cut])
        with opened(kind, path) as table:
            redone = fill(table, range(3))
        assert path.read_bytes() == whole, cut
        assert redone == list(range(3 - len(redone), 3))
    assert not redone


@pytest.mark.parametrize("kind", TABLES)
def test_a_last_row_without_its_line_end_is_kept(kind: type[Table], tmp_path: Path) -> None:
    """As editors may leave it, what they changed with it."""
    path = tmp_path / "table"
    edited = made(kind, path).replace(b"A ", b"wolf ").removesuffix(b"\n").removesuffix(b"\r")
    path.write_bytes(edited)
    with opened(kind, path) as table:
        assert fill(table, range(4)) == [3]
    assert path.read_bytes().startswith(edited + kind.line_end)
    rows = (json_rows if kind is JsonLines else csv_rows)(path)
    assert [one["caption"].count("wolf") for one in rows] == [1] * 6 + [0] * 2


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    "foreign",
    [
        b"my only copy",
        b"my only copy\n",
        b"{",
        b'{"file_name": "a.png", "text": "a fox"}',
        b'{"file_name": "a.png", "text": "a fox"}\n',
        b'{"file_name": "a.png", "text": "a fox"}\n{"file_na',
        b"file_name,text\r\n",
        b"file_name,text",
        b"file_name,text\na.png,a fox\n",
        b'"',
        b'a,b\r\n"' + b"x" * 200_000 + b'"\r\n',
        b"\x89PNG\r\n\x1a\n\0\0\0",
        b"\xff\xd8\xff",
        b"\n",
        b"[1, 2]",
        b"5",
    ],
)
def test_what_is_none_of_ours_is_never_touched(kind: type[Table], foreign: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    if (kind, foreign) in MAY_BE_OURS:
        return
    path.write_bytes(foreign)
    with (
        pytest.raises(CaptionError, match=r"mine is no table of captions \(.+\); write to another file"),
        opened(kind, path),
    ):
        pass
    assert path.read_bytes() == foreign
    with pytest.raises(CaptionError, match="no table of captions"):
        kind(path, FAMILIES).look()
    with opened(kind, path, overwrite=True) as table:
        fill(table, range(3))
    assert path.read_bytes() == made(kind, tmp_path / "new")


def test_a_quote_too_much_costs_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    damaged = made(Csv, path, 5).replace(b"red fox", b'red" fox', 1)
    path.write_bytes(damaged)
    with pytest.raises(CaptionError, match="no table of captions"), opened(Csv, path):
        pass
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("kind", TABLES)
def test_rows_of_more_families_join_those_there(kind: type[Table], tmp_path: Path) -> None:
    path = tmp_path / "table"
    with closing(kind(path, ["flux1"])) as table:
        table.open()
        table.write(found(0), [row(found(0).name, "flux1")])
    with opened(kind, path) as table:
        assert fill(table, range(2)) == [0, 1]
    rows = (json_rows if kind is JsonLines else csv_rows)(path)
    assert [(one["file_name"][:2], one["family"]) for one in rows] == [
        *(("m0", "flux1"), ("m0", "sdxl"), ("e1", "sdxl"), ("e1", "flux1"))
    ]


@pytest.mark.parametrize("kind", TABLES)
def test_looking_changes_nothing(kind: type[Table], tmp_path: Path) -> None:
    torn = made(kind, tmp_path / "table")[:-9]
    (tmp_path / "table").write_bytes(torn)
    for name, has in [("table", [True, True, False]), ("none/table", [False] * 3)]:
        with closing(kind(tmp_path / name, FAMILIES)) as table:
            table.look()
            assert [table.has(found(number)) for number in range(3)] == has
    assert (tmp_path / "table").read_bytes() == torn
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("kind", TABLES)
def test_two_at_one_time_are_kept_apart(kind: type[Table], tmp_path: Path) -> None:
    path = tmp_path / "table"
    with opened(kind, path) as table:
        fill(table, range(1))
        with pytest.raises(CaptionError, match=r"Another run is writing .*table"), opened(kind, path):
            pass
        fill(table, range(2))
    with opened(kind, path) as table:
        assert fill(table, range(3)) == [2]


@pytest.mark.parametrize("kind", TABLES)
def test_a_row_that_does_not_fit_leaves_no_half(kind: type[Table], tmp_path: Path) -> None:
    """The system refuses in the middle of a row, as a full disk does."""
    path = tmp_path / "table"
    with opened(kind, path) as table:
        fill(table, range(1))
        before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
        try:
            with pytest.raises(CaptionError, match=r"table cannot be written \(File too large\)"):
                fill(table, range(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before
        assert fill(table, range(3)) == [1, 2]
    assert path.read_bytes() == made(kind, tmp_path / "same")
