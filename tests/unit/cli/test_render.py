"""`img2prompt render`: analyses from files or stdin, as prompts for any families, without asking anybody."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from img2prompt.prompts import ImageAnalysis, render
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.cli.conftest import Img2Prompt
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR, NOTHING


def written(path: Path, document: object) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def as_json(analysis: ImageAnalysis) -> dict[str, object]:
    return analysis.model_dump(mode="json")


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    """A file with one analysis, as the node's output `analysis` is."""
    return written(tmp_path / "harbour.json", as_json(HARBOUR))


def test_one_line_per_analysis_and_family_in_order(img2prompt: Img2Prompt, tmp_path: Path, harbour: Path) -> None:
    two = written(tmp_path / "two.json", [as_json(CAFE), as_json(DUEL)])
    ended = img2prompt("render", two, harbour, "--family", "flux1", "--family", "sdxl")
    expected = [render(one, family).positive for one in (CAFE, DUEL, HARBOUR) for family in ("flux1", "sdxl")]
    assert (ended.code, ended.out.splitlines(), ended.err) == (0, expected, "")


def test_what_prompt_wrote_is_rendered_and_what_render_wrote_again(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], tmp_path: Path
) -> None:
    asked = img2prompt("prompt", *seen.values(), "--format", "json", "--family", "flux1")
    (tmp_path / "asked.json").write_text(asked.out, encoding="utf-8")
    once = img2prompt("render", tmp_path / "asked.json", "--family", "flux1", "--format", "json")
    (tmp_path / "once.json").write_text(once.out, encoding="utf-8")
    again = img2prompt("render", tmp_path / "once.json", "--family", "flux1", "--format", "json")
    rows = json.loads(asked.out)
    assert [
        {name: row[name] for name in row if name not in ("engine", "source", "recovered")} for row in rows
    ] == json.loads(once.out)
    assert again.out == once.out
    assert endpoint.counts.requests == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_stdin(img2prompt: Img2Prompt, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    text = json.dumps({"image": "café.png", "analysis": as_json(CAFE)}, ensure_ascii=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode(encoding))))
    ended = img2prompt("render", "-", "--format", "json")
    (row,) = json.loads(ended.out)
    assert (row["image"], row["family"], row["prompt"]) == ("café.png", "sdxl", render(CAFE, "sdxl").positive)


def test_options_reach_the_prompt(img2prompt: Img2Prompt, harbour: Path) -> None:
    ended = img2prompt("render", harbour, "--prefix", "ohwx", "--leave-out", "pink", "--look-at", "style")
    assert ended.out.startswith("ohwx, ")
    assert "oil painting" in ended.out and "pink" not in ended.out and "boat" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "Missing argument"),
        (("missing.json",), 1, "missing.json: it cannot be read"),
        (("{harbour}", "--family", "fluks1"), 2, "did you mean 'flux1'"),
        (("{harbour}", "--emphasis", "all"), 2, "choose one of none, subject, style"),
        (("{text}",), 1, "not JSON"),
        (("{nothing}",), 1, "not JSON"),
        (("{other}",), 1, "other.json, 2 of 2: This is no analysis"),
        (("{old}",), 1, "photo.png: The analysis does not fit this version"),
    ],
)
def test_wrong_use_and_bad_files(
    img2prompt: Img2Prompt, tmp_path: Path, harbour: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    files = {
        "harbour": harbour,
        "text": tmp_path / "text.json",
        "nothing": tmp_path / "nothing.json",
        "other": written(tmp_path / "other.json", [as_json(CAFE), {"a": 1}]),
        "old": written(tmp_path / "old.json", {"image": "photo.png", "analysis": as_json(CAFE) | {"aura": ""}}),
    }
    files["text"].write_text("a prompt, not JSON", encoding="utf-8")
    files["nothing"].write_bytes(b"\xff\xfe\xff")
    ended = img2prompt("render", *(word.format(**files) for word in arguments))
    assert (ended.code, ended.out) == (code, "")
    assert says in " ".join(ended.err.split())


def test_an_analysis_that_says_nothing_is_named(img2prompt: Img2Prompt, tmp_path: Path, harbour: Path) -> None:
    ended = img2prompt("render", harbour, written(tmp_path / "empty.json", NOTHING))
    assert (ended.code, ended.out) == (1, "")
    assert f"{tmp_path / 'empty.json'}: The analysis" in ended.err.replace("\n", "")
