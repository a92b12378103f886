"""Captions from two workers on a real Ray: the same as without, also where they are killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from img2prompt.captions import caption, on_ray
from img2prompt.captions.find import find
from img2prompt.captions.found import Found, InTable
from img2prompt.captions.on_ray import OnRay, load_ray
from img2prompt.captions.run import Captioner, Summary, make_outputs, run
from img2prompt.captions.task import Task
from img2prompt.cli import main
from img2prompt.engine.errors import WrongKey
from img2prompt.engine.shared import bulk_engine
from img2prompt.tests.ray.conftest import API_KEY, WORKERS, Cluster
from img2prompt.tests.ray.store import SECRET, Store
from img2prompt.tests.unit.captions.album import NAMES, Album, json_rows, parquet_rows, table
from img2prompt.tests.unit.prompts.recover.containers import png
from img2prompt.tests.waiting import until
from pyarrow import parquet
from pyarrow.fs import FileSystem

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # Ray warns of its own doing
TASK = Task(("sdxl", "flux1"), template="{prompt} | {name}")


def captioned(album: Album, out: Path, captioner: Captioner | None = None) -> Summary:
    """With every kind of output, below `out`."""
    outputs = make_outputs(TASK, jsonl=out / "a.jsonl", csv=out / "a.csv", parquet=out / "a", into=out / "beside")
    with closing(bulk_engine()) as engine:
        return run(find(album.folder), TASK, outputs, captioner or engine)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def workers(cluster: Cluster) -> Iterator[int]:
    """The process ids of this Ray's workers that have an engine."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # one that has just ended
            if (process / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                starter = (process / "stat").read_text().rpartition(")")[2].split()[1]
                if str(cluster.folder) in Path("/proc", starter, "cmdline").read_text():
                    yield int(process.name)


def test_the_same_bytes_where_workers_are_killed(
    cluster: Cluster, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "BATCH", 8)  # so that both have some
    album.numbered(200)
    (album.folder / "part 1" / "broken.png").write_bytes(b"no picture")
    (album.folder / "part 2" / "fox.png").write_bytes(png({"parameters": "a red fox\nSteps: 20, Seed: 5"}))
    alone = captioned(album, tmp_path / "alone")
    assert (alone.done, alone.embedded, alone.failed) == (201, 1, 1)

    counts = cluster.server.counts
    asked = counts.requests
    cluster.server.control.hold = True
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(captioned, album, tmp_path / "ray", cluster.on_ray)
        try:
            until(lambda: counts.in_flight, 120)
            killed = set(workers(cluster))
            gone = counts.cancelled
            for worker in killed:  # one of them has asked for sure, which one only Ray knows
                os.kill(worker, signal.SIGKILL)
            until(lambda: counts.cancelled > gone)
        finally:
            cluster.server.control.hold = False
        together = running.result(120)
    assert contents(tmp_path / "ray") == contents(tmp_path / "alone")
    assert len(contents(tmp_path / "ray")) == 3 + 2 * 201
    assert (together.done, together.embedded, together.failures) == (201, 1, alone.failures)
    assert together.model == alone.model == "seeing-model"
    assert counts.requests > asked + 200  # what the killed ones were at was done again
    assert killed and not killed & set(workers(cluster))


def test_a_run_goes_on_where_another_ended(
    cluster: Cluster, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what Ray writes among the outputs."""
    album.numbered(40)
    table, there = tmp_path / "a.jsonl", tmp_path / "there"
    outputs = ["--jsonl", str(table), "--into", str(tmp_path / "beside"), "--output", there.as_uri()]
    command = ["img2prompt", "caption", str(album.folder), "--ray", "local", *outputs]
    for more, done in ((["--limit", "25"], "25 pictures in "), ([], "15 pictures in ")):
        monkeypatch.setattr(sys, "argv", [*command, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0, said.out, done in said.err) == (0, "", True)
    assert [row["file_name"] for row in json_rows(table)] == list(album.colors)
    assert album.wrong((row["file_name"], row["text"]) for row in json_rows(table)) == []
    lines = [{**row, "analysis": json.dumps(row["analysis"], ensure_ascii=False)} for row in json_rows(table)]
    assert sorted(parquet_rows(there), key=lambda row: row["file_name"]) == lines
    assert cluster.server.counts.requests == 40
    files = [file for file in cluster.folder.rglob("*") if file.is_file()]  # all that Ray has written, logs among it
    assert len(files) > 5
    assert [file for file in files if API_KEY.encode() in file.read_bytes()] == []


def test_from_tables_in_a_store_to_a_store(
    cluster: Cluster, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures that are rows, read by two workers; the rows are those of a run without Ray. Keys are nowhere in Ray's
    files, and nothing is asked again."""
    for part, numbers in enumerate((range(30), range(30, 55))):
        store.put(**{f"data/{part}.parquet": table(tmp_path / "a.parquet", numbers, group=10).read_bytes()})
    there, lines, alone = store.url("captions"), tmp_path / "ray.jsonl", tmp_path / "alone.jsonl"
    command = ["img2prompt", "caption", store.url("data"), "--ray", "local", "--workers", "2"]
    for done in ("55 pictures in ", "0 pictures in "):
        monkeypatch.setattr(sys, "argv", [*command, "--output", there, "--jsonl", str(lines)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0, said.out, done in said.err) == (0, "", True), said.err
        assert cluster.server.counts.requests == 55
    assert caption(store.url("data"), jsonl=alone).done == 55
    assert lines.read_bytes() == alone.read_bytes()
    system, path = FileSystem.from_uri(there)
    written = parquet.read_table(path, filesystem=system).to_pylist()
    rows = [{**row, "analysis": json.dumps(row["analysis"], ensure_ascii=False)} for row in json_rows(alone)]
    assert sorted(written, key=lambda row: row["file_name"]) == rows
    assert [row["file_name"] for row in rows] == [f"{number:03d}.png" for number in range(55)]
    wrong = [
        row["text"] for number, row in enumerate(rows) if f"{NAMES[number % len(NAMES)]} center" not in row["text"]
    ]
    assert wrong == []
    files = [file for file in cluster.folder.rglob("*") if file.is_file()]
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []


def test_a_row_group_goes_to_one_worker() -> None:
    rows = [Found(Path(str(n)), str(n), place=InTable("a", "image", n // 300, n % 300, n)) for n in range(500)]
    files = [Found(Path(f"{n}.png"), f"{n}.png") for n in range(70)]
    large = [Found(Path(f"x{n}"), f"x{n}", place=InTable("b", "image", 0, n, n)) for n in range(1001)]
    batches = list(on_ray.in_batches([(found, "") for found in (*rows, *files, *large)]))
    assert [len(batch) for batch in batches] == [300, 200, 64, 6, 1000, 1]
    assert [found for batch in batches for found, _ in batch] == [*rows, *files, *large]
    small = [Found(Path(f"y{n}"), f"y{n}", place=InTable("c", "image", n // 10, n % 10, n)) for n in range(130)]
    assert [len(batch) for batch in on_ray.in_batches([(found, "") for found in (*small, *rows)])] == [
        60,
        60,
        10,
        300,
        200,
    ]


def test_the_key_goes_to_no_server_but_those_of_the_workers_settings(
    cluster: Cluster, album: Album, tmp_path: Path
) -> None:
    """And an engine that refuses ends the run, but not a Ray that others have begun."""
    album.numbered(4)
    other = cluster.server.url.replace("127.0.0.1", "localhost")
    with closing(OnRay(workers=WORKERS, endpoints=[other])) as joined, pytest.raises(WrongKey):
        captioned(album, tmp_path / "out", joined)
    assert load_ray().is_initialized()
    assert all(
        "authorization" not in headers or API_KEY not in headers["authorization"]
        for headers in cluster.server.counts.headers
    )
