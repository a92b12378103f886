"""The commands as a person or a script uses them: what goes to stdout and stderr, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from img2prompt.prompts import ImageAnalysis
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.cli.conftest import Ended, Img2Prompt

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def test_one_line_per_picture_in_their_order(img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]) -> None:
    ended = img2prompt("prompt", *seen.values())
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert [f"{color} center" in line for color, line in zip(seen, lines, strict=True)] == [True] * 3
    assert "seeing-model" in ended.err


def test_json_tells_everything(img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]) -> None:
    ended = img2prompt("prompt", seen["red"], "--format", "json", "--family", "flux1", "--seed", 4)
    (row,) = json.loads(ended.out)
    assert row.keys() == {
        *("image", "family", "engine", "prompt", "negative", "art_style", "caption", "tokens", "token_budget"),
        *("analysis", "source", "recovered"),
    }
    assert (row["source"], row["recovered"]) == ("model", None)
    assert (row["image"], row["family"], row["engine"]) == (str(seen["red"]), "flux1", "endpoint")
    assert "red center" in ImageAnalysis.model_validate(row["analysis"]).caption
    assert 0 < row["tokens"] <= row["token_budget"]
    assert endpoint.counts.payloads[0]["seed"] == 4


@pytest.mark.parametrize("photo", ["astronaut.jpg", "chelsea.jpg", "coffee.jpg"])
def test_without_a_model_the_sketch_answers_and_says_so(img2prompt: Img2Prompt, photo: str) -> None:
    ended = img2prompt("prompt", EXAMPLES / photo)
    assert ended.code == 0
    assert "warm colors" in ended.out
    assert "sketch engine" in ended.err and "IMG2PROMPT_ENDPOINT" in ended.err


def test_options_reach_the_prompt_and_the_model(img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]) -> None:
    ended = img2prompt(
        *("prompt", seen["blue"], "--prefix", "ohwx_style", "--leave-out", "white border, photograph"),
        *("--extra", "Name the hats."),
    )
    assert ended.out.startswith("ohwx_style, ")
    assert "white border" not in ended.out and "photograph" not in ended.out
    assert "Name the hats." in endpoint.counts.payloads[0]["messages"][1]["content"][-1]["text"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "Usage"),
        (("prompt",), 2, "images"),
        (("prompt", EXAMPLES / "coffee.jpg", "--family", "fluks1"), 2, "did you mean 'flux1'"),
        (("prompt", EXAMPLES / "coffee.jpg", "--look-at", "the moon"), 2, "choose one of everything"),
        (("prompt", EXAMPLES / "coffee.jpg", "--prefix", "(open"), 2, "prefix"),
        (("prompt", EXAMPLES / "coffee.jpg", "--token-budget", "-1"), 2, "token-budget"),
        (("prompt", EXAMPLES / "coffee.jpg", "--bogus"), 2, "bogus"),
        (("prompt", "missing.png"), 1, "no file missing.png"),
        (("prompt", EXAMPLES / "README.md"), 1, "not a picture"),
        (("look", "missing.png"), 1, "no file missing.png"),
    ],
)
def test_wrong_use_and_failure(img2prompt: Img2Prompt, arguments: tuple[object, ...], code: int, says: str) -> None:
    ended = img2prompt(*arguments)
    assert ended.code == code
    assert says in ended.err + (ended.out if not arguments else "")
    assert not arguments or ended.out == "", "an error is no result"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([{"content": "A cat."}], "JSON"),
        ([{"finish_reason": "length"}] * 2, "did not end"),
        ([{"status": 401}], "IMG2PROMPT_API_KEY"),
    ],
)
def test_a_failed_answer_is_never_printed(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], script: list[dict[str, object]], says: str
) -> None:
    endpoint.control.script = script
    ended = img2prompt("prompt", seen["red"])
    assert (ended.code, ended.out) == (1, "")
    assert says in ended.err


def test_look_measures(img2prompt: Img2Prompt, seen: dict[str, Path]) -> None:
    ended = img2prompt("look", seen["red"], seen["blue"], "--format", "json")
    red, blue = json.loads(ended.out)
    assert (red["image"], red["width"], red["height"]) == (str(seen["red"]), 64, 48)
    assert ["red" in [color["name"] for color in one["palette"]] for one in (red, blue)] == [True, False]
    text = img2prompt("look", seen["red"])
    assert "64 x 48" in text.out and "palette" in text.out


def findings(ended: Ended) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(ended.out)}


def test_doctor_times_a_round_trip(img2prompt: Img2Prompt, endpoint: SeeingServer) -> None:
    ended = img2prompt("doctor", "--format", "json")
    assert ended.code == 0
    found = findings(ended)
    assert found["OCR"]["verdict"] in ("ok", "missing") and "rapidocr" in found["OCR"]["detail"]
    assert found["packages"]["verdict"] == "ok" and "openai" in found["packages"]["detail"]
    assert "seeing-model" in found["engine"]["detail"]
    assert "red center on a white border" in found["round trip"]["detail"]
    assert endpoint.counts.requests == 1


def test_doctor_asks_each_time_also_with_a_cache(
    img2prompt: Img2Prompt, endpoint: SeeingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMG2PROMPT_CACHE", "true")
    monkeypatch.setenv("IMG2PROMPT_CACHE_DIR", str(tmp_path / "cache"))
    assert [img2prompt("doctor").code for _ in range(2)] == [0, 0]
    assert endpoint.counts.requests == 2


def test_doctor_names_what_is_missing(img2prompt: Img2Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = img2prompt("doctor", "--format", "json")
    assert nothing.code == 1
    assert "IMG2PROMPT_ENDPOINT" in findings(nothing)["engine"]["detail"]
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", "http://127.0.0.1:9")
    down = img2prompt("doctor")
    assert down.code == 1
    assert "Nobody answers at http://127.0.0.1:9/v1" in down.out


def test_doctor_starts_no_vllm_unasked(img2prompt: Img2Prompt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trace = tmp_path / "started"
    (tmp_path / "vllm").write_text(f"#!/bin/sh\n: > {trace}\n")
    (tmp_path / "vllm").chmod(0o755)
    monkeypatch.setenv("IMG2PROMPT_MODEL", "mine/8B")
    ended = img2prompt("doctor", "--format", "json")
    assert (ended.code, findings(ended)["engine"]["verdict"]) == (0, "note")
    assert "--start" in findings(ended)["engine"]["detail"]
    assert not trace.exists()


def test_it_runs_as_a_module() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "img2prompt", "look", str(EXAMPLES / "coffee.jpg")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "rust" in ended.stdout
