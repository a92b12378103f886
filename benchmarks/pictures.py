"""What one picture costs before and after the model: tensor to request, analysis to prompt."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import torch
from img2prompt.engine.chat import prepare, to_payload
from img2prompt.nodes.images import to_picture
from img2prompt.prompts import analysis_request, family_names, render
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR

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
    """Milliseconds from one IMAGE of side x side pixels to the bytes that are posted."""
    # smooth with some noise, as photographs are: pure noise is the slowest JPEG that there is
    coarse = torch.rand(1, 3, side // 32, side // 32)
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")[0].permute(1, 2, 0)
    image = (smooth + 0.02 * torch.randn(side, side, 3)).clamp(0, 1).contiguous()

    def action() -> bytes:
        chat = prepare(analysis_request(to_picture(image)), MAX_PIXELS, None)
        return json.dumps(to_payload(chat, model="m", for_vllm=True)).encode()

    return median_ms(action)


def render_ms() -> dict[str, float]:
    """Milliseconds to render one realistic analysis: the slowest of the examples, by family."""
    return {
        family: max(median_ms(lambda a=analysis, f=family: render(a, f)) for analysis in (CAFE, HARBOUR, DUEL))
        for family in family_names()
    }
