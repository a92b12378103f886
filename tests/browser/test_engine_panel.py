"""The sidebar tab Prompt Engine: how the engines stand, and Start, Sleep and Stop.

A managed engine cannot be had here, so what the server would tell of one is put in the place of its answers; the page,
the endpoint and the run that Start queues are real.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import pytest
from img2prompt.engine.backend import Status
from img2prompt.tests.browser.conftest import FRONT_ENDS, Screenshot, choose_view
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing_server import SeeingServer
from playwright.sync_api import APIResponse, Page, Route, expect

STATUS = "**/img2prompt/status*"
MOST_TABS = 120
"""More than there is to tab through on the page."""
FOCUSED = "name => (document.activeElement?.ariaLabel || document.activeElement?.textContent || '').includes(name)"
OUTLINED = """() => {
  const focused = document.activeElement, { outlineStyle, outlineWidth } = getComputedStyle(focused);
  return !focused.closest('.i2p') || (outlineStyle !== 'none' && outlineWidth !== '0px');
}"""
"""What is ours shows that it has the focus."""

ENDED = """() => {
  window.ended = new Promise(resolve => {
    for (const type of ['execution_success', 'execution_error', 'execution_interrupted'])
      app.api.addEventListener(type, event => resolve([type, event.detail]), {once: true});
  });
}"""


def stands(phase: str, detail: str, **more: Any) -> dict[str, Any]:
    """What the server tells of a managed engine."""
    status = asdict(Status("managed", "Qwen3-VL-8B-Instruct-FP8", "", detail, phase, gpu_bytes=11 * 2**30, **more))
    return {"engines": [status], "version": phase}


NOT_INSTALLED = {
    "engines": [],
    "problem": "No engine is set up; run `img2prompt engine install` on Linux with an NVIDIA GPU.",
    "phase": "not installed",
    "version": "none",
}
STOPPED = stands("stopped", "vLLM is stopped; the next request starts it.")
STARTING = stands("starting", "vLLM (process 71) is starting: loading weights.", progress="loading weights, 43 %")
AWAKE = stands(
    *("awake", "vLLM (process 71) serves at http://127.0.0.1:41235/v1."),
    **{"running": 3, "waiting": 5, "tokens_per_s": 812.4, "cache_hits": 12, "cache_misses": 30},
)
ASLEEP = stands("asleep", "vLLM (process 71) sleeps; the next request wakes it.", cache_hits=12, cache_misses=30)
FAILED = stands(
    *("failed", "vLLM did not start; the next request tries again."),
    log_tail="INFO loading weights\nRuntimeError: <img src=x onerror=\"document.title='hacked'\">\n" + "tail\n" * 40,
)
STATES = [
    (NOT_INSTALLED, "not installed", [], ["run `img2prompt engine install`"]),
    (STOPPED, "stopped", ["Start"], ["the next request starts it"]),
    (STARTING, "starting", ["Stop"], ["loading weights, 43 %"]),
    (AWAKE, "awake", ["Sleep", "Stop"], ["FP8", "11.0 GiB", "812 tokens/s", "3 running, 5 waiting", "12 of 42"]),
    (ASLEEP, "asleep", ["Start", "Stop"], ["wakes it"]),
    (FAILED, "failed", ["Start"], ["RuntimeError: <img"]),
]


class Told:
    """What the page is told of the engines, in the place of the server's answers; who waits for a change waits."""

    def __init__(self, page: Page, first: dict[str, Any]) -> None:
        self.now = first
        self.asked = 0
        self._waiting: list[Route] = []
        page.route(STATUS, self._answer)

    def _answer(self, route: Route) -> None:
        self.asked += 1
        if route.request.url.endswith(f"?after={self.now['version']}"):
            self._waiting.append(route)
        else:
            route.fulfill(json=self.now)

    def tell(self, now: dict[str, Any]) -> None:
        self.now = now
        while self._waiting:
            self._waiting.pop().fulfill(json=now)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the name has the focus, and can be seen to have it."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED, name):
            assert page.evaluate(OUTLINED)
            return
    raise AssertionError(f"{name} cannot be reached with Tab")


def open_panel(page: Page) -> None:
    """By keyboard alone, from the page's beginning."""
    page.locator("body").press("Tab")
    tab_to(page, "Prompt Engine")
    page.keyboard.press("Enter")
    expect(page.locator("img2prompt-engine")).to_be_visible()


@pytest.mark.parametrize(
    ("comfyui", "view"),
    [(FRONT_ENDS[0], "classic"), (FRONT_ENDS[1], "classic"), (FRONT_ENDS[1], "nodes-2.0")],
    indirect=["comfyui"],
)
def test_every_state_is_shown_and_the_keyboard_is_enough(
    page: Page, comfyui: ComfyServer, console_errors: list[str], screenshot: Screenshot, view: str, request
) -> None:
    choose_view(page, view)
    shot = f"engine_panel_{view}_{request.node.callspec.params['comfyui'] or 'own'}"
    told = Told(page, NOT_INSTALLED)
    posts: list[str] = []
    page.route(
        re.compile("/img2prompt/(sleep|stop)$"), lambda route: (posts.append(route.request.url), route.fulfill(json={}))
    )
    open_panel(page)
    panel = page.locator("img2prompt-engine")
    for state, word, sensible, texts in STATES:
        told.tell(state)
        expect(panel.get_by_role("status")).to_have_text(word)
        for text in texts:
            expect(panel).to_contain_text(text)
        for name in ("Start", "Sleep", "Stop"):
            expect(panel.get_by_role("button", name=name)).to_be_enabled(enabled=name in sensible)
        if state in (AWAKE, FAILED):
            screenshot(f"{shot}_{word}")
    assert page.title() != "hacked" and panel.locator("img").count() == 0
    tab_to(page, "End of its log")  # it can be scrolled

    told.tell(AWAKE)
    expect(panel.get_by_role("status")).to_have_text("awake")
    for name, key in (("Sleep", "Enter"), ("Stop", "Space")):
        tab_to(page, name)
        page.keyboard.press(key)
    told.tell(STOPPED)
    expect(panel.get_by_role("status")).to_have_text("stopped")
    page.keyboard.press("Enter")  # Stop, which makes no sense any more, still has the focus
    page.wait_for_timeout(100)
    assert [url.rsplit("/", 1)[1] for url in posts] == ["sleep", "stop"]
    assert console_errors == []


@pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)
def test_an_endpoint_is_told_of_as_it_stands_and_start_runs_the_node(
    page: Page, comfyui: ComfyServer, endpoint: SeeingServer, console_errors: list[str], screenshot: Screenshot
) -> None:
    open_panel(page)
    panel = page.locator("img2prompt-engine")
    expect(panel.get_by_role("status")).to_have_text("endpoint")
    expect(panel).to_contain_text(endpoint.url)
    for name in ("Start", "Sleep", "Stop"):  # it is another's
        expect(panel.get_by_role("button", name=name)).to_be_disabled()

    told = Told(page, STOPPED)
    close_and_open(page)
    expect(panel.get_by_role("status")).to_have_text("stopped")
    tab_to(page, "Start")
    page.evaluate(ENDED)
    page.keyboard.press("Enter")
    kind, data = page.evaluate("() => window.ended")
    assert kind == "execution_success", data
    screenshot("engine_panel_started")
    (outputs,) = comfyui.get(f"/history/{data['prompt_id']}")[data["prompt_id"]]["outputs"].values()
    assert outputs["text"] == [f"vLLM at {endpoint.url} serves seeing-model."]
    expect(panel.get_by_role("alert")).to_have_text("")

    held: list[tuple[Route, APIResponse]] = []
    page.route("**/api/prompt", lambda route: held.append((route, route.fetch())))
    page.evaluate(ENDED)
    page.keyboard.press("Enter")
    page.evaluate("() => window.ended")  # before the page knows what it has queued
    ((route, reply),) = held
    with page.expect_response("**/api/prompt"):
        route.fulfill(response=reply)
    page.wait_for_timeout(300)
    expect(panel.get_by_role("alert")).to_have_text("")
    assert told.asked and endpoint.counts.requests == 0  # nothing was asked of the model
    assert console_errors == []


def close_and_open(page: Page) -> None:
    button = page.get_by_role("button", name="Prompt Engine").first
    button.click()
    expect(page.locator("img2prompt-engine")).to_have_count(0)
    button.click()
    expect(page.locator("img2prompt-engine")).to_be_visible()


@pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)
def test_nothing_is_asked_when_nobody_looks(page: Page, comfyui: ComfyServer) -> None:
    asked: list[str] = []
    ended: list[str] = []

    def note(urls: list[str], url: str) -> None:
        if "/img2prompt/" in url:
            urls.append(url)

    page.on("request", lambda request: note(asked, request.url))
    page.on("requestfailed", lambda request: note(ended, request.url))
    page.wait_for_timeout(300)
    assert asked == []  # closed
    open_panel(page)
    panel = page.locator("img2prompt-engine")
    expect(panel.get_by_role("status")).to_have_text("endpoint")
    page.wait_for_timeout(300)
    assert ["?after=" in url for url in asked] == [False, True]  # one answer, and one that waits for a change
    # to another tab, which some front ends put into the same place without a word
    page.get_by_role("button", name="Workflows").first.click()
    expect(panel).to_have_count(0)
    page.wait_for_timeout(300)
    assert (len(asked), len(ended)) == (2, 1)
    page.get_by_role("button", name="Prompt Engine").first.click()
    expect(panel.get_by_role("status")).to_have_text("endpoint")
    page.wait_for_timeout(300)
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.wait_for_timeout(300)
    assert (len(asked), len(ended)) == (4, 2)
    page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    page.wait_for_timeout(300)
    assert len(asked) == 6


def test_it_goes_on_when_comfyui_answers_again(page: Page, comfyui: ComfyServer) -> None:
    page.clock.install()
    page.route(STATUS, lambda route: route.abort())
    open_panel(page)
    status = page.locator("img2prompt-engine").get_by_role("status")
    expect(status).to_contain_text("does not answer")
    page.unroute(STATUS)
    page.clock.fast_forward(6_000)
    expect(status).to_have_text("endpoint")
