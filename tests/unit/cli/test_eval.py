"""`img2prompt eval` as it is used: the table, the document, the page, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.cli.conftest import Img2Prompt


@pytest.fixture
def references(seen: dict[str, Path], tmp_path: Path) -> Path:
    """What is known of the drawn pictures."""
    file = tmp_path / "references.jsonl"
    known = [
        {"image": path.name, "tags": [f"{color}_center", "unicorn"], "caption": f"a {color} center"}
        for color, path in seen.items()
    ]
    file.write_text("\n".join(map(json.dumps, known)))
    return file


def test_a_table_of_ones_own_settings(img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path) -> None:
    ended = img2prompt("eval", references)
    assert ended.code == 0
    assert "own settings: seeing-model (endpoint), prompts for sdxl" in ended.out
    assert "3 pictures" in ended.out and "tag recall" in ended.out and "0.500" in ended.out
    assert "B" not in ended.out.replace("tag", "")
    assert "serves seeing-model" in ended.err
    assert endpoint.counts.requests == 3


def test_two_engines_side_by_side(
    img2prompt: Img2Prompt,
    endpoint: SeeingServer,
    references: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMG2PROMPT_API_KEY", "secret-key")
    with SeeingServer() as other:
        other.control.models = ["other-model"]
        other.control.script = [{"content": "A cat."}]
        page = tmp_path / "page.html"
        against = f"endpoint={other.url} temperature=0 seed=9"
        ended = img2prompt("eval", references, "--against", against, "--page", page, "--format", "json")
        sent = other.counts.headers[0]["authorization"], other.counts.payloads[0]
    assert ended.code == 0
    document = json.loads(ended.out)
    own, their = document["sides"]
    assert (own["model"], own["failures"]) == ("seeing-model", {})
    assert (their["label"], their["model"], their["failures"]) == (against, "other-model", {"BadAnswer": 1})
    assert document["differences"][0]["measures"]["tag_f1"]["pictures"] == 2
    assert "secret-key" not in sent[0] and (sent[1]["temperature"], sent[1]["seed"]) == (0, 9)
    assert endpoint.counts.headers[0]["authorization"] == "Bearer secret-key"
    text = page.read_text(encoding="utf-8")
    assert "other-model" in text and "data:image/jpeg" in text and "secret-key" not in text
    assert f"Wrote {page}" in ended.err


def test_several_sides_have_a_table_each(img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path) -> None:
    ended = img2prompt("eval", references, "--against", "family=noobai", "--against", "preset=alt-text")
    assert ended.code == 0
    assert "B - A [95 %]" in ended.out and "C - A [95 %]" in ended.out
    assert "C = preset=alt-text: seeing-model (endpoint), text preset alt-text" in ended.out
    assert endpoint.counts.requests == 9


def test_a_side_that_ends_early_costs_the_others_nothing(
    img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path
) -> None:
    with SeeingServer() as other:
        other.control.most_pictures = 0
        ended = img2prompt("eval", references, "--against", f"endpoint={other.url}", "--against", "seed=1")
    assert ended.code == 1
    assert "takes no pictures" in ended.err
    assert "B = seed=1: seeing-model" in ended.out and "C" not in ended.out.replace("Connect", "")


def test_the_first_few(img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path) -> None:
    assert "2 pictures" in img2prompt("eval", references, "--limit", 2).out
    assert endpoint.counts.requests == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--against", "model"), 2, "not KEY=VALUE"),
        (("--against", "temperature=9"), 2, "temperature=9 cannot be used"),
        (("--family", "fluks1"), 2, "did you mean 'flux1'"),
        (("--preset", "nothing"), 2, "no text preset"),
        (("--text-is", "poem"), 2, "caption, prompt, tags"),
        (("--page", "no/where.html"), 2, "no folder"),
        (("--page", "references.jsonl"), 2, "let it end in .html"),
        (("--format", "xml"), 2, "xml"),
        (("--against", "endpoint=http://127.0.0.1:9/v1"), 1, "Nobody answers at http://127.0.0.1:9/v1"),
    ],
)
def test_wrong_use_and_failure(
    img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended = img2prompt("eval", references, *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert says in " ".join(ended.err.replace("│", " ").split())
    assert code == 1 or endpoint.counts.requests == 0, "found out before anything was asked"


def test_wrong_references_and_no_engine(img2prompt: Img2Prompt, references: Path) -> None:
    nobody = img2prompt("eval", references)
    assert nobody.code == 1 and "No engine is set up" in nobody.err, "a sketch would measure something else"
    references.write_text('{"image": "red.png"}')
    wrong = img2prompt("eval", references)
    assert wrong.code == 1 and "line 1 says nothing of red.png" in wrong.err
