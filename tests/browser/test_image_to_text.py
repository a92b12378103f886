"""Image → Text in the browser: the node shows its texts as they are, in both of ComfyUI's views."""

from __future__ import annotations

import json

import pytest
from img2prompt.tests.browser.conftest import QUEUE
from img2prompt.tests.browser.example import SEEN
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from playwright.sync_api import Page

BUILD = """file => {
  app.graph.clear();
  const [load, write] = ['LoadImage', 'Img2Prompt_ImageToText'].map(type => LiteGraph.createNode(type));
  for (const node of [load, write]) app.graph.add(node);
  write.pos = [500, 50];
  load.widgets.find(widget => widget.name === 'image').value = file;
  load.connect(0, write, 0);
}"""
SHOWN = "app.graph._nodes.at(-1).widgets.at(-1)"
"""The widget on our node that shows its text, in JavaScript."""


@pytest.mark.parametrize("view", ["classic", "nodes-2.0"])
def test_the_node_shows_its_text(page: Page, comfyui: ComfyServer, endpoint: SeeingServer, view: str) -> None:
    written = f"What a green, in {view}! ❤️\n\n#green"
    endpoint.control.script = [{"content": json.dumps({"text": written})}]
    file = comfyui.upload_image(f"shown-{view}.png", draw("green"))
    page.evaluate("on => app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', on)", view != "classic")
    page.evaluate(BUILD, file)
    kind, data = page.evaluate(QUEUE)
    assert kind == "execution_success", data
    page.wait_for_function(f"text => {SHOWN}.value === text", arg=written)
    # what a person sees, not only what the graph holds
    assert page.evaluate(SEEN) == [written]
    assert page.evaluate(f"() => {SHOWN}.label") == "text"
    assert "What a green" not in json.dumps(page.evaluate("() => app.graph.serialize()"))
