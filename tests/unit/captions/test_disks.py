"""Disks that are full or read-only, each a small one of its own, and two runs in one place."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from img2prompt.captions import CaptionError, Summary, caption
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import Album, csv_rows, json_rows, parquet_rows
from img2prompt.tests.waiting import until

MOUNT = 'mount -t tmpfs -o "$1" tmpfs "$2" && cd "$2" && shift 2 && exec "$@"'
"""A disk that only this command sees: in a user namespace everybody may mount one."""
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh"]
PRELUDE = """
import shutil, subprocess, sys
from pathlib import Path
from img2prompt.captions import CaptionError, caption

pictures = Path(sys.argv[1]) / "pictures"

def remount(options):
    subprocess.run(["mount", "-o", f"remount,{options}", "."], check=True)

def refused(**places):
    try:
        caption(pictures, **places)
    except CaptionError as error:
        return str(error)
    raise AssertionError(f"{places} could be written")
"""
OnDisk = Callable[[str, str], None]


@pytest.fixture
def on_disk(tmp_path: Path) -> OnDisk:
    """Runs Python code, after PRELUDE, in a disk like this."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        able = subprocess.run([*NAMESPACE, "size=64k", str(disk), "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no disk can be mounted here: there is no unshare")
    if able.returncode:
        pytest.skip(f"no disk can be mounted here: {able.stderr.decode().strip()}")

    def run(options: str, code: str) -> None:
        words = [*NAMESPACE, options, str(disk), sys.executable, "-c", PRELUDE + code, str(tmp_path)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr

    return run


def test_a_full_disk_is_told_and_what_fitted_is_whole(
    album: Album, server: SeeingServer, tmp_path: Path, on_disk: OnDisk
) -> None:
    """All outputs on 160 KiB; then there is more room, and the same call ends what was begun."""
    album.numbered(120)
    on_disk(
        "size=160k",
        """
places = {"into": "out", "jsonl": "a.jsonl", "csv": "a.csv", "parquet": "a"}
said = refused(**places)
assert said.startswith("The disk is full at "), said
assert said.endswith("; make room, and run the same again, without --overwrite: it goes on where it stopped."), said
shutil.copytree(".", sys.argv[1] + "/before")
remount("size=16m")
caption(pictures, **places)
shutil.copytree(".", sys.argv[1] + "/after")
""",
    )
    names, counts = list(album.colors), []
    for copy in (tmp_path / "before", tmp_path / "after"):
        tables = [json_rows(copy / "a.jsonl"), csv_rows(copy / "a.csv"), parquet_rows(copy / "a")]
        assert [[row["file_name"] for row in rows] for rows in tables] == [names[: len(rows)] for rows in tables]
        beside = {str(file.relative_to(copy / "out")): file.read_text() for file in (copy / "out").rglob("*.*")}
        assert sorted(beside) == [name.replace(".png", ".txt") for name in names[: len(beside)]]
        assert all(text.endswith("\n") for text in beside.values())
        counts.append([*map(len, tables), len(beside)])
    (lines, values, parts, sidecars), after = counts
    assert 0 < sidecars <= values <= lines <= sidecars + 1 < 120
    assert parts in (0, values, lines)
    assert after == [120] * 4


def test_a_read_only_place_is_told(album: Album, server: SeeingServer, tmp_path: Path, on_disk: OnDisk) -> None:
    album.numbered(20)
    on_disk(
        "size=16m",
        """
shutil.copytree(pictures, "pictures")
remount("ro")
pictures = "pictures"
for places in {"jsonl": "a.jsonl"}, {"csv": "b/a.csv"}, {"parquet": "a"}, {"into": "out"}:
    said = refused(**places)
    assert "cannot be written (Read-only file system); check its rights, or write elsewhere" in said, said
summary = caption(pictures)
assert (summary.done, summary.failed, summary.model) == (0, 20, ""), summary
why = "cannot be written (Read-only file system); check its rights, or write elsewhere (--into)."
assert all(failure.why.endswith(why) for failure in summary.failures), summary.failures
summary = caption(pictures, into=sys.argv[1] + "/out")
assert summary.done == 20 and not summary.failed, summary
""",
    )
    assert len(list((tmp_path / "out").rglob("*.txt"))) == 20
    assert server.counts.requests == 20, "each place is tried before anything is asked"


def test_one_folder_that_cannot_be_written_holds_up_no_other(
    album: Album, server: SeeingServer, tmp_path: Path, on_disk: OnDisk
) -> None:
    """Read-only ones, of which one has its captions; one without the right to write; a file in a folder's place."""
    album.add("a/1.png", "b/1.png", "b/2.png", "c/1.png", "d/1.png", "e/1.png", "f/1.png")
    (album.folder / "e" / "1.txt").write_text("mine")
    on_disk(
        "size=16m",
        """
import os
shutil.copytree(pictures, "pictures")
for folder in ("pictures/b", "pictures/e"):
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
os.chmod("pictures/d", 0o555)
code = '''
import sys
from img2prompt.captions import caption
summary = caption("pictures", into=sys.argv[1] or None)
print(summary.done, summary.skipped, *(f"{one.name}: {one.why}" for one in summary.failures), sep="|")
'''

def run(into=""):
    mortal = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    ended = subprocess.run([*mortal, sys.executable, "-c", code, into], capture_output=True, text=True)
    assert not ended.returncode, ended.stderr
    return ended.stdout.strip().split("|")

def why(name, folder, cause):
    return f"{name}: {folder} cannot be written ({cause}); check its rights, or write elsewhere (--into)."

locked = [why(f"b/{number}.png", "pictures/b", "Read-only file system") for number in (1, 2)]
locked.append(why("d/1.png", "pictures/d", "Permission denied"))
said = run()
assert said == ["3", "1", *locked], said
os.mkdir("out")
Path("out/f").write_text("in the way")
said = run("out")
assert said == ["6", "0", why("f/1.png", "out/f", "Not a directory")], said
shutil.copytree("pictures", sys.argv[1] + "/after")
""",
    )
    written = sorted(str(file.relative_to(tmp_path / "after")) for file in (tmp_path / "after").rglob("*.txt"))
    assert written == ["a/1.txt", "c/1.txt", "e/1.txt", "f/1.txt"]
    assert server.counts.requests == 3 + 6


def test_what_a_full_disk_did_not_take_is_not_said_to_stay(
    album: Album, server: SeeingServer, tmp_path: Path, on_disk: OnDisk
) -> None:
    """The first parts of the table fit, and the next does not."""
    album.add(*(f"{number:02d}.png" for number in range(90)))
    on_disk(
        "size=64k",
        """
import os
from img2prompt.captions.parquet import Parquet
from img2prompt.cli.app import run

Parquet.__init__.__kwdefaults__["part_rows"] = 10
there, told = sys.argv[1], os.dup(2)
os.dup2(os.open(there + "/said", os.O_CREAT | os.O_WRONLY), 2)
sys.argv = ["img2prompt", "caption", str(pictures), "--parquet", "a"]
try:
    run()
except SystemExit as ended:
    assert ended.code == 1, ended
os.dup2(told, 2)
shutil.copytree("a", there + "/before")
remount("size=16m")
caption(pictures, parquet="a")
shutil.copytree("a", there + "/after")
""",
    )
    said = (tmp_path / "said").read_text()
    told = re.fullmatch(
        r"(\d+) pictures have their captions; they stay. (\d+) more were answered and could not be written; .*",
        said,
        re.S,
    )
    assert told is not None, said
    before, after = ([row["file_name"] for row in parquet_rows(tmp_path / name)] for name in ("before", "after"))
    assert 10 <= len(before) == int(told[1]) < 90 and int(told[2]) == 10
    assert f"The disk is full at a/part-{len(before) // 10:06d}.parquet; make room" in said
    assert after == list(album.colors)


def running(*arguments: object, **places: object) -> tuple[threading.Thread, list[Summary]]:
    """A run on another thread."""
    ended: list[Summary] = []
    thread = threading.Thread(
        target=lambda: ended.append(caption(*arguments, **places)),  # pyright: ignore[reportArgumentType]
        daemon=True,
    )
    thread.start()
    return thread, ended


@pytest.mark.parametrize("place", ["jsonl", "csv", "parquet"])
def test_a_second_run_into_one_table_is_refused(place: str, album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.numbered(40)
    server.control.hold = True
    thread, ended = running(album.folder, **{place: tmp_path / "a"})
    until(lambda: server.counts.in_flight)
    asked = server.counts.requests
    with pytest.raises(CaptionError, match=f"Another run is writing {tmp_path}/a; wait for it"):
        caption(album.folder, **{place: tmp_path / "a"})  # pyright: ignore[reportArgumentType]
    server.control.hold = False
    thread.join(30)
    assert (ended[0].done, ended[0].failed, asked <= 40 == server.counts.requests) == (40, 0, True)


def test_two_runs_for_the_same_sidecars_both_end_well(album: Album, server: SeeingServer) -> None:
    album.numbered(60)
    server.control.hold = True
    both = [running(album.folder) for _ in range(2)]
    until(lambda: server.counts.in_flight >= 20)
    server.control.hold = False
    for thread, ended in both:
        thread.join(30)
        assert (ended[0].done + ended[0].skipped, ended[0].failed) == (60, 0)
    assert album.wrong(album.beside().items()) == [] and len(album.beside()) == 60
    assert album.others() == []
