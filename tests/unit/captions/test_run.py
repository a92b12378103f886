"""Whole runs through the Python API: every output, every kind of picture, and what is done again."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from img2prompt.captions import CaptionError, Failure, Summary, caption, on_engine
from img2prompt.captions import run as run_module
from img2prompt.captions.tables import COLUMNS
from img2prompt.engine.errors import BadAnswer, Unreachable, WrongKey
from img2prompt.prompts import RenderOptions
from img2prompt.prompts.errors import PromptError
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import Album, csv_rows, json_rows, parquet_rows
from img2prompt.tests.unit.prompts.recover.containers import png
from PIL import Image

FOX = "a red fox, (deep snow:1.2)"
EMBEDDED = f"{FOX}\nNegative prompt: (ugly:1.3), blurry\nSteps: 20, Sampler: Euler a, Seed: 5"


def done(summary: Summary) -> tuple[int, int, int]:
    return summary.done, summary.skipped, summary.failed


def whys(summary: Summary) -> dict[str, str]:
    return {failure.name: failure.why for failure in summary.failures}


def test_all_outputs_hold_every_picture_once_in_order(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.numbered(40)
    places: dict[str, Any] = {"jsonl": tmp_path / "a.jsonl", "csv": tmp_path / "a.csv", "parquet": tmp_path / "a"}
    first = caption(album.folder, sidecars=True, families=["sdxl"], **places)
    assert (done(first), first.model) == ((40, 0, 0), "seeing-model")
    tables = [json_rows(places["jsonl"]), csv_rows(places["csv"]), parquet_rows(places["parquet"])]
    for rows in tables:
        assert [row["file_name"] for row in rows] == list(album.colors)
        assert album.wrong((row["file_name"], row["text"]) for row in rows) == []
    for column in COLUMNS:
        lines, values, parts = ([str(row[column]) for row in rows] for rows in tables)
        assert lines == values == parts
    assert [
        row["analysis"]["caption"] in str(other["analysis"]) for row, other in zip(tables[0], tables[2], strict=True)
    ]
    assert album.beside() == {row["file_name"]: row["text"] + "\n" for row in tables[0]}
    assert album.others() == []
    again = caption(album.folder, sidecars=True, families=["sdxl"], **places)
    assert (done(again), again.model, server.counts.requests) == ((0, 40, 0), "", 40)


def test_what_one_output_lacks_is_made_for_it_alone(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.numbered(6)
    names = list(album.colors)
    caption(album.folder, jsonl=tmp_path / "a.jsonl", sidecars=True)
    lines = (tmp_path / "a.jsonl").read_bytes()
    (album.folder / names[2]).with_suffix(".txt").unlink()
    (album.folder / names[3]).with_suffix(".txt").write_text("mine")
    summary = caption(album.folder, jsonl=tmp_path / "a.jsonl", csv=tmp_path / "b.csv", sidecars=True)
    assert done(summary) == (6, 0, 0)
    assert (tmp_path / "a.jsonl").read_bytes() == lines
    assert [row["file_name"] for row in csv_rows(tmp_path / "b.csv")] == names
    assert (album.beside()[names[3]], len(album.beside())) == ("mine", 6)
    summary = caption(album.folder, jsonl=tmp_path / "a.jsonl", csv=tmp_path / "b.csv", sidecars=True, overwrite=True)
    assert done(summary) == (6, 0, 0)
    assert (tmp_path / "a.jsonl").read_bytes() == lines
    assert album.wrong(album.beside().items()) == []


def test_a_limit_and_then_the_rest(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.numbered(10)
    table = tmp_path / "a.jsonl"
    ends = [done(caption(album.folder, jsonl=table, limit=4)) for _ in range(4)]
    assert ends == [(4, 0, 0), (4, 4, 0), (2, 8, 0), (0, 10, 0)]
    assert [row["file_name"] for row in json_rows(table)] == list(album.colors)
    assert server.counts.requests == 10


def test_several_families_of_one_look(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.numbered(3)
    families = ["sdxl", "flux1", "pony"]
    caption(album.folder, families=families, csv=tmp_path / "a.csv", sidecars=True)
    rows = csv_rows(tmp_path / "a.csv")
    assert [(row["file_name"], row["family"]) for row in rows] == [
        (name, family) for name in album.colors for family in families
    ]
    assert {family: album.wrong(album.beside(f".{family}.txt").items()) for family in families} == {
        family: [] for family in families
    }
    assert len({row["text"] for row in rows if row["file_name"] == rows[0]["file_name"]}) == 3
    assert server.counts.requests == 3


@pytest.mark.parametrize(
    ("template", "prefix", "text"),
    [
        ("{prompt}", "ohwx", "ohwx, {prompt}"),
        ("{caption}", "", "{caption}"),
        ("{caption}", "ohwx", "ohwx, {caption}"),
        ("{{prompt}} {tags}", "ohwx", "ohwx, {{prompt}} {tags}"),
        ("[{name}] {tags} | {prompt} {{}}", "", "[a b] {tags} | {prompt} {{}}"),
        ("{prompt}\n{caption}", "ohwx", "ohwx, {prompt}\n{caption}"),
    ],
)
def test_templates(template: str, prefix: str, text: str, album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.add("a b.png", color="red")
    caption(
        album.folder, jsonl=tmp_path / "a.jsonl", sidecars=True, template=template, options=RenderOptions(prefix=prefix)
    )
    (row,) = json_rows(tmp_path / "a.jsonl")
    assert row["caption"] and "red center" in row["tags"]
    prompt = row["prompt"].removeprefix(f"{prefix}, ")
    assert row["text"] == text.format(prompt=prompt, caption=row["caption"], tags=row["tags"])
    assert album.beside() == {"a b.png": row["text"] + "\n"}


def test_what_is_left_out_is_nowhere_in_the_text(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.add("a.png", color="red")
    options = RenderOptions.from_texts("everything", "", "white border, photograph", 0)
    caption(album.folder, jsonl=tmp_path / "a.jsonl", template="{prompt} | {caption} | {tags}", options=options)
    (row,) = json_rows(tmp_path / "a.jsonl")
    assert "red center" in row["text"] and "white border" not in row["text"]


@pytest.mark.parametrize("template", ["{prompt}", "{name}: {prompt}"])
def test_the_prompt_that_a_file_carries_is_taken(
    template: str, album: Album, server: SeeingServer, tmp_path: Path
) -> None:
    album.add("b.png", color="red")
    (album.folder / "a.png").write_bytes(png({"parameters": EMBEDDED}))
    summary = caption(album.folder, jsonl=tmp_path / "a.jsonl", template=template)
    assert (done(summary), summary.embedded, server.counts.requests) == ((2, 0, 0), 1, 1)
    fox, red = json_rows(tmp_path / "a.jsonl")
    assert (fox["source"], fox["analysis"], fox["prompt"]) == ("embedded", None, FOX)
    assert (fox["negative"], fox["text"][-len(FOX) :]) == ("(ugly:1.3), blurry", FOX)
    assert red["source"] == "model"


@pytest.mark.parametrize(
    ("template", "ignored"), [("{caption}", False), ("{tags} {prompt}", False), ("{prompt}", True)]
)
def test_the_model_is_asked_for_what_a_file_does_not_carry(
    template: str, ignored: bool, album: Album, server: SeeingServer, tmp_path: Path
) -> None:
    album.folder.mkdir()
    (album.folder / "a.png").write_bytes(png({"parameters": EMBEDDED}))
    summary = caption(album.folder, jsonl=tmp_path / "a.jsonl", template=template, ignore_embedded=ignored)
    assert (summary.embedded, server.counts.requests) == (0, 1)
    told = server.counts.payloads[0]["messages"][1]["content"][-1]["text"]
    assert (FOX in told) is not ignored
    assert json_rows(tmp_path / "a.jsonl")[0]["source"] == "model"


def grey_16(picture: Image.Image) -> Image.Image:
    return picture.convert("L").convert("I").point(lambda value: value * 257 + 0).convert("I;16")


@pytest.mark.parametrize(
    ("name", "change", "options"),
    [
        ("a.jpg", lambda one: one, {}),
        ("a.JPEG", lambda one: one.convert("CMYK"), {}),
        ("a.webp", lambda one: one, {"lossless": True}),
        ("a.gif", lambda one: one, {"save_all": True, "append_images": [draw("blue"), draw("green")], "loop": 0}),
        ("a.webp", lambda one: one, {"save_all": True, "append_images": [draw("blue")], "lossless": True}),
        ("a.png", lambda one: one.convert("P"), {}),
        ("a.png", lambda one: one.convert("RGBA"), {}),
        ("a.png", grey_16, {}),
        ("a.tiff", lambda one: one.convert("CMYK"), {}),
        ("a.bmp", lambda one: one, {}),
        ("a.avif", lambda one: one, {"quality": 95}),
        ("a.ppm", lambda one: one, {}),
        ("a.tga", lambda one: one, {}),
    ],
)
def test_pictures_of_every_kind(
    name: str,
    change: Callable[[Image.Image], Image.Image],
    options: dict[str, Any],
    album: Album,
    server: SeeingServer,
    tmp_path: Path,
) -> None:
    """Of an animated one the first picture."""
    album.folder.mkdir()
    change(draw("black" if change is grey_16 else "red")).save(album.folder / name, **options)
    assert done(caption(album.folder)) == (1, 0, 0)
    assert ("black" if change is grey_16 else "red") + " center" in (album.folder / "a.txt").read_text()


def test_what_cannot_be_read_is_told_and_ends_nothing(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.add("a.png", "z.png")
    (album.folder / "b.png").write_bytes(b"")
    (album.folder / "c.jpg").write_bytes((album.folder / "a.png").read_bytes()[:60])
    (album.folder / "d.png").symlink_to("nowhere.png")
    (album.folder / "e.png").symlink_to("e.png")
    os.mkfifo(album.folder / "f.png")
    (album.folder / "g.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (album.folder / "h.webp").write_text("a fox")
    heard: list[Failure] = []
    summary = caption(album.folder, jsonl=tmp_path / "a.jsonl", on_failure=heard.append)
    assert done(summary) == (2, 0, 7)
    assert [name[0] for name in whys(summary)] == list("bcdefgh")
    assert heard == summary.failures
    assert "is not a file; leave it out" in whys(summary)["f.png"]
    assert "There is no file" in whys(summary)["d.png"]
    assert [row["file_name"] for row in json_rows(tmp_path / "a.jsonl")] == ["a.png", "z.png"]
    draw("red").save(album.folder / "b.png")
    assert done(caption(album.folder, jsonl=tmp_path / "a.jsonl")) == (1, 2, 6)


def test_lists_with_what_is_no_picture(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.add("a.png")
    listed = [album.folder / "a.png", album.folder, "a\0b.png", "x" * 5000, str(album.folder / "a.png"), "missing.png"]
    summary = caption(iter(listed), into=tmp_path / "out", jsonl=tmp_path / "a.jsonl")
    assert done(summary) == (1, 0, 4)
    assert "missing.png" in whys(summary)


def test_two_pictures_for_one_sidecar(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.add("cat.jpg", "cat.png", "dog.png")
    for end in [(2, 0, 1), (0, 2, 1)]:
        summary = caption(album.folder)
        assert done(summary) == end
        assert "would go to cat.txt, as that of another picture does" in whys(summary)["cat.png"]
    assert f"{album.colors['cat.jpg']} center" in (album.folder / "cat.txt").read_text()
    assert done(caption(album.folder, jsonl=tmp_path / "a.jsonl")) == (3, 0, 0)  # which has room for both


def test_names_of_every_kind(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    names = ["ü 狐.png", " a  b .png", "new\nline.png", 'quo"te, [x].png', "back\\slash.png", "-dash.png", "{name}.png"]
    album.add(*names)
    raw = os.fsdecode(b"caf\xe9.png")
    draw("red").save(album.folder / raw)
    places: dict[str, Any] = {"jsonl": tmp_path / "a.jsonl", "csv": tmp_path / "a.csv", "parquet": tmp_path / "a"}
    summary = caption(album.folder, sidecars=True, template="{name}: {prompt}", **places)
    assert done(summary) == (8, 0, 0)
    album.colors["caf\\xe9.png"] = "red"
    for rows in json_rows(places["jsonl"]), csv_rows(places["csv"]), parquet_rows(places["parquet"]):
        assert {row["file_name"] for row in rows} == album.colors.keys()
        assert album.wrong((row["file_name"], row["text"]) for row in rows) == []
        assert all(row["text"].startswith(row["file_name"].removesuffix(".png").lstrip() + ":") for row in rows)
    assert (album.folder / os.fsdecode(b"caf\xe9.txt")).read_text().startswith("caf\\xe9: ")
    assert done(caption(album.folder, sidecars=True, template="{name}: {prompt}", **places)) == (0, 8, 0)


def test_two_names_that_are_written_alike(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.add("caf\\xe9.png")
    draw("red").save(album.folder / os.fsdecode(b"caf\xe9.png"))
    summary = caption(album.folder, jsonl=tmp_path / "a.jsonl")
    assert done(summary) == (1, 0, 1)
    assert "Another picture is called so" in whys(summary)["caf\\xe9.png"]


def test_each_picture_once_however_often_it_is_named(
    album: Album, server: SeeingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.add("a.png", "b.png")
    monkeypatch.chdir(tmp_path)
    summary = caption("pictures", "pictures/*.png", "pictures/a.png", ["./pictures/b.png"], jsonl="a.jsonl")
    assert (done(summary), server.counts.requests) == ((2, 0, 0), 2)
    assert [row["file_name"] for row in json_rows(Path("a.jsonl"))] == ["pictures/a.png", "pictures/b.png"]


def test_parquet_in_parts_and_another_table_there(
    album: Album, server: SeeingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.numbered(5)
    assert done(caption(album.folder, parquet=tmp_path / "a", limit=3)) == (3, 0, 0)
    assert done(caption(album.folder, parquet=tmp_path / "a")) == (2, 3, 0)
    assert [row["file_name"] for row in parquet_rows(tmp_path / "a")] == list(album.colors)
    assert sorted(os.listdir(tmp_path / "a")) == ["part-000000.parquet", "part-000001.parquet"]
    for torn in (b"", b"PAR1 and no more", (tmp_path / "a" / "part-000000.parquet").read_bytes()[:-9]):
        (tmp_path / "a" / "part-000007.parquet").write_bytes(torn)
        with pytest.raises(CaptionError, match=r"part-000007\.parquet is no part of captions"):
            caption(album.folder, parquet=tmp_path / "a")
    assert done(caption(album.folder, parquet=tmp_path / "a", overwrite=True)) == (5, 0, 0)
    assert sorted(os.listdir(tmp_path / "a")) == ["part-000000.parquet"]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CaptionError, match="Parquet needs pyarrow"):
        caption(album.folder, parquet=tmp_path / "b")


@pytest.mark.parametrize(
    ("template", "families", "says"),
    [
        ("{promt}", ["sdxl"], r"names {promt}; it may name {prompt}, {caption}"),
        ("{prompt", ["sdxl"], "without its other half"),
        ("a fox", ["sdxl"], "all captions would be the same"),
        ("{prompt}", [], "at least one model family"),
        ("{prompt}", ["sdxl", "sdxl"], "each once"),
        ("{prompt}", ["fluks1"], "did you mean 'flux1'"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(
    template: str, families: list[str], says: str, album: Album, server: SeeingServer, tmp_path: Path
) -> None:
    album.add("a.png")
    with pytest.raises(PromptError, match=says):
        caption(album.folder, jsonl=tmp_path / "a.jsonl", template=template, families=families)
    assert (server.counts.requests, (tmp_path / "a.jsonl").exists()) == (0, False)


def test_an_engine_that_cannot_answer_ends_it_and_what_is_done_stays(
    album: Album, server: SeeingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.numbered(60)
    server.control.script = [{}] * 20 + [{"status": 401}] * 40
    with pytest.raises(WrongKey):
        caption(album.folder, jsonl=tmp_path / "a.jsonl", sidecars=True)
    rows = json_rows(tmp_path / "a.jsonl")
    assert [row["file_name"] for row in rows] == list(album.colors)[: len(rows)]
    assert len(rows) <= 20 and len(album.beside()) == len(rows)
    server.control.script = []
    assert done(caption(album.folder, jsonl=tmp_path / "a.jsonl", sidecars=True)) == (60 - len(rows), len(rows), 0)
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", "http://127.0.0.1:9/v1")
    with pytest.raises(Unreachable):
        caption(album.folder, csv=tmp_path / "a.csv")


def test_answers_that_are_none_are_failures_unless_all_are(album: Album, server: SeeingServer, tmp_path: Path) -> None:
    album.numbered(40)
    server.control.script = [{}] + [{"content": "A cat."}] * 25
    summary = caption(album.folder, jsonl=tmp_path / "a.jsonl")
    assert done(summary) == (15, 0, 25)
    assert all("JSON" in why for why in whys(summary).values())
    server.control.script = [{"content": "A cat."}] * 40
    with pytest.raises(BadAnswer):
        caption(album.folder, csv=tmp_path / "a.csv")


def test_an_outage_is_waited_for(album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends in the middle, and another takes its place."""
    from img2prompt.engine import stream

    monkeypatch.setattr(stream, "PAUSES_S", (0.05,))
    album.numbered(120)
    with SeeingServer() as first:
        monkeypatch.setenv("IMG2PROMPT_ENDPOINT", first.url)
        port = int(first.url.split(":")[2].partition("/")[0])
        first.control.delay_s = 0.05
        ended: list[Summary] = []
        running = threading.Thread(target=lambda: ended.append(caption(album.folder, jsonl=tmp_path / "a.jsonl")))
        running.start()
        while first.counts.answered < 40:
            running.join(0.01)
            assert running.is_alive()
    running.join(0.3)
    assert running.is_alive()
    with SeeingServer(port=port):
        running.join(60)
    assert done(ended[0]) == (120, 0, 0)
    assert [row["file_name"] for row in json_rows(tmp_path / "a.jsonl")] == list(album.colors)


def test_patience_ends(album: Album, server: SeeingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_engine, "PATIENCE_S", 0.2)
    album.numbered(60)
    server.control.script = [{}] * 20 + [{"hang_up": True}] * 400
    with pytest.raises(Unreachable):
        caption(album.folder, jsonl=tmp_path / "a.jsonl")
    assert len(json_rows(tmp_path / "a.jsonl")) <= 20


def test_more_failures_than_a_summary_tells(
    album: Album, server: SeeingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "MOST_TOLD", 3)
    album.add("a.png")
    for number in range(5):
        (album.folder / f"b{number}.png").touch()
    heard: list[Failure] = []
    summary = caption(album.folder, jsonl=tmp_path / "a.jsonl", on_failure=heard.append)
    assert (done(summary), len(summary.failures), len(heard)) == ((1, 0, 5), 3, 5)


def test_a_summary_and_its_price() -> None:
    summary = Summary(done=500, skipped=20, failed=1, seconds=250.0)
    assert str(summary) == "500 pictures in 250.0 s (2.00 a second), 20 were there already, 1 failed"
    assert summary.price(3.6) == pytest.approx(0.5)
    assert Summary().price(3.6) == Summary().pictures_per_s == 0
