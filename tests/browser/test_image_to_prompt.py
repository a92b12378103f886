"""The example workflow in the browser: it loads, runs, and the node shows its prompt; in both of ComfyUI's views."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.tests.browser.conftest import RunWorkflow, Screenshot
from img2prompt.tests.browser.example import SEEN, SHOWN, small_example
from img2prompt.tests.comfyui.graphs import NODE
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from playwright.sync_api import Page


@pytest.fixture
def workflow(comfyui: ComfyServer, endpoint: SeeingServer) -> dict[str, Any]:
    """The example as shipped, but small, on the tiny checkpoint, with a drawn picture as its example.png."""
    comfyui.upload_image("example.png", draw("green", size=(320, 240)))
    return small_example()


@pytest.mark.parametrize("view", ["classic", "nodes-2.0"])
def test_the_example_workflow_shows_its_prompt(
    page: Page, run_workflow: RunWorkflow, workflow: dict[str, Any], screenshot: Screenshot, view: str
) -> None:
    page.evaluate("on => app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', on)", view != "classic")
    kind, data = run_workflow(workflow)
    assert kind == "execution_success", data
    page.wait_for_function(f"() => {SHOWN}.value.includes('green center')")
    # what a person sees, not only what the graph holds
    (seen,) = page.evaluate(SEEN)
    assert "green center" in seen
    screenshot(f"image_to_prompt_{view}")


def test_the_result_stays_out_of_the_workflow_file(
    page: Page, run_workflow: RunWorkflow, workflow: dict[str, Any]
) -> None:
    assert run_workflow(workflow)[0] == "execution_success"
    page.wait_for_function(f"() => {SHOWN}.value.includes('green center')")
    assert "green center" not in json.dumps(page.evaluate("() => app.graph.serialize()"))


def test_a_new_node_keeps_its_seed(page: Page) -> None:
    control = f"""() => {{
      const node = LiteGraph.createNode('{NODE}');
      app.graph.add(node);
      return node.widgets.find(widget => widget.name === 'seed').linkedWidgets[0].value;
    }}"""
    assert page.evaluate(control) == "fixed"


def test_an_error_is_shown_and_no_prompt(
    page: Page, run_workflow: RunWorkflow, workflow: dict[str, Any], endpoint: SeeingServer
) -> None:
    endpoint.control.script = [{"content": "I see a cat."}]
    node = next(node for node in workflow["nodes"] if node["type"] == NODE)
    node["widgets_values"][6] = 77  # another seed: ComfyUI remembers the answers of the tests before
    kind, data = run_workflow(workflow)
    assert kind == "execution_error"
    assert "JSON" in data["exception_message"]
    page.get_by_text("JSON").first.wait_for()
    assert page.evaluate(f"() => {SHOWN}.value") == ""
