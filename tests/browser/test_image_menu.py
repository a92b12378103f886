""" "Image → Prompt" in the menu of a node that has a picture: adds our node, connected; one step to undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from img2prompt.scripts.samples import NEWER_FRONT_END
from img2prompt.tests.browser.conftest import FRONT_ENDS, VIEWS, choose_view
from img2prompt.tests.comfyui.graphs import NODE
from playwright.sync_api import Page, expect

BUILD = """() => {
  app.graph.clear();
  const [load, save, latent, far] = ['LoadImage', 'SaveImage', 'EmptyLatentImage', 'VAEDecode'].map((type, at) => {
    const node = LiteGraph.createNode(type);
    app.graph.add(Object.assign(node, {id: at + 1, pos: [60 + 380 * (at % 2), 90 + 380 * (at >> 1)]}));
    return node;
  });
  load.connect(0, save, 0);
  far.pos = [440, 500];
  Object.assign(app.canvas.ds, {scale: 0.7, offset: [90, 60]});
  app.canvas.draw(true, true);  // the mouse finds only nodes that have been drawn
  app.extensionManager.workflow.activeWorkflow.changeTracker.checkState();
}"""
TITLE = """type => {
  const {pos} = app.graph._nodes.find(node => node.type === type);
  return app.canvasPosToClientPos([pos[0] + 70, pos[1] - 12]);
}"""
MADE = f"""() => app.graph._nodes.filter(node => node.type === '{NODE}').map(node => ({{
  from: [node.getInputNode(0)?.type, node.graph.getLink(node.inputs[0].link)?.origin_slot],
  selected: [...app.canvas.selectedItems].length === 1 && app.canvas.selectedItems.has(node),
  overlaps: app.graph._nodes.some(other => other !== node && other.pos[0] < node.pos[0] + node.size[0]
    && node.pos[0] < other.pos[0] + other.size[0] && other.pos[1] < node.pos[1] + node.size[1]
    && node.pos[1] < other.pos[1] + other.size[1]),
  right: node.pos[0] > Math.min(...app.graph._nodes.map(other => other.pos[0])),
}}))"""
UNDO = "() => app.extensionManager.workflow.activeWorkflow.changeTracker.undo()"
ENTRY = "Image → Prompt"
INSERTED: dict[str, Any] = {"from": ["LoadImage", 0], "selected": True, "overlaps": False, "right": True}


@pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)
@pytest.mark.parametrize(("view", "clicked"), [(VIEWS[0], "SaveImage"), (VIEWS[1], "LoadImage")])
def test_the_menu_of_a_picture_adds_our_node(
    page: Page,
    console_errors: list[str],
    view: str,
    clicked: str,
    request: pytest.FixtureRequest,
) -> None:
    choose_view(page, view)
    page.evaluate(BUILD)
    page.wait_for_timeout(300)  # Nodes 2.0 draws them in the next frames
    newer = request.node.callspec.params["comfyui"] == NEWER_FRONT_END
    x, y = page.evaluate(TITLE, clicked)
    if view == "classic" or newer:
        page.mouse.click(x, y, button="right")
        entry = page.locator(".litemenu-entry, [role=menuitem], .p-contextmenu-item").get_by_text(ENTRY, exact=True)
        expect(entry.first).to_be_visible()
        if folder := request.config.getoption("--screenshots"):
            page.screenshot(path=Path(folder) / f"image_menu_{request.node.callspec.id}.png")
        entry.first.click()
    else:  # this front end's menu takes no entries; its toolbox does
        page.mouse.click(x, y)
        page.locator(".selection-toolbox button:has(.pi-align-left)").click()
    page.wait_for_function(f"() => ({MADE})().length === 1")
    assert page.evaluate(MADE) == [INSERTED]
    assert page.evaluate(f"() => app.graph.serialize().nodes.filter(node => node.type === '{NODE}').length") == 1
    page.evaluate(UNDO)
    page.wait_for_function(f"() => ({MADE})().length === 0")
    assert page.evaluate("app.graph._nodes.length") == 4
    assert console_errors == []


@pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)
def test_other_nodes_have_no_such_entry(page: Page) -> None:
    page.evaluate(BUILD)
    offered = "id => app.canvas.getNodeMenuOptions(app.graph.getNodeById(id)).map(one => one?.content)"
    assert [ENTRY in page.evaluate(offered, number) for number in (1, 2, 3, 4)] == [True, True, False, True]
