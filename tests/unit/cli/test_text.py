"""`img2prompt text` as a person or a script uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from img2prompt.cli.text import PRESETS
from img2prompt.prompts.presets import text_preset_names
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.cli.conftest import Img2Prompt


def test_texts_in_order_with_a_blank_line_between(img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]) -> None:
    ended = img2prompt("text", *seen.values())
    assert ended.code == 0
    texts = ended.out.removesuffix("\n").split("\n\n")
    assert texts == [f"a {color} center on a white border, 64x48" for color in seen]
    assert "Answered by seeing-model" in ended.err


def test_lines_and_emoji_are_printed_as_they_are(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path]
) -> None:
    written = "Was für ein Rot! ❤️\n\n#rot #weiß"
    endpoint.control.script = [{"content": json.dumps({"text": written})}]
    assert img2prompt("text", seen["red"], "--preset", "social-post").out == written + "\n"


def test_json_is_for_machines(img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path]) -> None:
    ended = img2prompt(
        *("text", seen["red"], seen["blue"], "--format", "json", "--preset", "alt-text", "--language", "Deutsch"),
        *("--extra", "Nenne den Hut.", "--seed", 4),
    )
    rows = json.loads(ended.out)
    shared = {"preset": "alt-text", "language": "Deutsch", "engine": "endpoint"}
    assert rows == [
        {"image": str(seen[color]), **shared, "text": f"a {color} center on a white border, 64x48"}
        for color in ("red", "blue")
    ]
    for payload in endpoint.counts.payloads:
        instruction = payload["messages"][1]["content"][-1]["text"]
        assert "screen reader" in instruction and "Deutsch" in instruction and "Nenne den Hut." in instruction
        assert payload["seed"] == 4


def test_a_preset_of_ones_own(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "haiku.md").write_text("Write a haiku.", encoding="utf-8")
    assert img2prompt("text", seen["red"], "--preset", "haiku").code == 0
    instruction = endpoint.counts.payloads[0]["messages"][1]["content"][-1]["text"]
    assert instruction.startswith("Write a haiku.\n\nWrite in English.")
    (tmp_path / "presets" / "haiku.md").write_text("A $mood haiku.", encoding="utf-8")
    broken = img2prompt("text", seen["red"], "--preset", "haiku")
    assert (broken.code, broken.out) == (2, "")
    assert str(tmp_path / "presets" / "haiku.md") in broken.err and "$mood" in broken.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "images"),
        (("red.png", "--preset", "poem"), 2, "known are alt-text"),
        (("red.png", "--language", "x" * 61), 2, "name it in 60"),
        (("red.png", "--seed", "-1"), 2, "seed"),
        (("missing.png",), 1, "no file"),
    ],
)
def test_wrong_use_and_failure(
    img2prompt: Img2Prompt, endpoint, seen: dict[str, Path], arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended = img2prompt("text", *(seen["red"] if word == "red.png" else word for word in arguments))
    assert (ended.code, ended.out) == (code, "")
    assert says in ended.err


def test_an_empty_text_names_its_picture(img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path]) -> None:
    endpoint.control.script = [{"content": '{"text": " \\n"}'}]
    ended = img2prompt("text", seen["green"])
    assert (ended.code, ended.out) == (1, "")
    assert f"{seen['green']}: The model wrote no text" in ended.err


def test_without_a_model_nothing_is_made_up(img2prompt: Img2Prompt, seen: dict[str, Path], monkeypatch) -> None:
    nothing = img2prompt("text", seen["red"])
    assert (nothing.code, nothing.out) == (1, "")
    assert "IMG2PROMPT_ENDPOINT" in nothing.err


def test_the_sketch_engine_refuses_and_says_what_to_do(
    img2prompt: Img2Prompt, seen: dict[str, Path], monkeypatch
) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENGINE", "sketch")
    refused = img2prompt("text", seen["red"])
    assert (refused.code, refused.out) == (1, "")
    assert "sketch engine" in refused.err and "IMG2PROMPT_ENGINE=auto" in refused.err


def test_the_help_names_every_preset() -> None:
    assert [name for name in text_preset_names() if name not in PRESETS] == []
