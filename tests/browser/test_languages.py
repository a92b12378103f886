"""The nodes in the user's language: what stands on them, their tooltips, and the help page behind the info button."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.scripts.locales import LOCALES
from img2prompt.tests.browser.conftest import FRONT_ENDS, choose_view
from img2prompt.tests.comfyui.graphs import NODE
from playwright.sync_api import Page

LANGUAGES = {"zh-CN": "zh", "en-US": "en"}
"""What the browser says, and the language that ComfyUI shows then."""
INTERFACES = pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)
MADE = """types => Object.fromEntries(types.map((type, at) => {
  const node = LiteGraph.createNode(type);
  app.graph.add(Object.assign(node, {pos: [60 + 450 * at, 80]}));
  const named = (slots, widget) => slots.filter(slot => !slot.widget === !widget);
  return [type, {
    title: node.title,
    slots: Object.fromEntries(node.inputs.map(input => [input.name, input.localized_name])),
    widgets: Object.fromEntries((node.widgets ?? []).map(widget => [widget.name, widget.label])),
    outputs: node.outputs.map(output => output.localized_name),
    category: node.constructor.category,
  }];
}))"""
"""Puts a node of each type on an empty canvas; what the classic view draws on them."""
SHOW = "() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [105, 150]; app.canvas.draw(true, true); }"
"""Drawn at once: the mouse finds only nodes that have been drawn."""
WHERE = """([type, slot]) => {
  const node = app.graph._nodes.find(node => node.type === type);
  const at = slot === null ? [node.pos[0] + 60, node.pos[1] - 12] : node.getInputPos(slot);
  const {left, top} = app.canvas.canvas.getBoundingClientRect(), {scale, offset} = app.canvas.ds;
  return [left + (at[0] + offset[0]) * scale + 1, top + (at[1] + offset[1]) * scale];
}"""
"""Where on the page a node's title, or one of its input slots, is."""


def words(language: str) -> dict[str, Any]:
    """What nodes are called in a language of ComfyUI's, as we say it."""
    return json.loads((LOCALES / language / "nodeDefs.json").read_text(encoding="utf-8"))


def make(page: Page, types: list[str]) -> dict[str, Any]:
    page.evaluate("() => app.graph.clear()")
    found = page.evaluate(MADE, types)
    page.evaluate(SHOW)
    return found


@INTERFACES
@pytest.mark.parametrize("language", ["zh-CN"])
def test_the_nodes_speak_the_users_language(page: Page, console_errors: list[str]) -> None:
    defined = words("zh")
    choose_view(page, "classic")
    for node, shown in make(page, list(defined)).items():
        here = defined[node]
        assert shown["title"] == here["display_name"]
        assert shown["outputs"] == [one["name"] for one in here["outputs"].values()]
        named = {name: one["name"] for name, one in here["inputs"].items()}
        assert {name: label for name, label in shown["slots"].items() if named.get(name, label) != label} == {}
        assert {name: label for name, label in shown["widgets"].items() if named.get(name, label) != label} == {}
        assert named.keys() & (shown["slots"] | shown["widgets"])
    page.mouse.move(*page.evaluate(WHERE, [NODE, 0]))
    page.get_by_text(defined[NODE]["inputs"]["image"]["tooltip"]).first.wait_for()

    choose_view(page, "nodes-2.0")
    make(page, [NODE])
    drawn = page.locator("[data-node-id]", has_text=defined[NODE]["display_name"])
    drawn.get_by_text(defined[NODE]["inputs"]["family"]["name"], exact=True).first.wait_for()
    missing = [one["name"] for one in defined[NODE]["outputs"].values() if one["name"] not in drawn.inner_text()]
    assert missing == []
    drawn.get_by_text(defined[NODE]["outputs"]["0"]["name"], exact=True).hover()
    page.get_by_text(defined[NODE]["outputs"]["0"]["tooltip"]).first.wait_for()
    assert console_errors == []


@INTERFACES
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_help_panel_shows_the_page_in_the_users_language(
    page: Page, language: str, console_errors: list[str]
) -> None:
    defined = words(LANGUAGES[language])[NODE]
    choose_view(page, "classic")
    make(page, [NODE])
    page.mouse.click(*page.evaluate(WHERE, [NODE, None]))
    page.locator("[data-testid=info-button]").click()
    page.get_by_role("heading", level=1, name=defined["display_name"], exact=True).wait_for()
    named = page.locator("li code").all_inner_texts()
    assert set(defined["inputs"]) <= set(named)
    assert {one["name"] for one in words("en")[NODE]["outputs"].values()} <= set(named)
    assert console_errors == []
