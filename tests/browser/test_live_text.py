"""What the model writes is on the node while it writes, and is gone when there is no result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from img2prompt.tests.browser.conftest import FRONT_ENDS, VIEWS, Screenshot, choose_view
from img2prompt.tests.browser.example import SEEN, saved
from img2prompt.tests.comfyui.graphs import describe
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from playwright.sync_api import Page, expect

PLACES = {"load0": (0, 80), "load1": (0, 480), "batch1": (0, 880), "prompt": (380, 80)}
BEGIN = """() => {
  window.ended = new Promise(resolve => {
    for (const type of ['execution_success', 'execution_error', 'execution_interrupted'])
      app.api.addEventListener(type, () => resolve(type), {once: true});
  });
  window.lives = [];
  app.api.addEventListener('img2prompt.live', ({detail}) => window.lives.push([performance.now(), detail]));
  app.queuePrompt(0, 1);
}"""
LIVE = ".i2p-live"


@pytest.fixture
def slow(endpoint: SeeingServer) -> Iterator[SeeingServer]:
    """It stops in the middle of each answer, until `pause_after` is -1 again."""
    endpoint.control.pause_after = 14
    yield endpoint
    endpoint.control.pause_after = -1


def load(page: Page, comfyui: ComfyServer, seed: int, *files: str) -> None:
    for number, file in enumerate(files):
        comfyui.upload_image(file, draw("green" if number else "red", size=(320, 240)))
    page.evaluate("workflow => app.loadGraphData(workflow)", saved(page, describe(*files, seed=seed), PLACES))


def live(page: Page) -> str:
    page.locator(LIVE).wait_for()
    page.wait_for_function(f"() => document.querySelector('{LIVE} dd')?.textContent.length > 10")
    return page.locator(LIVE).inner_text()


@pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)
@pytest.mark.parametrize("view", VIEWS)
def test_words_appear_before_the_end_and_the_result_after(
    page: Page,
    comfyui: ComfyServer,
    slow: SeeingServer,
    console_errors: list[str],
    screenshot: Screenshot,
    view: str,
    request: pytest.FixtureRequest,
) -> None:
    choose_view(page, view)
    load(page, comfyui, 900 + len(view), "live0.png", "live1.png")
    page.evaluate(BEGIN)
    words = live(page)
    assert not {"{", '"'} & set(words)  # fields, not JSON
    expect(page.locator(".i2p-bar")).to_have_text(re.compile(r"^Writing … · Picture [12] of 2 · [01] done$"))
    screenshot(f"live_text_{request.node.callspec.id}")
    slow.control.pause_after = -1
    assert page.evaluate("ended") == "execution_success"
    expect(page.locator(LIVE)).to_have_count(0)
    (seen,) = page.evaluate(SEEN)
    assert "red center" in seen
    assert console_errors == []


def test_words_come_at_most_ten_times_a_second(page: Page, comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    endpoint.control.words_per_s = 20
    load(page, comfyui, 920, "live0.png")
    page.evaluate(BEGIN)
    assert page.evaluate("ended") == "execution_success"
    lives: list[tuple[float, Any]] = page.evaluate("lives")
    assert len(lives) > 2
    assert len(lives) - 1 <= 10 * (lives[-1][0] - lives[0][0]) / 1000


def test_cancel_brings_back_what_was_shown(page: Page, comfyui: ComfyServer, slow: SeeingServer) -> None:
    load(page, comfyui, 930, "live0.png")
    page.evaluate("() => app.graph.getNodeById('prompt').onExecuted({text: ['The last result.']})")
    page.evaluate(BEGIN)
    live(page)
    expect(page.get_by_text("The last result.")).to_have_count(0)
    comfyui.post("/interrupt", {})
    assert page.evaluate("ended") == "execution_interrupted"
    expect(page.locator(LIVE)).to_have_count(0)
    assert page.evaluate(SEEN) == ["The last result."]
    # what was on its way then
    page.evaluate("() => app.api.dispatchCustomEvent('img2prompt.live', lives.at(-1)[1])")
    expect(page.locator(LIVE)).to_have_count(0)


def test_a_failure_leaves_no_half_answer(page: Page, comfyui: ComfyServer, slow: SeeingServer) -> None:
    slow.control.script = [{"content": "{" + '"caption": "A cat on a mat in the sun, and then no more of it at all'}]
    load(page, comfyui, 940, "live0.png")
    page.evaluate(BEGIN)
    assert "A cat on a mat" in live(page)
    slow.control.pause_after = -1
    slow.control.script = [{"content": "no"}, {"content": "no"}]
    assert page.evaluate("ended") == "execution_error"
    expect(page.locator(LIVE)).to_have_count(0)
    expect(page.locator(".i2p")).to_have_text("The prompt appears here when the node has run.")


@pytest.mark.parametrize(("comfyui", "view"), [(f, v) for f in FRONT_ENDS for v in VIEWS], indirect=["comfyui"])
def test_a_node_in_a_subgraph_shows_its_words(page: Page, comfyui: ComfyServer, slow: SeeingServer, view: str) -> None:
    choose_view(page, view)
    load(page, comfyui, 950 + len(view), "live0.png")
    expect(page.locator(".i2p")).to_be_visible()
    page.evaluate("() => { app.graph.convertToSubgraph(new Set([app.graph.getNodeById('prompt')])); }")
    page.evaluate("() => app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())))")
    expect(page.locator(".i2p").filter(visible=True)).to_have_count(0)
    page.evaluate("""() => {
      const node = app.graph._nodes.find(node => node.subgraph);
      app.canvas.openSubgraph(node.subgraph, node);
    }""")
    expect(page.locator(".i2p")).to_be_visible()
    page.evaluate(BEGIN)
    live(page)
    (_, detail), *_ = page.evaluate("lives")
    assert ":" in detail["node"]
    slow.control.pause_after = -1
    assert page.evaluate("ended") == "execution_success"
    page.wait_for_function(f"() => ({SEEN})().some(text => text.includes('red center'))")
