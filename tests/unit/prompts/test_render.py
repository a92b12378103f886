"""render(): what becomes of an analysis's fields, on analyses in which one thing matters."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any, cast

import pytest
from img2prompt.prompts import ImageAnalysis, RenderOptions, UnknownFamily, render
from img2prompt.prompts.slots import LIMITS
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR, SKETCH, analysis, color, style, subject

FAMILIES = ("sdxl", "flux1")


def tags(found: ImageAnalysis, **options: Any) -> list[str]:
    return render(found, "sdxl", RenderOptions(**options)).positive.split(", ")


@pytest.mark.parametrize(
    ("fields", "printed"),
    [
        ({"tags": ["red_hair", "Red-Hair", "RED HAIR", " red  hair. "]}, ["red hair"]),
        ({"tags": ["red hair, blue eyes; hat"]}, ["red hair", "blue eyes", "hat"]),
        ({"tags": ["masterpiece", "best quality", "8k", "highly detailed", "score_9", "tree"]}, ["tree"]),
        ({"tags": ["1girl", "solo", "2boys", "no humans", "tree"]}, ["tree"]),
        ({"tags": ["unknown", "not applicable", "other", "none", "", "tree"]}, ["tree"]),
        ({"tags": ["smile :)", "(red:1.4)", "<lora:x:1>", "{a|b}"]}, [r"smile :\)", r"\(red:1.4\)", "a b"]),
        ({"tags": ["tree", "x" * 31 + " cut offa"]}, ["tree", "x" * 31 + " cut"]),  # 40 characters: cut by the schema
        ({"tags": ['"open" sign']}, ["open sign"]),
        ({"medium": "other", "tags": ["tree"]}, ["tree"]),
        ({"medium": "oil painting"}, ["oil painting"]),
        ({"style": style(movement="cubism", confidence="low"), "tags": ["tree"]}, ["tree"]),
        ({"style": style(movement="cubism")}, ["cubism"]),
        ({"style": style(influences=["Somebody"]), "tags": ["tree"]}, ["tree"]),
        ({"contrast": "low key", "light": "unknown"}, ["low-key lighting"]),
        ({"lens": "normal", "focus": "shallow"}, ["shallow depth of field"]),
        ({"palette": [color("Sea_Green", "accent"), color("red", "dominant")]}, ["red and sea green color palette"]),
        ({"setting": ["beach"], "tags": ["beach", "sandy beach"]}, ["beach", "sandy beach"]),
        ({"setting": ["sandy beach"], "tags": ["beach"]}, ["sandy beach"]),
        ({"caption": "This image shows a house, stunning. Red roof."}, ["a house", "red roof"]),
        ({"caption": "A house.", "tags": ["tree"]}, ["tree"]),
        ({"caption": "Photograph, a house. A house.", "medium": "photograph"}, ["photograph", "a house"]),
    ],
)  # fmt: skip
def test_fields_become_tags(fields: dict[str, Any], printed: list[str]) -> None:
    assert tags(analysis(**fields)) == printed


@pytest.mark.parametrize(
    ("subjects", "printed"),
    [
        ([{}], "woman"),
        ([{"gender": "male", "age": "elderly"}], "elderly man"),
        ([{"age": "young adult", "count": 3}], "three young women"),
        ([{"gender": "unknown", "age": "unknown", "count": 2}], "two people"),
        ([{"gender": "unknown", "age": "elderly"}], "elderly person"),
        ([{"gender": "androgynous"}], "androgynous person"),
        ([{"age": "child"}], "girl"),
        ([{"gender": "male", "age": "teen", "count": 2}], "two teenage boys"),
        ([{"gender": "unknown", "age": "child", "count": 20}], "twenty children"),
        ([{"gender": "not applicable", "age": "teen"}], "teenager"),
        ([{"appearance": ["red hair"]}, {"appearance": ["black hair"]}], "two women, red hair, black hair"),
        ([{"count": 2}, {"gender": "male"}], "two women, man"),
        ([{"kind": "character", "gender": "unknown"}], "character"),
        ([{"kind": "character", "known_character": "Rin (series)"}], r"woman, rin \(series\)"),
        ([{"kind": "animal", "appearance": ["tabby cat"]}], "tabby cat"),
        ([{"kind": "animal", "appearance": ["tabby cat"], "count": 2}], "two tabby cats"),
        ([{"kind": "robot", "appearance": ["rusty"]}], "robot, rusty"),
        ([{"kind": "food", "count": 4}], "four dishes"),
        ([{"kind": "object", "appearance": ["red circle"]}], "red circle"),
        ([{"clothing": ["hat"], "action": ["running"], "expression": "happy"}], "woman, hat, running, happy"),
    ],
)
def test_subjects_are_named_and_counted(subjects: list[dict[str, Any]], printed: str) -> None:
    found = analysis(subjects=[subject(**fields) for fields in subjects])
    assert render(found, "sdxl", RenderOptions(look_at="subject")).positive == printed


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_sketch_engine_finds_makes_a_prompt(family: str) -> None:
    for look_at in ("everything", "style"):
        assert "navy" in render(SKETCH, family, RenderOptions(look_at=look_at)).positive.lower()
    assert not re.search(r"\b(other|unknown|not applicable|subject)\b", render(SKETCH, family).positive)


@pytest.mark.parametrize(
    ("flaws", "tags", "negative"),
    [
        ([], [], "blurry, deformed, low resolution, watermark"),
        (
            ["blur", "text overlay", "extra fingers"],
            [],
            "blurry, deformed, low resolution, watermark, text, extra fingers",
        ),
        (["noise"], ["blurry", "watermark"], "deformed, low resolution, watermark, noisy"),
    ],
)
def test_the_negative_is_the_familys_and_the_flaws_seen(flaws: list[str], tags: list[str], negative: str) -> None:
    found = analysis(flaws={"items": flaws}, tags=["tree", *tags])
    assert render(found, "sdxl").negative == negative
    assert render(found, "flux1").negative == ""


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (
            CAFE,
            [
                "Medium: photograph",
                "Technique: film grain",
                "Palette: amber, navy blue, grey",
                "Light: golden hour light, side lighting",
                "Composition: three-quarter length shot, three-quarter view, shallow depth of field, telephoto lens, "
                "rule of thirds",
                "Mood: calm, nostalgic",
            ],
        ),
        (
            HARBOUR,
            [
                "Medium: oil painting",
                "Movement: impressionism",
                "Era: 19th century",
                "Technique: visible brushstrokes, canvas",
                "Palette: pink, slate blue",
                "Light: daylight, backlighting, low-key lighting",
                "Composition: wide shot, high horizon",
            ],
        ),
        (SKETCH, ["Palette: navy, gold, crimson", "Light: low-key lighting"]),
        (analysis(tags=["x"], style=style(movement="Op (art)", confidence="low")), ["Movement: op (art) (uncertain)"]),
        (analysis(tags=["tree"]), []),
    ],
)  # fmt: skip
def test_the_art_style_analysis(found: ImageAnalysis, lines: list[str]) -> None:
    assert render(found, "sdxl").style.splitlines() == lines


def test_an_unknown_family_is_an_error() -> None:
    with pytest.raises(UnknownFamily, match="did you mean 'flux1'"):
        render(CAFE, "flux-1")
    with pytest.raises(UnknownFamily):
        RenderOptions().check("flux-1")


def test_the_limits_are_the_schemas() -> None:
    def longest(*path: str) -> int:
        schema = ImageAnalysis.model_json_schema()
        node = schema
        for name in path:
            node = node["properties"][name]
            node = node.get("items", node)
            node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        return cast(int, node["maxLength"])

    assert {
        "tag": longest("tags"),
        "expression": longest("subjects", "expression"),
        "known_character": longest("subjects", "known_character"),
        "mood": longest("style", "mood"),
        "color": longest("palette", "name"),
        "visible_text": longest("visible_text", "text"),
        "where": longest("visible_text", "where"),
    } == LIMITS


def test_importing_the_package_loads_nothing_heavy_and_render_stays_the_function() -> None:
    program = """
import sys, img2prompt.prompts
heavy = {"pydantic", "PIL", "numpy", "tokenizers", "tomllib"} & sys.modules.keys()
assert not heavy, heavy
import img2prompt.prompts.render
from img2prompt.prompts import *
from img2prompt.prompts import __all__, render
assert callable(render) and all(name in globals() for name in __all__)
assert "tokenizers" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_three_examples_differ_by_family() -> None:
    for found in (CAFE, HARBOUR, DUEL):
        assert len({render(found, family).positive for family in FAMILIES}) == 2
