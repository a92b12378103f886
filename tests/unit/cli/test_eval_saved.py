"""`img2prompt eval --save`, and what was saved as a side: for who has one GPU, and one model at a time on it."""

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
    known = [{"image": path.name, "tags": [f"{color}_center", "unicorn"]} for color, path in seen.items()]
    file.write_text("\n".join(map(json.dumps, known)))
    return file


@pytest.fixture
def first(img2prompt: Img2Prompt, references: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a server that is gone made of them: it failed at one, and told the key that it was sent."""
    file = references.with_name("a b.json")
    with SeeingServer() as server, monkeypatch.context() as set_:
        set_.setenv("IMG2PROMPT_ENDPOINT", server.url)
        set_.setenv("IMG2PROMPT_API_KEY", "secret-key")
        server.control.models = ["model-a"]
        server.control.script = [{"status": 400, "body": {"error": {"message": "no secret-key here"}}}]
        ended = img2prompt("eval", references, "--save", file, "--format", "json")
        assert server.counts.requests == 3
    assert ended.code == 0 and f"Wrote {file}" in ended.err
    assert json.loads(ended.out) == json.loads(file.read_text(encoding="utf-8"))
    assert list(references.parent.glob(".*.part")) == []
    return file


def test_one_model_after_the_other(
    img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path, first: Path
) -> None:
    kept = first.read_text(encoding="utf-8")
    assert "no … here" in kept and "secret-key" not in kept
    endpoint.control.models = ["model-b"]
    page, both = first.with_name("page.html"), first.with_name("both.json")
    ended = img2prompt("eval", references, "--against", f"saved='{first}'", "--page", page, "--save", both)
    assert ended.code == 0
    assert "A = own settings: model-b" in ended.out and f"B = saved='{first}': model-a (endpoint)" in ended.out
    assert "B - A [95 %]" in ended.out and "Answered by A alone: 1, by B alone: 0" in ended.out
    assert endpoint.counts.requests == 3, "the saved side asks nobody"
    shown = page.read_text(encoding="utf-8")
    assert "model-a" in shown and "model-b" in shown and shown.count("data:image/jpeg") >= 3
    document = json.loads(both.read_text(encoding="utf-8"))
    assert [side["model"] for side in document["sides"]] == ["model-b", "model-a"]
    assert document["differences"][0]["measures"]["tag_f1"]["verdict"] == "same"
    assert document["differences"][0]["measures"]["answered"]["verdict"] == "unclear"


def test_what_was_saved_first(img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path, first: Path) -> None:
    baseline = f"saved='{first}'"
    mine = img2prompt("eval", references, "--baseline", baseline)
    assert "A = saved=" in mine.out and "B = own settings: seeing-model" in mine.out
    assert endpoint.counts.requests == 3
    other = img2prompt("eval", references, "--baseline", baseline, "--against", "seed=1")
    assert "B = seed=1: seeing-model" in other.out and "C = " not in other.out
    assert img2prompt("eval", references, "--baseline", "seed=2").out.startswith("A = seed=2: seeing-model")


def test_two_that_were_saved_need_no_engine(img2prompt: Img2Prompt, references: Path, first: Path) -> None:
    text = f"saved='{first}'"
    ended = img2prompt("eval", references, "--limit", 2, "--baseline", text, "--against", text)
    assert ended.code == 0
    assert "2 pictures" in ended.out and "worse" not in ended.out and "better" not in ended.out


def test_what_one_side_cost_is_kept_where_the_next_one_ends(
    img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from img2prompt.evaluation import run as run_module

    file, asked = references.with_name("kept.json"), run_module.run

    def interrupted(side: object, *arguments: object, **named: object) -> object:
        if "seed=1" in str(side):
            raise KeyboardInterrupt
        return asked(side, *arguments, **named)  # type: ignore[reportArgumentType]

    monkeypatch.setattr(run_module, "run", interrupted)
    ended = img2prompt("eval", references, "--against", "seed=1", "--save", file)
    assert ended.code != 0
    assert [side["label"] for side in json.loads(file.read_text())["sides"]] == ["own settings"]


def test_a_picture_less_is_told(img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path, first: Path) -> None:
    (references.parent / "red.png").write_bytes((references.parent / "blue.png").read_bytes())
    ended = img2prompt("eval", references, "--against", f"saved='{first}'", "--format", "json")
    document = json.loads(ended.out)
    assert document["pictures"] == 2 == endpoint.counts.requests
    assert document["remarks"] == [
        f"{first} lacks 1 of 3 pictures, such as red.png; 1 of them changed since, such as red.png. They are left out "
        "on every side."
    ]
    assert document["remarks"][0] in ended.err


def test_two_sides_of_one_file_say_it_once(img2prompt: Img2Prompt, references: Path, first: Path) -> None:
    (references.parent / "red.png").write_bytes((references.parent / "blue.png").read_bytes())
    text = f"saved='{first}'"
    ended = img2prompt("eval", references, "--baseline", text, "--against", text)
    assert ended.code == 0
    assert ended.out.count("lacks 1 of 3") == ended.err.count("lacks 1 of 3") == 1


def test_a_saved_text_that_cannot_be_measured_asks_nobody(
    img2prompt: Img2Prompt, endpoint: SeeingServer, references: Path, first: Path
) -> None:
    document = json.loads(first.read_text(encoding="utf-8"))
    answered = next(side for result in document["results"] for side in result["sides"] if side["prompt"])
    answered["prompt"] = "(" * 100 + "a" + ")" * 100
    first.write_text(json.dumps(document), encoding="utf-8")
    ended = img2prompt("eval", references, "--against", f"saved='{first}'")
    assert (ended.code, ended.out) == (1, "") and "nest more than" in ended.err
    assert endpoint.counts.requests == 0


def test_a_saved_label_does_nothing_to_the_terminal(img2prompt: Img2Prompt, references: Path, first: Path) -> None:
    document = json.loads(first.read_text(encoding="utf-8"))
    document["sides"][0]["label"] = "\x1b]0;mine\x07"
    first.write_text(json.dumps(document), encoding="utf-8")
    ended = img2prompt("eval", references, "--baseline", f"saved='{first}' side=B")
    assert ended.code == 2 and "holds 1 side" in ended.err and "\x1b" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--save", "a b.json"), "is there already"),
        (("--save", "no/where.json"), "no folder"),
        (("--save", "result.txt"), "let it end in .json"),
        (("--save", "x" * 300 + ".json"), "name too long"),
        (("--against", "saved=references.jsonl"), "no saved result"),
        (("--baseline", "saved=none.json"), "cannot be read"),
        (("--baseline", "saved='a b.json' seed=1"), "so seed cannot change it"),
        (("--baseline", "saved='a b.json' side=B"), "holds 1 side; say which: side=A (own settings)"),
    ],
)
def test_wrong_use(
    img2prompt: Img2Prompt,
    endpoint: SeeingServer,
    references: Path,
    first: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(references.parent)
    before = first.read_bytes()
    ended = img2prompt("eval", references, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in " ".join(ended.err.replace("│", " ").split())
    assert endpoint.counts.requests == 0 and first.read_bytes() == before
