"""Image → Prompt with `min_confidence` in a real ComfyUI: the pixels decide which tags stay."""

from __future__ import annotations

import json
import threading

import pytest
from img2prompt.tests.comfyui.graphs import batch, describe, image_to_prompt, rebatched, shown
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.comfyui.test_render_and_mix import ANALYSIS, render_prompt
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_reads import FITS, FITS_NOT
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.prompts.examples import analysis
from img2prompt.tests.waiting import until

TAGS = ["red center", "blue center", "white border"]
TOLD = {"content": analysis(tags=TAGS).model_dump_json()}


@pytest.fixture
def files(comfyui: ComfyServer) -> list[str]:
    return [comfyui.upload_image(f"sure-{color}.png", draw(color)) for color in ("red", "blue")]


@pytest.mark.parametrize("size", [2, 1], ids=["a batch", "a list"])
def test_each_picture_keeps_what_it_shows(
    comfyui: ComfyServer, endpoint: SeeingServer, files: list[str], size: int
) -> None:
    endpoint.control.script, endpoint.control.hold = [TOLD, TOLD], True
    graph, pictures = batch(*files)
    graph["split"] = rebatched(pictures, size)
    graph["prompt"] = image_to_prompt(["split", 0], seed=820, min_confidence=0.5)
    graph["again"] = render_prompt(["prompt", ANALYSIS], family="flux1")  # the numbers go along
    graph["analysis"] = shown("prompt", ANALYSIS)
    threading.Thread(target=_let_go_at, args=(endpoint, 2)).start()  # each has its look then, and no tag is asked about
    outcome = comfyui.run(graph)
    assert outcome.status == "success", outcome.error
    red, blue = (json.loads(text) for text in outcome.outputs["analysis"]["text"])
    assert (red["tags"], blue["tags"]) == (["red center", "white border"], ["blue center", "white border"])
    assert red["tag_confidence"] == dict(zip(TAGS, map(pytest.approx, (FITS, FITS_NOT, FITS)), strict=True))
    for node in ("prompt", "again"):
        first, second = outcome.outputs[node]["text"]
        assert ("blue" in first, "red" in second) == (False, False)
        assert "red center" in first and "blue center" in second
    assert sum("logprobs" in payload for payload in endpoint.counts.payloads) == 2 * len(TAGS)


def _let_go_at(endpoint: SeeingServer, requests: int) -> None:
    """Answer when so many have come."""
    until(lambda: endpoint.counts.in_flight == requests)
    endpoint.control.hold = False


def test_a_server_that_tells_no_likelihoods_is_an_error(
    comfyui: ComfyServer, endpoint: SeeingServer, files: list[str]
) -> None:
    endpoint.control.script = [TOLD, *[{"said": {}}] * (4 + len(TAGS))]
    outcome = comfyui.run(describe(files[0], seed=822, min_confidence=0.5))
    assert outcome.status == "error"
    assert "does not tell how likely its words are" in outcome.error
