"""Read Prompt and Save Prompt in the browser: a person uploads a file, sees what it says, and what is saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from img2prompt.prompts import recover
from img2prompt.tests.browser.conftest import QUEUE, Screenshot
from img2prompt.tests.browser.example import saved
from img2prompt.tests.comfyui.graphs import READ, SAVE, image_to_prompt, paint, read_prompt, save_prompt
from img2prompt.tests.comfyui.server import ComfyServer, Graph
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.prompts.recover.containers import png
from playwright.sync_api import Page, expect

FOX = "a red fox, (deep snow:1.2), 雪"
A1111 = (
    f"{FOX}\nNegative prompt: blurry, low quality\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, "
    "Size: 512x384, Model: dreamshaper_8"
)
PLACES = {
    "read": (0, 120),
    "prompt": (430, 120),
    "checkpoint": (880, 120),
    "positive": (880, 260),
    "negative": (880, 520),
    "latent": (880, 780),
    "sample": (1330, 120),
    "decode": (1330, 520),
    "save": (1330, 630),
    "keep": (1660, 160),
}
PART = "app.graph._nodes.find(node => node.type === '{}')"
CHOSEN = f"{PART.format(READ)}.widgets.find(widget => widget.name === 'image').value"
UPLOAD = f"""() => {{
  const node = {PART.format(READ)}, row = node.widgets.find(widget => widget.name === 'upload').last_y + 10;
  return app.canvasPosToClientPos([node.pos[0] + node.size[0] / 2, node.pos[1] + row]);
}}"""
"""Where the classic view, which is one canvas, has drawn the upload button."""
PICTURE = f"""name => {{
  const shown = app.nodeOutputs[{PART.format(READ)}.id]?.images ?? [];
  return shown.length === 1 && shown[0].filename === name && shown[0].type === 'input';
}}"""
"""Whether the node shows that file's picture, in the classic view."""
DROP = """async address => {
  const bytes = await (await fetch(address)).arrayBuffer(), dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], 'kept.png', {type: 'image/png'}));
  app.graph.clear();
  document.querySelector('#graph-canvas').dispatchEvent(
    new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer, clientX: 1200, clientY: 700}));
}"""
"""A file from the server, dragged onto an empty place of the page."""


def graph() -> Graph:
    """From a file to a file: the prompt that is read draws anew, and is saved."""
    drawing = paint(["prompt", 0], ["read", 3])
    return {
        "read": read_prompt("plain.png"),
        "prompt": image_to_prompt(["read", 0], known_prompt=["read", 2]),
        **drawing,
        "keep": save_prompt(["decode", 0], "browser/kept", prompt=["prompt", 0], negative=["read", 3]),
    }


def upload(page: Page, file: Path, view: str) -> None:
    """By the node's own button, as a person does."""
    with page.expect_file_chooser() as chooser:
        if view == "classic":
            page.mouse.click(*page.evaluate(UPLOAD))
        else:
            page.locator("[data-node-id=read] label:has(input[type=file])").click()
    chooser.value.set_files(file)
    page.wait_for_function(f"name => {CHOSEN} === name", arg=file.name)


def shows_the_picture(page: Page, name: str, view: str) -> None:
    """The picture of that file is on the node, and loaded."""
    if view == "classic":
        page.wait_for_function(PICTURE, arg=name)
        page.wait_for_function(f"() => {PART.format(READ)}.imgs?.[0]?.naturalWidth === 96")
        return
    picture = page.locator(f"[data-node-id=read] img[src*='{name}']")
    expect(picture.first).to_be_visible()
    page.wait_for_function("image => image.naturalWidth === 96", arg=picture.first.element_handle())


@pytest.mark.parametrize("view", ["classic", "nodes-2.0"])
def test_a_file_is_uploaded_read_drawn_anew_and_saved(
    page: Page,
    comfyui: ComfyServer,
    endpoint: SeeingServer,
    console_errors: list[str],
    screenshot: Screenshot,
    tmp_path: Path,
    view: str,
) -> None:
    comfyui.upload_image("plain.png", draw("blue", size=(96, 72)))
    file = tmp_path / f"fox-{view}.png"
    file.write_bytes(png({"parameters": A1111}, kind="iTXt", image=draw("orange", size=(96, 72))))
    page.evaluate("on => app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', on)", view != "classic")
    page.evaluate("workflow => app.loadGraphData(workflow)", saved(page, graph(), PLACES))
    screenshot(f"read_prompt_{view}", height=800)
    assert page.locator("[role=dialog]").count() == 0  # such as of missing nodes
    shows_the_picture(page, "plain.png", view)

    upload(page, file, view)
    shows_the_picture(page, file.name, view)
    kind, data = page.evaluate(QUEUE)
    assert kind == "execution_success", data
    page.mouse.move(0, 0)
    for words in (FOX, "blurry, low quality", "seed 42", "The known prompt was used", "Steps: 2"):
        expect(page.locator(".i2p").filter(visible=True).filter(has_text=words).first).to_be_visible()
    told = f"\n\n{FOX}\n\nNegative: blurry, low quality\n\nseed 42"
    assert told in page.evaluate(f"{PART.format(READ)}.widgets.find(widget => widget.name === 'shown').value")
    shows_the_picture(page, file.name, view)
    screenshot(f"read_prompt_{view}_run", height=800)

    (kept,) = page.evaluate(f"app.nodeOutputs[{PART.format(SAVE)}.id].images")
    found = recover(comfyui.base / "output" / kept["subfolder"] / kept["filename"])
    assert found and (found.positive, found.negative) == (FOX, "blurry, low quality")
    page.evaluate(DROP, f"/view?filename={kept['filename']}&subfolder={kept['subfolder']}&type=output")
    types = ",".join(sorted(node["class_type"] for node in graph().values()))
    # its graph as it was, not one that the front end builds of AUTOMATIC1111's text
    page.wait_for_function("nodes => app.graph._nodes.map(node => node.type).sort().join() === nodes", arg=types)
    assert console_errors == []
