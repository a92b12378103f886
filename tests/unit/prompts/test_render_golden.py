"""Whole prompts, to read: what a few analyses become for each family."""

from __future__ import annotations

import pytest
from img2prompt.prompts import ImageAnalysis, render
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR, SKETCH

GOLDEN = {
    ("cafe", "sdxl"): (
        "young woman, red hair, freckles, green eyes, blue dress, straw hat, sitting on bench, holding paper "
        "cup, slight smile, narrow alley, stone walls, cobblestones, photograph, film grain, calm, nostalgic,"
        " three-quarter length shot, three-quarter view, rule of thirds, golden hour light, side lighting, "
        r"sunlight, coffee \(drink\)"
    ),
    ("cafe", "flux1"): (
        "A young woman with red hair sitting on a wooden bench in a narrow alley. She wears a blue dress and "
        r"a straw hat, and holds a paper cup \(coffee\). Golden evening light falls from the left, and the "
        "stone walls behind her are out of focus. The photograph is calm and warm. The young woman, freckles,"
        " green eyes, long hair, slight smile. The setting: cobblestones. Film grain. The mood is nostalgic. "
        "Three-quarter length shot, three-quarter view, shallow depth of field, telephoto lens, rule of "
        "thirds, subject on the left. Golden hour light, side lighting. Amber, navy blue and grey color "
        r'palette. Text "CAFÉ \(open\)" on sign above the door. Also visible: sunlight and coffee \(drink\).'
    ),
    ("harbour", "sdxl"): (
        "five fishing boats, harbour, calm water, oil painting, impressionism, visible brushstrokes,"
        " canvas, 19th century, wide shot, high horizon, daylight, backlighting, low-key "
        "lighting, pink and slate blue color palette, masts, reflection"
    ),
    ("harbour", "flux1"): (
        "Fishing boats lie in a harbour at dawn. Their masts are mirrored in pink water. The setting: calm "
        "water. Oil painting, impressionism, visible brushstrokes, canvas, 19th century. Wide shot, high "
        "horizon. Daylight, backlighting, low-key lighting. Pink and slate blue color "
        "palette. Also visible: reflection."
    ),
    ("duel", "sdxl"): (
        "two women, silver hair, armor, swinging sword, black hair, scar, angry, robot, rusty, anime "
        "illustration, cel shading, tense, from below, sparks, fighting"
    ),
    ("duel", "flux1"): (
        "Two women in armour fight a robot with swords. One woman, silver hair, wearing armor, swinging "
        "sword. Another woman, black hair, scar, wearing armor, angry. The robot, rusty. Anime illustration, cel "
        "shading. The mood is tense. From below. Also visible: sparks."
    ),
    ("sketch", "sdxl"): ("low-key lighting, navy and gold and crimson color palette, cool colors"),
    ("sketch", "flux1"): ("Mostly navy and gold with an accent of crimson; cool colors, low-key light; wide format."),
}


@pytest.mark.parametrize(("name", "family"), GOLDEN)
def test_golden(name: str, family: str) -> None:
    examples: dict[str, ImageAnalysis] = {"cafe": CAFE, "harbour": HARBOUR, "duel": DUEL, "sketch": SKETCH}
    assert render(examples[name], family).positive == GOLDEN[name, family]
