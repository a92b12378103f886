"""`img2prompt prompt` with files that carry their prompt: it is used, said so, and no model is asked for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from img2prompt.prompts import count_tokens
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.cli.conftest import Img2Prompt
from img2prompt.tests.unit.prompts.recover.containers import png, stealth

FOX = "a red fox, <lora:snow_v2:0.8>,\n  (deep snow:1.2)"
ON_ONE_LINE = "a red fox, <lora:snow_v2:0.8>, (deep snow:1.2)"
WITH_NEGATIVE = f"{FOX}\nNegative prompt: (ugly:1.3), blurry\nSteps: 20, Sampler: Euler a, Seed: 5"


@pytest.fixture
def fox(tmp_path: Path) -> Path:
    file = tmp_path / "fox.png"
    file.write_bytes(png({"parameters": WITH_NEGATIVE}))
    return file


@pytest.fixture
def owl(tmp_path: Path) -> Path:
    """Of another generator, and without a negative prompt."""
    file = tmp_path / "owl.png"
    text = {"class_type": "CLIPTextEncode", "inputs": {"text": "an owl", "clip": ["4", 1]}}
    inputs = {"seed": 1, "steps": 8, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    sampler = {"class_type": "KSampler", "inputs": inputs | {"positive": ["6", 0]}}
    save = {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}}
    file.write_bytes(png({"prompt": json.dumps({"3": sampler, "6": text, "9": save})}))
    return file


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine can be made."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("an engine was made")

    monkeypatch.setattr("img2prompt.engine.shared.shared_engine", refused)
    monkeypatch.setattr("img2prompt.engine.shared.sketch_engine", refused)
    monkeypatch.setattr("img2prompt.engine.shared_engine", refused, raising=False)
    monkeypatch.setattr("img2prompt.engine.sketch_engine", refused, raising=False)


def test_the_files_prompt_is_the_prompt_and_nobody_is_asked(img2prompt: Img2Prompt, nobody: None, fox: Path) -> None:
    ended = img2prompt("prompt", fox, "--prefix", "ohwx")
    assert (ended.code, ended.out) == (0, f"ohwx, {ON_ONE_LINE}\n")
    assert ended.err == f"{fox}: the prompt that it carries (AUTOMATIC1111); --ignore-embedded asks the model.\n"


def test_pixels_are_searched_too(img2prompt: Img2Prompt, nobody: None, tmp_path: Path) -> None:
    (tmp_path / "hidden.png").write_bytes(stealth(WITH_NEGATIVE))
    assert img2prompt("prompt", tmp_path / "hidden.png").out == f"{ON_ONE_LINE}\n"


def test_several_files_are_counted_by_generator(img2prompt: Img2Prompt, nobody: None, fox: Path, owl: Path) -> None:
    ended = img2prompt("prompt", fox, owl, fox)
    assert ended.out.splitlines() == [ON_ONE_LINE, "an owl", ON_ONE_LINE]
    assert "3 of 3 files: the prompts that they carry (2 AUTOMATIC1111, 1 ComfyUI); --ignore" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_the_model_is_asked_only_about_the_others_and_the_order_stays(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], fox: Path, owl: Path
) -> None:
    ended = img2prompt("prompt", seen["red"], fox, seen["blue"], owl)
    assert ended.code == 0
    red, one, blue, two = ended.out.splitlines()
    assert ("red center" in red, one, "blue center" in blue, two) == (True, ON_ONE_LINE, True, "an owl")
    assert endpoint.counts.requests == 2
    assert "2 of 4 files" in ended.err and "seeing-model" in ended.err


def test_the_model_can_be_asked_all_the_same(img2prompt: Img2Prompt, endpoint: SeeingServer, fox: Path) -> None:
    ended = img2prompt("prompt", fox, "--ignore-embedded", "--format", "json")
    (row,) = json.loads(ended.out)
    assert (row["source"], row["recovered"], row["engine"]) == ("model", None, "endpoint")
    assert "fox" not in row["prompt"] and "carries" not in ended.err
    assert "drew the picture" not in asked_of(endpoint)


def asked_of(endpoint: SeeingServer) -> str:
    return endpoint.counts.payloads[0]["messages"][1]["content"][-1]["text"]


def test_of_one_aspect_the_model_writes_and_is_told_the_prompt(
    img2prompt: Img2Prompt, endpoint: SeeingServer, fox: Path
) -> None:
    ended = img2prompt("prompt", fox, "--look-at", "style", "--format", "json")
    (row,) = json.loads(ended.out)
    assert "> a red fox, <lora:snow_v2:0.8>,\n>   (deep snow:1.2)" in asked_of(endpoint)
    assert (row["source"], row["engine"], row["recovered"]["generator"]) == (
        "model",
        "endpoint",
        "AUTOMATIC1111",
    )
    assert "fox" not in row["prompt"] and row["analysis"]
    assert f"{fox}: the model is told the prompt that it carries (AUTOMATIC1111)" in ended.err


def test_json_has_the_same_keys_and_the_prompt_as_written(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], fox: Path, owl: Path
) -> None:
    ended = img2prompt("prompt", fox, owl, seen["red"], "--format", "json", "--token-budget", 3)
    assert ended.code == 0
    one, two, red = json.loads(ended.out)
    assert one.keys() == two.keys() == red.keys()
    assert (one["prompt"], one["negative"]) == (FOX, "(ugly:1.3), blurry")
    assert (one["source"], one["engine"], one["analysis"], one["caption"], one["art_style"]) == (
        *("embedded", "", None, "", ""),
    )
    assert one["tokens"] == count_tokens(FOX, "clip") > one["token_budget"] == 3
    assert one["recovered"]["parameters"]["seed"] == 5
    assert two["negative"] == "blurry, deformed, low resolution, watermark"  # the family's
    assert (red["source"], red["recovered"], red["engine"]) == ("model", None, "endpoint")


def test_words_to_leave_out_go_and_nothing_left_is_a_failure(img2prompt: Img2Prompt, nobody: None, fox: Path) -> None:
    assert img2prompt("prompt", fox, "--leave-out", "Red Fox").out == "<lora:snow_v2:0.8>, (deep snow:1.2)\n"
    nothing = img2prompt("prompt", fox, "--leave-out", "fox, snow, snow v2")
    assert (nothing.code, nothing.out) == (1, "")
    assert str(fox) in nothing.err and "leave out less" in nothing.err


def test_a_child_and_adult_words_in_a_file_are_an_error_that_names_it(
    img2prompt: Img2Prompt, nobody: None, tmp_path: Path
) -> None:
    file = tmp_path / "bad.png"
    file.write_bytes(png({"parameters": "a little girl, nude\nSteps: 20, Seed: 5"}))
    ended = img2prompt("prompt", file)
    assert (ended.code != 0, ended.out) == (True, "")
    assert f"{file}: A child or teenager is in the picture; take 'nude' out of the known prompt" in ended.err


def test_a_prompt_that_cannot_be_read_is_told_and_the_model_is_asked(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], tmp_path: Path
) -> None:
    from PIL import Image, PngImagePlugin

    texts = PngImagePlugin.PngInfo()
    texts.add_text("prompt", '{"3": {"class_type": "KSampler", ')
    broken = tmp_path / "red.png"
    with Image.open(seen["red"]) as picture:
        picture.save(broken, pnginfo=texts)
    ended = img2prompt("prompt", broken)
    assert (ended.code, "red center" in ended.out) == (0, True)
    assert f"{broken}: The graph in PNG text 'prompt' is no readable JSON" in ended.err
    assert "The model is asked instead." in ended.err


def test_a_picture_that_can_carry_no_prompt_is_asked_about_without_ado(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], tmp_path: Path
) -> None:
    from PIL import Image

    bitmap = tmp_path / "red.bmp"
    with Image.open(seen["red"]) as picture:
        picture.save(bitmap)
    ended = img2prompt("prompt", bitmap)
    assert (ended.code, "red center" in ended.out) == (0, True)
    assert str(bitmap) not in ended.err


def test_without_an_analysis_there_is_nothing_to_render_or_mix(
    img2prompt: Img2Prompt, nobody: None, fox: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(img2prompt("prompt", fox, "--format", "json").out, encoding="utf-8")
    for command in (("render", rows), ("mix", rows, rows)):
        ended = img2prompt(*command)
        assert (ended.code, ended.out) == (1, "")
        assert str(fox) in ended.err and "--ignore-embedded" in ended.err
