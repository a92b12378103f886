"""Prompt Engine and Release Prompt Engine in the browser: what a person chooses there, and what pages may ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.engine.choice import MODELS
from img2prompt.tests.browser.conftest import QUEUE, RunWorkflow, Screenshot
from img2prompt.tests.browser.example import SHOWN, saved
from img2prompt.tests.comfyui.graphs import describe, release, shown, with_engine
from img2prompt.tests.comfyui.server import ComfyServer, Graph
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from playwright.sync_api import Browser, Page, expect

NODE_ID = "Img2Prompt_PromptEngine"
PLACES = {"load0": (0, 80), "engine": (0, 460), "prompt": (380, 80), "release": (840, 80), "after": (1180, 80)}
CHOSEN = f"app.graph._nodes.find(node => node.type === '{NODE_ID}')"
IN_CANVAS = f"""name => {{
  const node = {CHOSEN}, row = node.widgets.find(widget => widget.name === name).last_y + 10;
  return app.canvasPosToClientPos([node.pos[0] + 0.6 * node.size[0], node.pos[1] + row]);
}}"""
"""Where the classic view, which is one canvas, has drawn a widget's value."""

FETCH = "([url, how]) => fetch(url, how).then(reply => reply.text(), () => 'blocked')"


def with_both(file: str, seed: int, **choices: Any) -> Graph:
    """Prompt Engine before Image → Prompt, Release Prompt Engine behind it, and then ComfyUI's own Preview Any."""
    graph = with_engine(describe(file, seed=seed), **choices)
    return {**graph, "release": release(["prompt", 0]), "after": shown("release", 0)}


def place(page: Page, widget: str, view: str) -> tuple[float, float]:
    """Where a person sees the value of Prompt Engine's widget."""
    if view == "classic":
        x, y = page.evaluate(IN_CANVAS, widget)
        return x, y
    node = page.locator("[data-node-id=engine]")
    frame, label = node.bounding_box(), node.get_by_text(widget, exact=True).bounding_box()
    assert frame and label
    return frame["x"] + 0.6 * frame["width"], label["y"] + label["height"] / 2


@pytest.mark.parametrize("view", ["classic", "nodes-2.0"])
def test_a_person_reads_chooses_and_runs(
    page: Page,
    comfyui: ComfyServer,
    endpoint: SeeingServer,
    console_errors: list[str],
    screenshot: Screenshot,
    view: str,
) -> None:
    endpoint.control.models = ["seeing-model", MODELS[-1]]
    file = comfyui.upload_image("engine.png", draw("green", size=(320, 240)))
    page.evaluate("on => app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', on)", view != "classic")
    page.evaluate("() => app.ui.settings.setSettingValueAsync('LiteGraph.Node.TooltipDelay', 0)")
    # what another view has asked before, ComfyUI remembers
    workflow = saved(page, with_both(file, seed=700 + len(view)), PLACES)
    page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    screenshot(f"prompt_engine_{view}")
    assert page.locator("[role=dialog]").count() == 0  # such as of missing nodes

    inputs = comfyui.get(f"/object_info/{NODE_ID}")[NODE_ID]["input"]["required"]
    assert list(inputs) == ["model", "precision", "release", "endpoint"]
    for name, (_, about) in inputs.items():
        x, y = place(page, name, view)
        page.mouse.move(x - 20, y)
        page.mouse.move(x, y)
        expect(page.locator(".node-tooltip, .p-tooltip").filter(has_text=about["tooltip"])).to_be_visible()
        if "options" in about:
            page.mouse.click(x, y)
            offered = page.locator(".litemenu-entry, [role=option]")
            expect(offered).to_have_text(about["options"])
            offered.last.click()
            expect(offered).to_have_count(0)
    page.mouse.move(0, 0)

    kind, data = page.evaluate(QUEUE)
    assert kind == "execution_success", data
    assert [payload["model"] for payload in endpoint.counts.payloads] == [MODELS[-1]]
    page.wait_for_function(f"() => {SHOWN}.value.includes('green center')")
    # what came through Release Prompt Engine
    expect(page.locator(".comfy-markdown, .widget-markdown").filter(visible=True)).to_contain_text("green center")
    screenshot(f"prompt_engine_{view}_run")
    assert console_errors == []


def test_an_endpoint_that_is_not_allowed_is_named_with_what_to_do(
    page: Page, comfyui: ComfyServer, endpoint: SeeingServer, run_workflow: RunWorkflow, screenshot: Screenshot
) -> None:
    file = comfyui.upload_image("engine.png", draw("green", size=(320, 240)))
    graph = with_both(file, seed=720, endpoint="http://example.com/v1")
    kind, data = run_workflow(saved(page, graph, PLACES))
    assert (kind, list(data)) == ("rejected", ["engine"]), data
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text('put allowed_endpoints = ["http://example.com/v1"] into')
    assert dialog.inner_text().count("would send pictures") == 1
    screenshot("prompt_engine_refused")
    assert endpoint.counts.requests == 0


def test_only_comfyuis_own_pages_may_ask_about_the_engines(
    browser: Browser, comfyui: ComfyServer, endpoint: SeeingServer
) -> None:
    status, stop = comfyui.url + "/img2prompt/status", comfyui.url + "/img2prompt/stop"
    page = browser.new_page()
    page.goto(comfyui.url + "/system_stats")  # any of its pages
    assert json.loads(page.evaluate(FETCH, [status, {}]))["engines"] == comfyui.get("/img2prompt/status")["engines"]

    page.goto(endpoint.url.removesuffix("/v1") + "/health")  # a page of this machine, at another port
    assert page.evaluate(FETCH, [status, {}]) == "blocked"
    for url, how in ((status, {}), (stop, {"method": "POST", "body": "{}"})):
        with page.expect_response(url) as reply:  # as a picture or a form is sent: the page does not see the answer
            page.evaluate(FETCH, [url, {"mode": "no-cors", **how}])
        assert reply.value.status == 403
    page.close()
