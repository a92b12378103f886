"""Which files are read as references, and what is said of those that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from img2prompt.evaluation.errors import EvaluationError
from img2prompt.evaluation.references import Reference, read_references
from img2prompt.tests.seeing import draw

WRONG: list[tuple[Any, str]] = [
    ("{", "line 3 is not JSON"),
    ("[" * 100_000, "line 3 is not JSON"),
    ("3", "line 3 is JSON but no object"),
    ('["a.png"]', "line 3 is JSON but no object"),
    ({"tags": "a"}, "line 3 names no picture"),
    ({"image": "", "tags": "a"}, "line 3 names no picture"),
    ({"image": 3, "tags": "a"}, "line 3: image is no text (3)"),
    ({"image": "a.png"}, "line 3 says nothing of a.png"),
    ({"image": "a.png", "tags": [" "], "caption": " "}, "line 3 says nothing of a.png"),
    ({"image": "a.png", "tags": ["a", 3]}, "line 3: tags are neither"),
    ({"image": "a.png", "tags": {"a": 1}}, "line 3: tags are neither"),
    ({"image": "a.png", "caption": ["a"]}, "line 3: caption is no text"),
    ({"image": "missing.png", "tags": "a"}, "line 3: there is no file"),
    ({"image": "a\0.png", "tags": "a"}, "line 3: there is no file"),
    ({"image": "x" * 5000, "tags": "a"}, "line 3: there is no file"),
    ({"image": "a.png", "tags": "(" * 100 + ")" * 100}, "line 3: Parentheses nest"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds two pictures."""
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "sub/b.png"):
        draw().save(tmp_path / name)
    return tmp_path


def written(folder: Path, *lines: object, name: str = "references.jsonl", encoding: str = "utf-8") -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / name).write_text(text, encoding=encoding)
    return folder / name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_line_for_each_picture(folder: Path, encoding: str) -> None:
    file = written(
        folder,
        {"image": "a.png", "tags": ["1girl", "long_hair"], "prompt": "a girl", "caption": "A girl.", "more": [1]},
        "",
        {"image": "sub/b.png", "tags": "sky, tree", "prompt": None},
        {"image": str(folder / "a.png"), "caption": " 女孩 "},
        encoding=encoding,
    )
    assert read_references(file) == [
        Reference("a.png", folder / "a.png", ("1girl", "long_hair"), "a girl", "A girl."),
        Reference("sub/b.png", folder / "sub" / "b.png", ("sky, tree",)),
        Reference(str(folder / "a.png"), folder / "a.png", caption="女孩"),
    ]
    assert [one.name for one in read_references(file, limit=2)] == ["a.png", "sub/b.png"]


@pytest.mark.parametrize(
    ("text_is", "read"),
    [
        ("caption", {"caption": "sky, tree"}),
        ("prompt", {"prompt": "sky, tree"}),
        ("tags", {"tags": ("sky, tree",)}),
    ],
)
def test_an_image_folder_of_hugging_face(folder: Path, text_is: Any, read: dict[str, Any]) -> None:
    written(folder, {"file_name": "a.png", "text": "sky, tree"}, name="metadata.jsonl")
    assert read_references(folder, text_is) == [Reference("a.png", folder / "a.png", **read)]


def test_what_is_named_goes_before_text(folder: Path) -> None:
    file = written(folder, {"image": "a.png", "text": "theirs", "caption": "ours", "tags": "sky"})
    for text_is in ("caption", "tags"):
        (found,) = read_references(file, text_is)
        assert (found.caption, found.tags) == ("ours", ("sky",))


@pytest.mark.parametrize(("line", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_line_that_is_none_is_named(folder: Path, line: object, says: str) -> None:
    file = written(folder, {"image": "a.png", "tags": "a"}, "", line)
    with pytest.raises(EvaluationError) as error:
        read_references(file)
    assert f"{file}, {says}" in str(error.value)
    assert len(str(error.value)) < 6000 and "\n" not in str(error.value)


def test_a_file_that_is_none(folder: Path) -> None:
    (folder / "empty.jsonl").write_text("\n \n")
    (folder / "latin.jsonl").write_bytes(b'{"image": "\xe9"}')
    for name, says in (("empty.jsonl", "has no lines"), ("latin.jsonl", "not UTF-8"), ("no.jsonl", "cannot be read")):
        with pytest.raises(EvaluationError, match=says):
            read_references(folder / name)
    with pytest.raises(EvaluationError, match=r"metadata\.jsonl cannot be read"):
        read_references(folder)
