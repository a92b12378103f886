"""`img2prompt mix`: two pictures or analyses in, the prompt of a third picture out."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from img2prompt.prompts import ImageAnalysis, Recipe, mix, render
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.cli.conftest import Img2Prompt
from img2prompt.tests.unit.prompts.examples import CAFE, HARBOUR


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Analyses on disk."""
    found = {name: tmp_path / f"{name}.json" for name in ("cafe", "harbour", "both")}
    found["cafe"].write_text(CAFE.model_dump_json(), encoding="utf-8")
    found["harbour"].write_text(HARBOUR.model_dump_json(), encoding="utf-8")
    found["both"].write_text(f"[{CAFE.model_dump_json()}, {HARBOUR.model_dump_json()}]", encoding="utf-8")
    return found


def test_analyses_are_mixed_without_asking_anybody(
    img2prompt: Img2Prompt, endpoint: SeeingServer, files: dict[str, Path]
) -> None:
    ended = img2prompt("mix", files["cafe"], files["harbour"], "--setting", "b", "--light", "Neither")
    recipe = Recipe(setting="B", light="neither")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == render(mix(CAFE, HARBOUR, recipe), "sdxl").positive + "\n"
    assert endpoint.counts.requests == 0


def test_pictures_are_asked_about_and_json_tells_everything(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path]
) -> None:
    ended = img2prompt("mix", seen["red"], seen["blue"], "--format", "json", "--family", "flux1", "--seed", 4)
    found = json.loads(ended.out)
    assert (found["a"], found["b"]) == (str(seen["red"]), str(seen["blue"]))
    assert (found["subject"], found["color"], found["family"]) == ("A", "B", "flux1")
    assert "blue" in found["prompt"].lower() and "red" not in found["prompt"].lower()
    assert ImageAnalysis.model_validate(found["analysis"]).palette[0].name == "blue"
    assert [payload["seed"] for payload in endpoint.counts.payloads] == [4, 4]
    assert "seeing-model" in ended.err


def test_a_picture_and_an_analysis(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], files: dict[str, Path]
) -> None:
    ended = img2prompt("mix", files["cafe"], seen["green"])
    assert "woman" in ended.out and "green" in ended.out and "navy" not in ended.out
    assert endpoint.counts.requests == 1


def test_one_picture_twice_is_asked_about_once(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path]
) -> None:
    twice = img2prompt("mix", seen["red"], seen["red"])
    assert twice.out == img2prompt("prompt", seen["red"]).out
    assert endpoint.counts.requests == 2


def test_a_mix_is_rendered_for_another_family(
    img2prompt: Img2Prompt, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = img2prompt("mix", files["cafe"], files["harbour"], "--format", "json")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mixed.out.encode())))
    ended = img2prompt("render", "-", "--family", "flux1")
    assert ended.out == render(mix(CAFE, HARBOUR, Recipe()), "flux1").positive + "\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("{cafe}",), 2, "Missing argument"),
        (("{cafe}", "{harbour}", "--style", "C"), 2, "choose one of A, B, neither"),
        (("{cafe}", "{harbour}", "--family", "fluks1"), 2, "did you mean 'flux1'"),
        (("{cafe}", "{both}"), 1, "holds 2 analyses"),
        (("{cafe}", "missing.json"), 1, "missing.json: it cannot be read"),
        (("{cafe}", "missing.png"), 1, "no file missing.png"),
        (
            ("{cafe}", "{harbour}", *(f"--{name}=neither" for name in ("subject", "setting", "composition")),
             "--light=neither", "--color=neither", "--style=neither"),
            2,
            "choose A or B for one aspect at least",
        ),
    ],
)  # fmt: skip
def test_wrong_use_and_failure(
    img2prompt: Img2Prompt, files: dict[str, Path], arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended = img2prompt("mix", *(word.format(**files) for word in arguments))
    assert (ended.code, ended.out) == (code, "")
    assert says in " ".join(ended.err.split())
