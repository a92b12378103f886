"""Which pictures there are: names, order, and folders as disks have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from img2prompt.captions.errors import CaptionError
from img2prompt.captions.find import find, portable
from img2prompt.tests.unit.captions.album import Album


def names(*sources: object) -> list[str]:
    return [found.name for found in find(*sources)]  # pyright: ignore[reportArgumentType]


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_folder_with_all_below_it_in_one_order(tmp_path: Path) -> None:
    folder = files(
        tmp_path / "in",
        *("b.png", "a.JPG", "z/1.webp", "m n/ü/2.gif", "m n/1.png", "notes.txt", ".hidden.png", ".git/x.png", "z.tiff"),
    )
    assert names(folder) == ["a.JPG", "b.png", "z.tiff", "m n/1.png", "m n/ü/2.gif", "z/1.webp"]
    assert names(str(folder)) == names(folder)
    assert [found.path for found in find(folder)][3] == folder / "m n" / "1.png"


def test_several_sources_keep_their_names_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files(tmp_path, "one/a.png", "two/a.png", "c.png")
    assert names("one", "two/", "c.png") == ["one/a.png", "two/a.png", "c.png"]
    assert names(iter(["one/a.png", Path("nothing.png")]), "two") == ["one/a.png", "nothing.png", "two/a.png"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("in/*.png", ["in/a.png"]),
        ("in/*", ["in/a.png"]),
        ("in/**/*.png", ["in/a.png", "in/x/b.png", "in/x/y/c.png"]),
        ("**/*.png", ["in/a.png", "in/x/b.png", "in/x/y/c.png"]),
        ("in/**/y/*", ["in/x/y/c.png"]),
        ("in/**", ["in/a.png", "in/x/b.png", "in/x/d.webp", "in/x/y/c.png"]),
        ("in/?/[bd].*", ["in/x/b.png", "in/x/d.webp"]),
        ("in/**/*.heic", ["in/x/e.heic"]),
        ("in/x/*.heic", ["in/x/e.heic"]),
        ("./in/**/c.png", ["in/x/y/c.png"]),
    ],
)
def test_patterns(pattern: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files(tmp_path / "in", "a.png", "a.txt", "x/b.png", "x/d.webp", "x/e.heic", "x/y/c.png", "x/.z/h.png")
    assert [name.removeprefix("./") for name in names(pattern)] == found
    absolute = [str(tmp_path / name) for name in found]
    assert names(str(tmp_path / pattern.removeprefix("./"))) == absolute


def test_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    folder = files(tmp_path / "cats [2024] *", "a.png")
    assert names(folder) == ["a.png"]


@pytest.mark.parametrize("missing", ["nothing", "nothing/*.png", "nothing/**/*.png", "in/*.webp", "in/**/*.webp"])
def test_what_is_not_there_is_said(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files(tmp_path / "in", "a.png")
    with pytest.raises(CaptionError, match=r"There is no nothing; give|No picture matches .*; check"):
        names(missing)


@pytest.mark.parametrize("source", [".", "**/*.png"])
def test_links_that_lead_back_end_somewhere(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that links to itself twice has 2^40 paths for whoever follows them."""
    folder = files(tmp_path / "in", "a.png", "x/b.png")
    (tmp_path / "elsewhere").mkdir()
    files(tmp_path / "elsewhere", "c.png")
    (folder / "again").symlink_to(".")
    (folder / "x" / "up").symlink_to("..")
    (folder / "x" / "self").symlink_to("self")
    (folder / "y").symlink_to(tmp_path / "elsewhere")
    (folder / "gone").symlink_to("nowhere")
    monkeypatch.chdir(folder)
    assert names(source) == ["a.png", "x/b.png", "y/c.png"]


def test_a_link_that_leads_nowhere_is_found_so_that_it_is_told(album: Album) -> None:
    album.add("a.png")
    (album.folder / "b.png").symlink_to("nowhere.png")
    (album.folder / "c.png").symlink_to("c.png")
    assert names(album.folder) == ["a.png", "b.png", "c.png"]
    assert names(album.folder / "b.png") == [str(album.folder / "b.png")]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / os.fsdecode(b"caf\xe9")).mkdir(parents=True)
    (folder / os.fsdecode(b"caf\xe9") / os.fsdecode(b"\xff\n.png")).touch()
    (found,) = find(folder)
    assert found.name == "caf\\xe9/\\xff\n.png"
    assert found.path.exists()
    assert portable(Path("ü/日本.png")) == "ü/日本.png"


def test_a_folder_below_that_cannot_be_read_is_one_find_with_its_problem(tmp_path: Path) -> None:
    """Whose path is too long for the system, as deep trees have it; rights say nothing to root."""
    folder = files(tmp_path / "in", "a.png", "z/b.png")
    here = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(20):
            os.mkdir("d" * 250, dir_fd=here)
            deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
    finally:
        os.close(here)
    first, deep, last = find(folder)
    assert (first.name, last.name, first.problem, last.problem) == ("a.png", "z/b.png", "", "")
    assert deep.name.startswith("ddd") and "cannot be read (File name too long)" in deep.problem
