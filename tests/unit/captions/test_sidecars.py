"""A text file beside each picture: where it goes, that it is whole, and that no other file is touched."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from img2prompt.captions.find import Found, find
from img2prompt.captions.outputs import Sidecars, write_whole
from img2prompt.captions.run import make_outputs
from img2prompt.captions.task import Row, Task
from img2prompt.prompts.errors import PromptError
from img2prompt.tests.unit.captions.album import Album


def write(sidecars: Sidecars, found: Found, *families: str, text: str = "a fox") -> None:
    sidecars.open()
    sidecars.write(
        found, [Row(found.name, text, family, text, "", "", "", "", 2, 75, "model") for family in families or ["sdxl"]]
    )


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir())


@pytest.mark.parametrize(
    ("families", "suffix", "made"),
    [
        (["sdxl"], ".txt", ["a.txt"]),
        (["sdxl"], ".caption", ["a.caption"]),
        (["sdxl", "flux1"], ".txt", ["a.flux1.txt", "a.sdxl.txt"]),
    ],
)
def test_names(families: Sequence[str], suffix: str, made: list[str], album: Album) -> None:
    (found,) = find(album.add("a.png").folder)
    with closing(Sidecars(families, suffix=suffix)) as sidecars:
        assert not sidecars.has(found)
        write(sidecars, found, *families)
        assert sidecars.has(found)
    assert files(album.folder) == sorted(["a.png", *made])
    assert (album.folder / made[0]).read_text() == "a fox\n"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("x/a.png", "x/a.txt"),
        ("/data/x/a.png", "data/x/a.txt"),
        ("../../x/./a.png", "x/a.txt"),
        ("a.b.png", "a.b.txt"),
        ("none", "none.txt"),
    ],
)
def test_into_another_folder_and_never_out_of_it(name: str, place: str, tmp_path: Path) -> None:
    with closing(Sidecars(["sdxl"], into=tmp_path / "in" / "out")) as sidecars:
        write(sidecars, Found(Path("/data/a.png"), name))
    assert files(tmp_path) == [f"in/out/{place}"]


def test_what_is_there_stays_unless_told_otherwise(album: Album) -> None:
    (found,) = find(album.add("a.png").folder)
    mine = album.folder / "a.txt"
    mine.write_text("mine")
    for overwrite, left in [(False, "mine"), (True, "a fox\n")]:
        with closing(Sidecars(["sdxl"], overwrite=overwrite)) as sidecars:
            assert sidecars.has(found) != overwrite
            write(sidecars, found)
        assert mine.read_text() == left
    assert files(album.folder) == ["a.png", "a.txt"]


def test_a_link_of_that_name_is_there_too(album: Album) -> None:
    (found,) = find(album.add("a.png").folder)
    (album.folder / "a.txt").symlink_to("nowhere.txt")
    with closing(Sidecars(["sdxl"])) as sidecars:
        assert sidecars.has(found)
        write(sidecars, found)
    assert files(album.folder) == ["a.png", "a.txt"]


@pytest.mark.parametrize("left", ["a fox and much mo", ""])
def test_what_a_killed_run_left_is_taken(left: str, album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    path = album.add("a.png").folder / "a.txt"
    with monkeypatch.context() as killed, pytest.raises(ZeroDivisionError):
        killed.setattr(Path, "replace", lambda *_: 1 / 0)
        killed.setattr(Path, "unlink", lambda *_, **__: None)
        write_whole(path, left.encode(), overwrite=False)
    assert len(files(album.folder)) == 2 and not path.exists()
    write_whole(path, b"a fox", overwrite=False)
    assert path.read_bytes() == b"a fox"
    assert files(album.folder) == ["a.png", "a.txt"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_many_at_one_time_make_whole_files(overwrite: bool, tmp_path: Path) -> None:
    """As two runs in one folder do."""
    texts = [f"{number}" * (100 * number + 1) for number in range(9)]

    def one(number: int) -> None:
        for name in range(60):
            write_whole(tmp_path / f"{name}.txt", texts[number].encode(), overwrite=overwrite)

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(one, range(len(texts))))
    assert files(tmp_path) == sorted(f"{name}.txt" for name in range(60))
    assert {file.read_text() for file in tmp_path.iterdir()} <= set(texts)


@pytest.mark.parametrize(
    ("name", "suffix", "why"),
    [
        ("b.png", ".txt", ""),
        ("a.jpg", ".txt", r"would go to a\.txt, as that of another"),
        ("a.txt", ".txt", r"would replace it; choose another ending than \.txt"),
        ("x" * 240 + ".png", ".very-long-caption", r"would be too long \(xxx.*\); give it a shorter"),
    ],
)
def test_pictures_that_can_have_none(name: str, suffix: str, why: str, album: Album) -> None:
    with closing(Sidecars(["sdxl"], suffix=suffix)) as sidecars:
        assert sidecars.claim(Found(album.folder / "a.png", "a.png")) == ""
        album.add("a.png")
        said = sidecars.claim(Found(album.folder / name, name))
    assert re.search(why, said) if why else not said


@pytest.mark.parametrize("suffix", [".png", ".JPG", "txt", "", "/txt", "./../x", ".t\0"])
def test_endings_that_would_harm(suffix: str) -> None:
    with pytest.raises(PromptError, match="Captions cannot end in"):
        make_outputs(Task(), suffix=suffix)


def test_nowhere_to_write_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="Nothing would be written"):
        make_outputs(Task(), sidecars=False)
    outputs = [
        *(make_outputs(Task()), make_outputs(Task(), into=tmp_path), make_outputs(Task(), sidecars=True, csv="a.csv")),
        *(make_outputs(Task(), jsonl="a.jsonl", into=tmp_path), make_outputs(Task(), jsonl="a.jsonl", sidecars=False)),
    ]
    assert [sum(isinstance(one, Sidecars) for one in made) for made in outputs] == [1, 1, 1, 1, 0]
    assert os.listdir(tmp_path) == []
