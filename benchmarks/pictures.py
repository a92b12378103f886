"""What one picture costs before and after the model: tensor to request, analysis to prompt."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from img2prompt.engine.chat import prepare, to_payload
from img2prompt.nodes.images import to_picture
from img2prompt.prompts import analysis_request, family_names, read_analysis, render, render_story
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR
from img2prompt.tests.unit.prompts.stories import long_story
from PIL import Image

EXAMPLE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "astronaut.json"
PHOTO = Path(__file__).resolve().parent.parent / "docs" / "examples" / "astronaut.jpg"
MAX_PIXELS = 1_048_576
RUNS = 9


def median_ms(action: Callable[[], object]) -> float:
    """Milliseconds of one call: the median of several, after one that does not count."""
    action()
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def tensor_to_request(side: int) -> float:
    """Milliseconds from one IMAGE of side x side pixels to the payload that the HTTP client is given."""
    photo = Image.open(PHOTO).convert("RGB")
    sheet = Image.new("RGB", (side, side))
    # side by side rather than enlarged: every pixel stays as detailed as the photograph's
    for x in range(0, side, photo.width):
        for y in range(0, side, photo.height):
            sheet.paste(photo, (x, y))
    image = torch.from_numpy(np.asarray(sheet, dtype=np.float32) / 255)

    def action() -> dict[str, Any]:
        chat = prepare(analysis_request(to_picture(image, MAX_PIXELS)), MAX_PIXELS, None)
        return to_payload(chat, model="m", for_vllm=True)

    return median_ms(action)


def render_ms() -> dict[str, float]:
    """Milliseconds to render one realistic analysis: the slowest of the examples, by family."""
    analyses = (CAFE, HARBOUR, DUEL, read_analysis(EXAMPLE.read_text(encoding="utf-8")))
    return {
        family: max(median_ms(lambda a=analysis, f=family: render(a, f)) for analysis in analyses)
        for family in family_names()
    }


def render_story_ms() -> dict[str, float]:
    """Milliseconds to render a story of 16 beats, with one or two characters and their regional prompts in each."""
    story = long_story()
    return {family: median_ms(lambda f=family: render_story(story, f)) for family in family_names()}
