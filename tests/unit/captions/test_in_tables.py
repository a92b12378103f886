"""Pictures in Parquet files and at file:// URLs: which column, what rows are called, what is wrong with a file."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from img2prompt.captions import CaptionError, caption, in_tables, stores
from img2prompt.captions.find import find
from img2prompt.captions.found import Found, Stored
from img2prompt.captions.opening import opened
from img2prompt.captions.task import Carried, Task
from img2prompt.prompts.errors import PromptError
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import NAMES, Album, drawn, json_rows, table
from img2prompt.tests.unit.prompts.recover.containers import png

IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    in_tables._GROUPS._kept.clear()
    yield
    in_tables._GROUPS._kept.clear()


def images(*names: str | None) -> pyarrow.Array:
    return pyarrow.array([{"bytes": b"x", "path": name} for name in names], IMAGE)


def names(*sources: Any, column: str | None = None) -> list[str]:
    return [found.name for found in find(*sources, column=column)]


def content(found: Found) -> bytes:
    file = opened(found)
    return file.read_bytes() if isinstance(file, Path) else file.read()


def test_rows_are_captioned_as_files_are(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    """The same bytes in every output, JPEG, PNG and one that carries its prompt."""
    for number in range(20):
        album.add(f"{number:03d}.{'jpg' if number % 3 else 'png'}")
    (album.folder / "020.png").write_bytes(png({"parameters": "a red fox\nSteps: 20, Seed: 5"}))
    (album.folder / "021.png").write_bytes(b"no picture")
    files = sorted(album.folder.iterdir())
    rows = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    source = table(tmp_path / "a.parquet", columns={"image": pyarrow.array(rows, IMAGE)})
    ends = []
    for one, out in ((album.folder, tmp_path / "files"), (source, tmp_path / "rows")):
        outputs: dict[str, Any] = {"jsonl": out / "a.jsonl", "csv": out / "a.csv", "into": out / "beside"}
        summary = caption(one, **outputs, min_confidence=0.1)
        ends.append((summary.done, summary.embedded, summary.failed, summary.failures[0].name))
        again = caption(one, **outputs)
        assert (again.done, again.skipped, again.failed) == (0, 21, 1)
    assert ends == [(21, 1, 1, "021.png")] * 2
    written = [
        {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}
        for out in (tmp_path / "files", tmp_path / "rows")
    ]
    assert written[0] == written[1] and len(written[0]) == 2 + 21
    assert album.wrong((row["file_name"], row["text"]) for row in json_rows(tmp_path / "rows/a.jsonl")[:20]) == []


def test_what_a_source_of_tables_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "data/one.parquet", range(2))
    table(tmp_path / "data/more/two.PARQUET", columns={"image": images("z.png")})
    both = ["000.png", "001.png", "z.png"]
    assert names("data") == names(Path("data")) == both
    assert (
        names("data/**/*.parquet")
        == names("data/*.parquet")
        == names("data/one.parquet")
        == names(["data/one.parquet"])
        == both[:2]
    )
    assert names((tmp_path / "data").as_uri()) == both
    assert names("data/one.parquet", "data/more") == [
        *("data/one.parquet/000.png", "data/one.parquet/001.png", "data/more/two.PARQUET/z.png"),
    ]
    Album(tmp_path / "data").add("a.png")  # with pictures it is a folder of pictures
    assert names("data") == ["a.png"]


def test_tables_are_read_although_a_folder_beside_them_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(tmp_path / "in/a.parquet", range(2))
    (tmp_path / "in/b").mkdir()
    scandir = os.scandir

    def refused(folder: Any) -> Any:  # rights say nothing to root
        if Path(folder).name == "b":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refused)
    found = list(find(tmp_path / "in"))
    assert [(one.name, bool(one.problem)) for one in found] == [("000.png", False), ("001.png", False), ("b", True)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.parquet")
    with pytest.raises(CaptionError, match=r"a\.parquet cannot be read as Parquet \(not a file\)"):
        names([tmp_path / "a.parquet"])


@pytest.mark.parametrize(
    ("columns", "called"),
    [
        ({"image": images("a.png", "b/c.png")}, ["a.png", "b/c.png"]),
        ({"image": images("a.png", None), "file_name": ["x.png", "y.png"]}, ["a.png", "y.png"]),
        ({"image": images(None, ""), "file_name": [1, 2]}, ["a.parquet/0", "a.parquet/1"]),
        ({"data": [b"1", b"2"], "file_name": ["x.png", None]}, ["x.png", "a.parquet/1"]),
        ({"image": images("..", "/../"), "other": [b"1", b"2"]}, ["a.parquet/0", "a.parquet/1"]),
        ({"my.image": pyarrow.array([b"1", b"2"], pyarrow.large_binary())}, ["a.parquet/0", "a.parquet/1"]),
        ({"image": images("caf\u00e9\n.png", "日本.png")}, ["café\n.png", "日本.png"]),
    ],
)
def test_what_rows_are_called(columns: dict[str, Any], called: list[str], tmp_path: Path) -> None:
    found = list(find(table(tmp_path / "a.parquet", columns=columns).parent))
    assert [one.name for one in found] == called
    assert {content(one) for one in found} <= {b"x", b"1", b"2"}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    texts = pyarrow.array([b"caf\xe9.png"]).view(pyarrow.string())
    table(tmp_path / "a.parquet", columns={"data": [b"1"], "file_name": texts})
    assert names(tmp_path) == ["caf\\xe9.png"]


def test_names_lead_nowhere_out_of_into(server: SeeingServer, tmp_path: Path) -> None:
    paths = ["../../up.png", "/root.png", "a/../../b.png", "..", "./c.png"]
    rows = [{"bytes": drawn("red"), "path": path} for path in paths]
    table(tmp_path / "in/a.parquet", columns={"image": pyarrow.array(rows, IMAGE)})
    summary = caption(tmp_path / "in", into=tmp_path / "out/captions")
    assert (summary.done, summary.failures) == (5, [])
    written = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.txt"))
    assert written == [f"out/captions/{name}.txt" for name in ("a.parquet/3", "a/b", "c", "root", "up")]


@pytest.mark.parametrize(
    ("columns", "column", "why"),
    [
        ({"image": images("a"), "b": images("a")}, None, r"several columns of .* \(image, b\); name one with --column"),
        ({"a": [b"1"], "b": [b"2"]}, None, r"several columns of pictures \(a, b\)"),
        ({"url": ["x"], "n": [1]}, None, r"no column of pictures; name the one .* with --column \(url, n\)"),
        ({"image": images("a")}, "picture", r"has no column picture; .* \(image\)"),
        ({"image": images("a"), "n": [1]}, "n", r"column n of .* holds int64 and no pictures; .* \(image, n\)"),
    ],
)
def test_which_column_is_told(columns: dict[str, Any], column: str | None, why: str, tmp_path: Path) -> None:
    source = table(tmp_path / "a.parquet", columns=columns)
    with pytest.raises(CaptionError, match=why):
        names(source, column=column)
    assert names(source, column=next(iter(columns))) != []


def test_a_column_of_paths(album: Album, tmp_path: Path) -> None:
    """Taken where it is named, from the table's folder on; a URL may not say where keys are sent to."""
    album.add("x/a.png")
    values = ["x/a.png", str(album.folder / "x/a.png"), None, "s3://b/k.png", "s3://k:s3cret@b/k.png", "s3://b/k?x=1"]
    source = table(album.folder / "a.parquet", columns={"url": values})
    found = list(find(source, column="url"))
    assert [content(one) for one in found[:2]] == [(album.folder / "x/a.png").read_bytes()] * 2
    assert [one.name for one in found[:2]] == values[:2]
    assert (found[3].name, found[3].place) == ("b/k.png", Stored("s3://b", "k.png"))
    whys = [one.problem for one in found]
    assert whys[:2] == ["", ""] and whys[3] == ""
    assert "names no picture" in whys[2] and "carries a key" in whys[4] and "settings behind" in whys[5]
    assert "s3cret" not in repr(found)


def damaged(file: Path, how: str) -> None:
    whole = table(file, range(8)).read_bytes()
    pages = bytearray(whole)
    pages[40:200] = b"\xff" * 160
    file.write_bytes({"cut": whole[:-20], "empty": b"", "torn": bytes(pages), "text": b"no parquet"}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "text"])
def test_a_file_that_is_no_parquet(how: str, server: SeeingServer, tmp_path: Path) -> None:
    """Named, it ends the run before it begins; among others it is one failure."""
    damaged(tmp_path / "in/b.parquet", how)
    with pytest.raises(CaptionError, match=r"b\.parquet cannot be read as Parquet"):
        caption(tmp_path / "in/b.parquet", jsonl=tmp_path / "a.jsonl")
    table(tmp_path / "in/a.parquet", range(3))
    table(tmp_path / "in/c.parquet", columns={"image": images("c.png")})
    summary = caption(tmp_path / "in", jsonl=tmp_path / "a.jsonl")
    assert (summary.done, [failure.name for failure in summary.failures]) == (3, ["b.parquet", "c.png"])


def test_what_is_wrong_with_rows_is_theirs(server: SeeingServer, tmp_path: Path) -> None:
    """A null, no bytes, a row group that is damaged, a file that has gone since."""
    rows = [None, {"bytes": None, "path": "null.png"}, {"bytes": drawn("red"), "path": "red.png"}]
    table(tmp_path / "in/a.parquet", columns={"image": pyarrow.array(rows, IMAGE)})
    damaged(tmp_path / "in/b.parquet", "torn")
    summary = caption(tmp_path / "in", jsonl=tmp_path / "a.jsonl")
    whys = {failure.name: failure.why for failure in summary.failures}
    assert list(whys) == ["a.parquet/0", "null.png", "000.png", "001.png", "002.png", "003.png"]
    assert "a.parquet, row 0, has no picture" in whys["a.parquet/0"]
    assert "row 1, has no picture" in whys["null.png"]
    assert all("b.parquet cannot be read as Parquet" in whys[f"{number:03d}.png"] for number in range(4))
    assert summary.done == 1 + 4  # the damaged file's other group

    later = list(find(table(tmp_path / "c.parquet", range(6))))
    table(tmp_path / "c.parquet", range(1))
    assert content(later[0])
    for gone, why in ((later[1], "is there no more"), (later[5], "cannot be read as Parquet")):
        with pytest.raises(CaptionError, match=why):
            opened(gone)
    (tmp_path / "c.parquet").unlink()
    in_tables._GROUPS._kept.clear()
    with pytest.raises(CaptionError, match=r"There is no .*c\.parquet"):
        opened(later[0])


def test_nothing_is_written_beside_rows(tmp_path: Path, album: Album) -> None:
    source = table(tmp_path / "in/a.parquet", range(2))
    for one in (source, source.parent, str(tmp_path / "in/*.parquet"), "s3://bucket/in?region=x"):
        with pytest.raises(PromptError, match=r"Nothing can be written beside the pictures of .*[^x]; name a folder"):
            caption(one)
    album.add("a.png")
    summary = caption([album.folder / "a.png", source], sidecars=True, engine=NoEngine())  # pyright: ignore[reportArgumentType]
    assert {failure.why for failure in summary.failures} == {
        "It lies in no folder here that its caption could go to; name another (--into), or a table."
    }


def test_captions_are_not_written_among_the_tables_that_are_read(tmp_path: Path) -> None:
    """The next run would take them for pictures."""
    folder = table(tmp_path / "in/a.parquet", range(2)).parent
    for out in (folder, folder / "captions"):
        with pytest.raises(PromptError, match="where all Parquet files are taken for pictures"):
            caption(folder, parquet=out)
    Album(folder).add("a.png")
    assert caption(folder, parquet=folder / "captions", engine=NoEngine()).failed == 0  # pyright: ignore[reportArgumentType]


class NoEngine:
    """A Captioner that answers to nobody."""

    model = ""

    def outcomes(self, task: Task, pictures: Iterator[tuple[Found, str]]) -> Iterator[tuple[Found, Any]]:
        return ((found, CaptionError(why)) for found, why in pictures if why)


def test_a_row_group_is_read_once_by_all_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And two are kept at most where they are large."""
    source = table(tmp_path / "a.parquet", range(64), group=16)
    rows = list(find(source))
    read: list[int] = []
    read_group, together = in_tables._read_group, threading.Barrier(8)

    def noted(place: Any) -> Any:
        read.append(place.group)
        return read_group(place)

    def one(number: int) -> bytes:
        together.wait()
        return content(rows[number])

    monkeypatch.setattr(in_tables, "_read_group", noted)
    monkeypatch.setattr(in_tables, "KEPT_BYTES", 1)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(one, range(64))) == [drawn(NAMES[number % len(NAMES)]) for number in range(64)]
    assert sorted(read) == [0, 1, 2, 3]
    assert len(in_tables._GROUPS._kept) == 2
    assert content(rows[40]) and len(read) == 4
    assert content(rows[0]) and read[4:] == [0]


def test_small_row_groups_are_kept_in_a_number_that_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they weigh: each is looked at when the next is read."""
    monkeypatch.setattr(in_tables, "KEPT_BYTES", 4 * in_tables.LEAST_BYTES)
    for one in find(table(tmp_path / "a.parquet", range(12), group=1)):
        assert content(one)
    assert len(in_tables._GROUPS._kept) == 4


def test_a_row_group_that_no_worker_could_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_tables, "MOST_GROUP_BYTES", 700)
    assert len(names(table(tmp_path / "a.parquet", range(8), group=1))) == 8
    with pytest.raises(CaptionError, match=r"in one row group, more than .* fewer rows in each"):
        names(table(tmp_path / "b.parquet", range(8), group=8))


@pytest.mark.parametrize("source", ["s3://bucket/in", "s3://bucket/*.png", "a.parquet"])
def test_pyarrow_is_asked_for(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(table(tmp_path / "a.parquet", range(1)).parent)
    stores._system.cache_clear()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CaptionError, match=r"need pyarrow; install it \(pip install 'comfyui-img2prompt\[parquet\]'\)"):
        names(source)


def test_a_carried_prompt_is_found_in_a_row(tmp_path: Path) -> None:
    row = {"bytes": png({"parameters": "a red fox\nSteps: 20, Seed: 5"}), "path": "fox.png"}
    (found,) = find(table(tmp_path / "a.parquet", columns={"image": pyarrow.array([row], IMAGE)}))
    assert Task().request(found) == Carried(positive="a red fox", negative="")
