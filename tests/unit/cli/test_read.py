"""`img2prompt read`: every prompt that files carry, where it came from, and what happens with files that fail."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from img2prompt.prompts import Parameters, Recovered
from img2prompt.tests.unit.cli.conftest import Img2Prompt
from img2prompt.tests.unit.prompts.recover.containers import png, stealth

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
A1111 = (
    "a red fox, <lora:snow_v2:0.8>,\n(deep snow:1.2)\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x768, Model hash: 15012c538f, Model: dreamshaper"
)


def encoder(text: str, title: str = "") -> dict[str, Any]:
    node: dict[str, Any] = {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["4", 1]}}
    return node | ({"_meta": {"title": title}} if title else {})


def sampler(positive: str, latent: str, seed: int) -> dict[str, Any]:
    inputs = {"seed": seed, "steps": 8, "cfg": 4.5, "sampler_name": "euler", "scheduler": "karras", "denoise": 1.0}
    links = {"model": ["4", 0], "positive": [positive, 0], "negative": ["7", 0], "latent_image": [latent, 0]}
    return {"class_type": "KSampler", "inputs": inputs | links}


GRAPH = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 640, "height": 448, "batch_size": 1}},
    "6": encoder("a first draft"),
    "16": encoder("a finished fox", "Second pass"),
    "7": encoder("ugly"),
    "3": sampler("6", "5", 1),
    "13": sampler("16", "3", 2),
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["13", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "x"}},
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files that carry prompts, one that does not, and one that is broken."""
    contents = {
        "fox.png": png({"parameters": A1111}),
        "graph.png": png({"prompt": json.dumps(GRAPH)}),
        "hidden.png": stealth(A1111),
        "plain.png": png(),
        "broken.png": png({"parameters": A1111})[:20],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {Path(name).stem: tmp_path / name for name in contents}


def test_all_that_is_known_of_a_file_a_line_each(img2prompt: Img2Prompt, files: dict[str, Path]) -> None:
    ended = img2prompt("read", files["fox"])
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"{files['fox']}: AUTOMATIC1111",
        "  positive: a red fox, <lora:snow_v2:0.8>,",
        "    (deep snow:1.2)",
        "  negative: blurry",
        "  seed: 5",
        "  steps: 20",
        "  sampler: Euler a",
        "  cfg scale: 7.0",
        "  size: 512 x 768",
        "  checkpoint: dreamshaper (15012c538f)",
        "  loras: snow_v2 (0.8)",
        "  read from: PNG text 'parameters'",
    ]


def test_of_several_prompts_all_are_shown_with_their_nodes(img2prompt: Img2Prompt, files: dict[str, Path]) -> None:
    lines = img2prompt("read", files["graph"]).out.splitlines()
    assert lines[:6] == [
        f"{files['graph']}: ComfyUI",
        "  prompt 1 of 2, the final picture's",
        "  positive: a finished fox",
        "  negative: ugly",
        '  positive nodes: 16 CLIPTextEncode "Second pass"',
        "  negative nodes: 7 CLIPTextEncode",
    ]
    second = lines.index("  prompt 2 of 2")
    assert "  seed: 2" in lines[:second] and "  checkpoint: sd15.safetensors" in lines[:second]
    assert lines[second + 1] == "  positive: a first draft" and "  seed: 1" not in lines


def test_one_bad_file_does_not_stop_the_others(img2prompt: Img2Prompt, files: dict[str, Path]) -> None:
    ended = img2prompt("read", files["broken"], "missing.png", files["plain"], files["fox"])
    assert ended.code == 1
    assert [line for line in ended.out.splitlines() if not line.startswith(" ")] == [
        f"{files['plain']}: carries no prompt",
        f"{files['fox']}: AUTOMATIC1111",
    ]
    assert str(files["broken"]) in ended.err and "missing.png" in ended.err
    assert img2prompt("read", files["plain"], EXAMPLES / "coffee.jpg").code == 0


@pytest.mark.parametrize(("option", "found"), [((), True), (("--stealth",), True), (("--no-stealth",), False)])
def test_pixels_are_searched_unless_that_is_turned_off(
    img2prompt: Img2Prompt, files: dict[str, Path], option: tuple[str, ...], found: bool
) -> None:
    ended = img2prompt("read", files["hidden"], *option)
    assert ended.code == 0
    assert ("(deep snow:1.2)" in ended.out, "carries no prompt" in ended.out) == (found, not found)


def test_json_has_the_same_keys_for_every_file(img2prompt: Img2Prompt, files: dict[str, Path]) -> None:
    ended = img2prompt("read", *files.values(), "--format", "json")
    assert ended.code == 1
    rows = json.loads(ended.out)
    names = {field.name for field in fields(Recovered)} | {"image", "found", "error", "positive", "negative"}
    assert all(row.keys() == names for row in rows)
    assert [row["parameters"].keys() for row in rows] == [{field.name for field in fields(Parameters)}] * len(files)
    by_name = {Path(row["image"]).stem: row for row in rows}
    assert list(by_name) == list(files)
    assert {name: (row["found"], row["error"] is None) for name, row in by_name.items()} == {
        "fox": (True, True),
        "graph": (True, True),
        "hidden": (True, True),
        "plain": (False, True),
        "broken": (False, False),
    }
    assert by_name["broken"]["error"] in ended.err.replace("\n", "")
    fox = by_name["fox"]
    assert fox["positive"] == "a red fox, <lora:snow_v2:0.8>,\n(deep snow:1.2)"
    assert fox["parameters"]["loras"] == [{"name": "snow_v2", "weight": 0.8, "clip_weight": None}]
    assert (fox["parameters"]["denoise"], fox["parameters"]["seed"]) == (None, 5)
    assert by_name["graph"]["prompts"][0]["positive_nodes"] == [
        {"id": "16", "type": "CLIPTextEncode", "title": "Second pass"}
    ]
    assert (by_name["plain"]["generator"], by_name["plain"]["prompts"], fox["credentials"]) == ("", [], None)


def test_nothing_that_a_terminal_acts_on_is_written(img2prompt: Img2Prompt, tmp_path: Path) -> None:
    file = tmp_path / "a\x1b[31mred\x07.png"
    file.write_bytes(png({"parameters": "a fox\x1b[2J\x9b31m\x07\nSteps: 20, Seed: 5, Note: \x1b]0;title\x07"}))
    broken = tmp_path / "b\x1b[31m.png"
    broken.write_bytes(b"")
    ended = img2prompt("read", file, broken)
    assert (ended.code, "a fox" in ended.out, "b[31m.png" in ended.err) == (1, True, True)
    assert not {character for character in ended.out + ended.err if ord(character) < 32 and character != "\n"}
    assert "\x9b" not in ended.out


def test_a_name_that_is_no_utf_8_can_be_told(img2prompt: Img2Prompt, tmp_path: Path) -> None:
    file = Path(f"{tmp_path}/fox\udcff.png")
    try:
        file.write_bytes(png({"parameters": A1111}))
    except (OSError, UnicodeEncodeError):
        pytest.skip("this system's file names are UTF-8 only")
    for form in ("text", "json"):
        ended = img2prompt("read", file, "--format", form)
        assert (ended.code, "a red fox" in ended.out) == (0, True)


def test_a_files_own_values_are_shown_short(img2prompt: Img2Prompt, tmp_path: Path) -> None:
    file = tmp_path / "long.png"
    file.write_bytes(png({"parameters": f"a fox\nSteps: 20, Seed: 5, Styles: {'x' * 5000}"}))
    assert f"  Styles: {'x' * 200}…" in img2prompt("read", file).out.splitlines()
    assert "x" * 5000 in img2prompt("read", file, "--format", "json").out


def test_it_needs_a_file(img2prompt: Img2Prompt) -> None:
    assert img2prompt("read").code == 2


def test_a_negative_alone_is_no_prompt_found(img2prompt: Img2Prompt, tmp_path: Path) -> None:
    """As in the node: there is nothing to draw with."""
    file = tmp_path / "hen.png"
    file.write_bytes(png({"parameters": "Negative prompt: hen\nSteps: 20, Sampler: Euler a, Seed: 1"}))
    (row,) = json.loads(img2prompt("read", file, "--format", "json").out)
    assert (row["found"], row["positive"], row["negative"], row["parameters"]["steps"]) == (False, "", "hen", 20)
