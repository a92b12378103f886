"""What a node shows of its results, looked at and used as a person does: read, folded out, copied, paged through."""

from __future__ import annotations

from typing import Any

import pytest
from img2prompt.tests.browser.conftest import FRONT_ENDS, VIEWS, Screenshot, choose_view
from img2prompt.tests.browser.example import SEEN
from img2prompt.tests.comfyui.graphs import NODE, describe
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from playwright.sync_api import Locator, Page, expect

HOSTILE = "<img src=x onerror='window.evil = 1'><script>window.evil = 2</script>&lt;b&gt;"
LONG = f"{HOSTILE}, " + ", ".join(f"word {number}" for number in range(120))
SHOWN: dict[str, Any] = {
    "title": "prompt",
    "text": LONG,
    "more": [["negative", f"blurry, {HOSTILE}"], ["caption", "A woman in a red dress."]],
    "style": [["Medium", "oil painting"], ["Mood", HOSTILE]],
    "swatches": [["navy", "#000080"], ["dusty rose", "#dcae96"], ["octarine", ""]],
    "tokens": 160,
    "budget": 150,
    "chunk": 75,
    "family": "sdxl",
    "engine": "Qwen3-VL-8B-Instruct",
    "seconds": 3.24,
    "cached": True,
    "notes": ["Two words were left out."],
}
NEW = f"""() => {{
  app.graph.clear();
  const node = LiteGraph.createNode('{NODE}');
  app.graph.add(Object.assign(node, {{pos: [60, 80]}}));
  Object.assign(app.canvas.ds, {{scale: 1, offset: [60, 20]}});
  app.canvas.setDirty(true, true);
}}"""
RAN = "message => app.graph._nodes.at(-1).onExecuted(message)"
SCALE = "app.canvas.ds.scale"
CLIPBOARD = "navigator.clipboard.readText()"
BOTH = pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)


@pytest.fixture
def node(page: Page, request: pytest.FixtureRequest) -> Locator:
    """What a new Image → Prompt shows, in the view of the test."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose_view(page, getattr(request, "param", "classic"))
    page.evaluate(NEW)
    shown = page.locator(".i2p")
    expect(shown).to_have_text("The prompt appears here when the node has run.")
    expect(shown).to_be_visible()
    return shown


def wheel_over(page: Page, part: Locator) -> None:
    part.hover()
    page.mouse.wheel(0, 60)


@BOTH
@pytest.mark.parametrize("node", VIEWS, indirect=True)
def test_a_result_is_read_and_copied(
    page: Page, node: Locator, console_errors: list[str], screenshot: Screenshot, request: pytest.FixtureRequest
) -> None:
    page.evaluate(RAN, {"shown": [SHOWN]})
    assert page.evaluate(SEEN) == [LONG]
    assert page.evaluate("window.evil") is None
    expect(node.locator(".i2p-note")).to_have_text("Two words were left out.")
    expect(node.locator("summary")).to_have_text(["negative", "caption", "Art style"])
    expect(node.get_by_text("160 / 150 tokens")).to_be_visible()
    expect(node.get_by_text("Qwen3-VL-8B-Instruct · 3.2 s · from the cache")).to_be_visible()
    colors = node.locator(".i2p-swatch").evaluate_all("all => all.map(one => one.style.backgroundColor)")
    assert colors == ["rgb(0, 0, 128)", "rgb(220, 174, 150)", ""]
    assert node.locator("dd").all_inner_texts() == ["oil painting", HOSTILE]

    bars = node.locator(".i2p-meter > *").evaluate_all(
        "all => all.map(bar => [bar.className, bar.firstChild.style.width])"
    )
    assert [name for name, _ in bars] == ["", "", "i2p-over"]
    assert [round(float(width.rstrip("%"))) for _, width in bars] == [100, 100, 13]
    expect(node.get_by_role("meter", name="Tokens")).to_have_attribute("aria-valuenow", "160")

    node.get_by_role("button", name="Copy").first.click()
    expect(node.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate(CLIPBOARD) == LONG
    negative = node.locator(".i2p-part").filter(has=page.get_by_text("negative", exact=True))
    expect(negative.get_by_text("blurry")).to_be_hidden()
    negative.locator("summary").click()
    expect(negative.get_by_text("blurry")).to_be_visible()
    negative.get_by_role("button").click()
    expect(negative.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate(CLIPBOARD) == f"blurry, {HOSTILE}"
    screenshot(f"shown_text_{request.node.callspec.id}", height=800)
    assert console_errors == []


@BOTH
@pytest.mark.parametrize("node", VIEWS, indirect=True)
def test_mouse_and_keys_over_a_text_are_the_texts(page: Page, node: Locator) -> None:
    page.evaluate(RAN, {"shown": [SHOWN]})
    body, scale, place = node.locator(".i2p-body"), page.evaluate(SCALE), page.evaluate("[...app.graph._nodes[0].pos]")
    text = node.locator(".i2p-main").bounding_box()
    assert text
    page.mouse.move(text["x"] + 1, text["y"] + 8)
    page.mouse.down()
    page.mouse.move(text["x"] + 200, text["y"] + 8, steps=3)
    page.mouse.up()
    page.keyboard.press("Control+c")
    selected = page.evaluate("getSelection().toString()")
    assert len(selected) > 10
    assert selected in LONG
    assert page.evaluate(CLIPBOARD) == selected
    assert page.evaluate("[...app.graph._nodes[0].pos]") == place
    wheel_over(page, body)
    page.wait_for_function("body => body.scrollTop > 0", arg=body.element_handle())
    assert page.evaluate(SCALE) == scale

    page.evaluate(RAN, {"shown": [{"title": "prompt", "text": "short"}]})
    wheel_over(page, body)
    page.wait_for_function(f"scale => {SCALE} !== scale", arg=scale)


def test_several_pictures_are_paged_through_by_keyboard(page: Page, node: Locator) -> None:
    texts = ["one", "two", "three"]
    page.evaluate(RAN, {"shown": [{**SHOWN, "text": text} for text in texts], "text": texts, "note": ["A note."]})
    expect(node.get_by_role("group", name="Picture 1 of 3")).to_contain_text("1 / 3")
    node.get_by_role("button", name="Next picture").focus()
    for number, key in ((2, "Enter"), (3, "Space"), (1, "Enter")):
        page.keyboard.press(key)
        expect(node.get_by_role("group", name=f"Picture {number} of 3")).to_be_visible()
        assert page.evaluate(SEEN) == [texts[number - 1]]
    node.get_by_role("button", name="Previous picture").click()
    assert page.evaluate(SEEN) == ["three"]
    node.get_by_role("button", name="Copy", exact=True).first.click()
    node.get_by_role("button", name="Copy all").click()
    expect(node.get_by_role("button", name="Copied")).to_have_count(2)
    assert page.evaluate(CLIPBOARD) == "one\n\ntwo\n\nthree"
    page.evaluate("() => navigator.clipboard.writeText('')")
    value = "app.graph._nodes[0].widgets.find(widget => widget.name === 'shown').value"
    assert page.evaluate(value) == "(A note.)\n1. one\n\n2. two\n\n3. three"
    # of many the server sends the texts of all, and the rest of the first
    page.evaluate(RAN, {"shown": [{**SHOWN, "text": text} for text in texts[:2]], "text": texts})
    node.get_by_role("button", name="Copy all").click()
    expect(node.get_by_role("button", name="Copied")).to_have_count(1)
    assert page.evaluate(CLIPBOARD) == "one\n\ntwo\n\nthree"


def test_a_page_without_a_clipboard_copies_the_old_way(page: Page, node: Locator) -> None:
    page.evaluate("() => { delete Navigator.prototype.clipboard }")
    assert page.evaluate("navigator.clipboard") is None
    page.evaluate(RAN, {"text": ["What an older server says."], "note": ["A note."]})
    expect(node.locator(".i2p-note")).to_have_text("A note.")
    node.get_by_role("button", name="Copy").click()
    expect(node.get_by_role("button", name="Copied")).to_be_visible()
    page.evaluate("() => document.body.append(Object.assign(document.createElement('textarea'), {id: 'paste'}))")
    page.locator("#paste").focus()
    page.keyboard.press("Control+v")
    expect(page.locator("#paste")).to_have_value("What an older server says.")


def test_the_meter_has_a_bar_for_each_chunk(page: Page, node: Locator) -> None:
    for numbers, words, bars in (
        ({"tokens": 62, "budget": 75, "chunk": 75}, "62 / 75 tokens", 1),
        ({"tokens": 90, "budget": 225, "chunk": 75}, "90 / 225 tokens", 3),
        ({"tokens": 90, "budget": 512, "chunk": 0}, "90 / 512 tokens", 1),
        ({"tokens": 61}, "61 tokens", 0),
        ({"tokens": 9, "budget": 100000, "chunk": 75}, "9 / 100000 tokens", 1),
    ):
        page.evaluate(RAN, {"shown": [{"title": "prompt", "text": "a", **numbers}]})
        expect(node.locator(".i2p-foot")).to_have_text(words)
        expect(node.locator(".i2p-meter > *")).to_have_count(bars)
        expect(node.locator(".i2p-over")).to_have_count(0)


@BOTH
def test_a_result_is_there_again_when_its_workflow_s_tab_is(
    page: Page, comfyui: ComfyServer, endpoint: SeeingServer
) -> None:
    name = comfyui.upload_image("tabs.png", draw("green", size=(96, 72)))
    page.evaluate("graph => app.loadApiJson(graph, 'tabs')", describe(name, seed=970))
    # the front end keeps what a run gave once it knows the run's id: not what ends before its question is answered
    endpoint.control.hold = True
    page.evaluate("app.queuePrompt(0, 1)")
    endpoint.control.hold = False
    expect(page.locator(".i2p-main")).to_contain_text("green center")
    page.evaluate("app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
    expect(page.locator(".i2p")).to_have_count(0)
    page.locator(".workflow-tabs button, .workflow-tab").filter(has_text="tabs").first.click()
    expect(page.locator(".i2p-main")).to_contain_text("green center")
