"""`img2prompt caption` as a person or a script uses it: what it says, its exit codes, lists on stdin, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import Album, csv_rows, json_rows
from img2prompt.tests.unit.cli.conftest import Img2Prompt
from img2prompt.tests.waiting import until


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path / "my pictures")


Listed = Callable[[bytes], None]


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Listed]:
    """Puts this on stdin."""
    with (tmp_path / "list").open("w+b") as file:
        monkeypatch.setattr(sys, "stdin", file)

        def put(content: bytes) -> None:
            file.write(content)
            file.seek(0)

        yield put


def test_a_folder_gets_its_sidecars(img2prompt: Img2Prompt, endpoint: SeeingServer, album: Album) -> None:
    album.numbered(5)
    ended = img2prompt("caption", album.folder)
    assert (ended.code, ended.out) == (0, "")
    assert "5 pictures in " in ended.err and " a second)." in ended.err
    assert album.wrong(album.beside().items()) == [] and len(album.beside()) == 5
    again = img2prompt("caption", album.folder, "--resume")
    assert again.code == 0
    assert "0 pictures in " in again.err and "5 were there already" in again.err
    assert endpoint.counts.requests == 5


def test_the_summary_as_json(img2prompt: Img2Prompt, endpoint: SeeingServer, album: Album, tmp_path: Path) -> None:
    album.add("a.png", "b.png").folder.joinpath("c.png").touch()
    table = tmp_path / "a.jsonl"
    img2prompt("caption", album.folder, "--jsonl", table, "--limit", 1)
    ended = img2prompt("caption", album.folder, "--jsonl", table, "--format", "json", "--price-per-hour", 3.6)
    assert ended.code == 1
    told = json.loads(ended.out)
    assert list(told) == [
        *("done", "embedded", "skipped", "failed", "failures", "seconds", "pictures_per_s", "model", "price_per_1000"),
    ]
    assert [told[key] for key in ("done", "embedded", "skipped", "failed", "model")] == [1, 0, 1, 1, "seeing-model"]
    assert told["failures"][0]["name"] == "c.png" and "not a picture" in told["failures"][0]["why"]
    assert told["price_per_1000"] == pytest.approx(told["seconds"], rel=0.01)
    assert "1,000 pictures cost " in ended.err and " at 3.6 an hour." in ended.err
    plain = img2prompt("caption", album.folder, "--jsonl", table, "--format", "json")
    assert json.loads(plain.out)["price_per_1000"] is None


def test_failures_are_listed_and_the_exit_code_is_1(
    img2prompt: Img2Prompt, endpoint: SeeingServer, album: Album
) -> None:
    album.add("a.png")
    for number in range(25):
        (album.folder / f"broken \x1b[31m{number:02d}.png").touch()
    ended = img2prompt("caption", album.folder)
    assert ended.code == 1
    summary = ended.err.partition("25 have no caption:")[2]
    assert summary.count("is not a picture") == 20 and "… and 5 more, told above." in summary
    assert ended.err.count("is not a picture") == 45
    assert "\x1b" not in ended.err


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
@pytest.mark.parametrize("last", [True, False])
def test_a_list_on_stdin(
    end: str,
    last: bool,
    img2prompt: Img2Prompt,
    endpoint: SeeingServer,
    album: Album,
    tmp_path: Path,
    listed: Listed,
) -> None:
    names = ["ü x.png", "b.png", "a.png", *(["new\nline.png", "cr\r.png"] if end == "\0" else [])]
    paths = [album.add(name).folder / name for name in names]
    raw = tmp_path / os.fsdecode(b"caf\xe9.png")
    draw("red").save(raw)
    content = end.encode().join(os.fsencode(path) for path in [*paths, raw, paths[0]])
    listed(content + end.encode() * (2 * last))
    ended = img2prompt("caption", "-", "--jsonl", tmp_path / "a.jsonl")
    assert ended.code == 0
    found = [row["file_name"] for row in json_rows(tmp_path / "a.jsonl")]
    assert found == [*map(str, paths), f"{tmp_path}/caf\\xe9.png"]


def test_an_empty_list_is_no_failure(img2prompt: Img2Prompt, endpoint: SeeingServer, listed: Listed) -> None:
    listed(b"")
    ended = img2prompt("caption", "-")
    assert ended.code == 0 and "0 pictures in " in ended.err


def test_options_reach_text_and_model(
    img2prompt: Img2Prompt, endpoint: SeeingServer, album: Album, tmp_path: Path
) -> None:
    album.add("a.png", color="red")
    ended = img2prompt(
        *("caption", album.folder, "--family", "sdxl", "--family", "flux1", "--csv", tmp_path / "a.csv", "--sidecars"),
        *("--suffix", ".caption", "--into", tmp_path / "out", "--prefix", "ohwx", "--leave-out", "white border"),
        *("--template", "{prompt} | {name}", "--extra", "Name the hats.", "--seed", 7, "--token-budget", 60),
        *("--max-in-flight", 3),
    )
    assert ended.code == 0
    rows = csv_rows(tmp_path / "a.csv")
    assert [row["family"] for row in rows] == ["sdxl", "flux1"]
    for row in rows:
        assert row["text"].startswith("ohwx, ") and row["text"].endswith(" | a")
        assert "white border" not in row["text"] and row["token_budget"] == "60"
        assert (tmp_path / "out" / f"a.{row['family']}.caption").read_text() == row["text"] + "\n"
    assert list(album.folder.iterdir()) == [album.folder / "a.png"]
    (asked,) = endpoint.counts.payloads
    assert "Name the hats." in asked["messages"][1]["content"][-1]["text"] and asked["seed"] == 7


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_dry_run_does_nothing(
    overwrite: list[str], img2prompt: Img2Prompt, endpoint: SeeingServer, album: Album, tmp_path: Path
) -> None:
    album.numbered(14).add("cat.jpg", "cat.png")
    outputs = ["--jsonl", tmp_path / "a.jsonl", "--csv", tmp_path / "a.csv", "--parquet", tmp_path / "a", "--sidecars"]
    img2prompt("caption", album.folder, *outputs, "--limit", 2)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    asked = endpoint.counts.requests
    img2prompt("caption", album.folder, "--dry-run", "--into", tmp_path / "new" / "out", *overwrite)
    ended = img2prompt("caption", album.folder, *outputs, "--dry-run", *overwrite)
    assert (ended.code, ended.out, endpoint.counts.requests) == (0, "", asked)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert not (tmp_path / "new").exists()
    counts = "15 pictures would be captioned, of which 10 are named; 0 are there already. 1 cannot be."
    assert (counts if overwrite else counts.replace("15", "14").replace("; 0", "; 1")) in ended.err
    assert "cat.png: Its caption would go to cat.txt" in ended.err
    real = img2prompt("caption", album.folder, *outputs, "--format", "json", *overwrite)
    told = json.loads(real.out)
    assert (told["done"], told["failed"]) == (15 if overwrite else 14, 1)


def test_a_dry_run_needs_no_engine(img2prompt: Img2Prompt, album: Album) -> None:
    ended = img2prompt("caption", album.numbered(2).folder, "--dry-run", "--limit", 1)
    assert ended.code == 0 and "1 pictures would be captioned" in ended.err
    ended = img2prompt("caption", album.folder)
    assert ended.code == 1 and "No engine is set up" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "Missing argument"),
        (["nothing"], 1, "There is no nothing; give a folder"),
        ([".", "--template", "{promt}"], 2, "names {promt}"),
        ([".", "--family", "fluks1"], 2, "did you mean 'flux1'"),
        ([".", "--family", "sdxl", "--family", "sdxl"], 2, "each once"),
        ([".", "--suffix", ".png"], 2, "Captions cannot end in '.png'"),
        ([".", "--no-sidecars"], 2, "Nothing would be written"),
        ([".", "--limit", "0"], 2, "--limit"),
        ([".", "--prefix", "(open"], 2, "prefix"),
        ([".", "--endpoint", "nonsense"], 1, "must be a base URL"),
        ([".", "--jsonl", "."], 1, "cannot be written (Is a directory)"),
        ([".", "--csv", "a.png/x.csv"], 1, "cannot be written (File exists)"),
        ([".", "--parquet", "a.png"], 1, "cannot be written (File exists)"),
        ([".", "--into", "a.png"], 1, "cannot be written (File exists)"),
        ([".", "--jsonl", "a.png"], 1, "is no table of captions"),
    ],
)
def test_wrong_use_and_failure(
    arguments: list[str],
    code: int,
    says: str,
    img2prompt: Img2Prompt,
    endpoint: SeeingServer,
    album: Album,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(album.add("a.png").folder)
    picture = (album.folder / "a.png").read_bytes()
    ended = img2prompt("caption", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert says in ended.err and "they stay" not in ended.err
    assert (os.listdir("."), (album.folder / "a.png").read_bytes()) == (["a.png"], picture)
    assert endpoint.counts.requests == 0


@pytest.fixture
def running(endpoint: SeeingServer, album: Album, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of 300 pictures that come by a list on stdin which does not end, in a process of its own."""
    album.numbered(300)
    endpoint.control.delay_s = 0.05
    environment = os.environ | {"IMG2PROMPT_CACHE": "false"}
    command = [sys.executable, "-m", "img2prompt", "caption", "-", "--jsonl", str(tmp_path / "a.jsonl"), "--sidecars"]
    with subprocess.Popen(command, env=environment, text=True, stdin=-1, stderr=-1) as process:
        assert process.stdin
        process.stdin.writelines(f"{album.folder / name}\n" for name in album.colors)
        process.stdin.flush()
        yield process
        process.kill()


def test_ctrl_c_ends_it_and_it_goes_on_later(
    running: subprocess.Popen[str], img2prompt: Img2Prompt, endpoint: SeeingServer, album: Album, tmp_path: Path
) -> None:
    table = tmp_path / "a.jsonl"
    until(lambda: len(album.beside()) >= 20 or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    assert running.stderr
    said = running.stderr.read()
    rows = json_rows(table)
    told = re.fullmatch(
        r"Interrupted. (\d+) pictures have their captions; they stay. Run the same again to go on.\n", said
    )
    assert told and len(rows) - int(told[1]) in (0, 1)  # it may come between a caption and its being counted
    assert 20 <= len(album.beside()) <= len(rows) <= len(album.beside()) + 1 < 300
    assert album.others() == []
    until(lambda: not endpoint.counts.in_flight)
    endpoint.control.delay_s = 0
    paths = [str(album.folder / name) for name in album.colors]
    assert img2prompt("caption", *paths, "--jsonl", table, "--sidecars").code == 0
    assert [row["file_name"] for row in json_rows(table)] == paths
    assert album.wrong(album.beside().items()) == []


def test_an_error_ends_it_although_the_list_goes_on(
    running: subprocess.Popen[str], endpoint: SeeingServer, album: Album
) -> None:
    until(lambda: len(album.beside()) >= 20 or running.poll() is not None)
    endpoint.control.script = [{"status": 401}] * 300
    assert running.wait(30) == 1
    assert running.stderr and "refused the API key" in running.stderr.read()


def test_several_endpoints_share_the_work(img2prompt: Img2Prompt, album: Album, tmp_path: Path) -> None:
    with SeeingServer() as one, SeeingServer() as other:
        one.control.delay_s = other.control.delay_s = 0.05
        ended = img2prompt(
            *("caption", album.numbered(80).folder, "--jsonl", tmp_path / "a.jsonl"),
            *("--endpoint", one.url, "--endpoint", other.url, "--max-in-flight", 4),
        )
        assert ended.code == 0
        assert one.counts.answered + other.counts.answered == 80
        assert max(one.counts.max_in_flight, other.counts.max_in_flight) == 4
        assert min(one.counts.answered, other.counts.answered) >= 20
    assert [row["file_name"] for row in json_rows(tmp_path / "a.jsonl")] == list(album.colors)
