"""Multi-Image Story in the browser: pictures from three Load Image nodes, and their story to read on the node, whose
picture sockets come and go with their links."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.prompts.story import story_type
from img2prompt.tests.browser.conftest import RunWorkflow, Screenshot
from img2prompt.tests.browser.example import SEEN, SOCKETS, saved
from img2prompt.tests.comfyui.graphs import STORY, load, shown, story
from img2prompt.tests.comfyui.server import ComfyServer, Graph
from img2prompt.tests.seeing import Sight, answer_for, draw
from img2prompt.tests.seeing_server import SeeingServer
from playwright.sync_api import Page

SIZES = {"red": (320, 240), "green": (200, 300), "blue": (256, 256)}
BEATS = {
    "The red door": "Mara finds a door that was not there yesterday.",
    "The green hall": "Behind it a hall of moss swallows her steps.",
    "The blue hour": "She comes out by the sea, and the door is gone.",
}
TEXT = "\n\n".join(
    [
        "A woman follows a door.",
        *(f"{number}. {title}\n{happens}" for number, (title, happens) in enumerate(BEATS.items(), 1)),
        "She keeps the key.",
    ]
)
PLACES = {
    **{f"load{number}": (0, 80 + 370 * number) for number in range(len(SIZES))},
    **{"story": (330, 80), "sheet": (800, 80), "prompts": (800, 480)},
}
SOCKETS_OF_THREE = (1, 2, 5)
"""Where the pictures go: with free sockets between them."""
DRAWN = "[...document.querySelectorAll('.lg-slot--input')].filter(slot => /^images?(_|$)/.test(slot.innerText)).length"
"""How many picture sockets of all nodes Nodes 2.0 draws."""
NEW = f"""
  app.graph.clear();
  const [load, engine, story] = ['LoadImage', 'Img2Prompt_PromptEngine', '{STORY}'].map((type, i) => {{
    const node = LiteGraph.createNode(type);
    app.graph.add(Object.assign(node, {{id: i + 1, pos: [400 * i, 80]}}));
    return node;
  }});
  engine.connect(0, story, 'engine');"""
COPY = """
  app.canvas.selectItems([story]);
  app.canvas.copyToClipboard();
  app.canvas.pasteFromClipboard({connectInputs: true});
  app.graph.remove(story)"""
DISCONNECT = f"""
  const copy = app.graph._nodes.find(node => node.type === '{STORY}');
  for (const name of ['image_1', 'image_5', 'image_2']) copy.disconnectInput(name)"""
UNDO = """
  const {changeTracker} = app.extensionManager.workflow.activeWorkflow;
  changeTracker.checkState();
  story.disconnectInput('image_5');
  await 0;
  changeTracker.checkState();
  await changeTracker.undo()"""
ALL_SOCKETS = """
  const saved = JSON.parse(JSON.stringify(app.graph.serialize()));
  const node = saved.nodes.find(node => node.type === story.type);
  const had = new Map(node.inputs.map(input => [input.name, input]));
  for (let i = 1; i <= 16; i++)
    if (!had.has(`image_${i}`)) had.set(`image_${i}`, {name: `image_${i}`, type: 'IMAGE', link: null});
  const place = input => input.type === 'IMAGE' ? Number(input.name.split('_')[1] ?? 0) : 17;
  node.inputs = [...had.values()].sort((a, b) => place(a) - place(b));
  for (const link of saved.links) if (link[3] === node.id) link[4] = node.inputs.findIndex(i => i.link === link[0]);
  await app.loadGraphData(saved)"""
SHOWN = f"app.graph._nodes.find(node => node.type === '{STORY}').widgets.at(-1)"
SHOWN_AREA = "[...document.querySelectorAll('.i2p')].find(area => area.offsetHeight)"
"""What a person sees of it, on a page of only this node that shows text."""


def graph_of(files: list[str], seed: int) -> Graph:
    """Each file's picture into a socket of its own; the storyboard and the prompts shown behind the node."""
    pictures = {f"image_{socket}": [f"load{number}", 0] for number, socket in enumerate(SOCKETS_OF_THREE)}
    return {
        **load(*files),
        "story": story(seed=seed, **pictures),
        "sheet": {"class_type": "PreviewImage", "inputs": {"images": ["story", 8]}},
        "prompts": shown("story", 1),
    }


def written() -> dict[str, Any]:
    """A story of these pictures, as a model would write it."""
    schema = story_type(len(SIZES), len(BEATS)).model_json_schema()
    document = answer_for(schema, [Sight(color, "white", *size) for color, size in SIZES.items()])
    for beat, (title, happens) in zip(document["beats"], BEATS.items(), strict=True):
        beat |= {"title": title, "what_happens": happens}
    return {**document, "logline": "A woman follows a door.", "ending": "She keeps the key."}


@pytest.fixture(params=["classic", "nodes-2.0"])
def view(request: pytest.FixtureRequest, page: Page) -> str:
    """How the page draws nodes."""
    on = request.param != "classic"
    page.evaluate("on => app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', on)", on)
    return request.param


def test_the_node_tells_the_story_of_three_pictures(
    page: Page,
    comfyui: ComfyServer,
    endpoint: SeeingServer,
    run_workflow: RunWorkflow,
    console_errors: list[str],
    screenshot: Screenshot,
    view: str,
) -> None:
    endpoint.control.script = [{"content": json.dumps(written())}]
    files = [comfyui.upload_image(f"story-{color}.png", draw(color, size=size)) for color, size in SIZES.items()]
    # what another view has asked before, ComfyUI remembers
    kind, data = run_workflow(saved(page, graph_of(files, seed=len(view)), PLACES))
    assert kind == "execution_success", data
    page.wait_for_function(f"text => {SHOWN}.value === text", arg=TEXT)
    # what a person sees, not only what the graph holds
    assert page.evaluate(SEEN) == [TEXT]
    parts = page.locator(".i2p-part summary").all_inner_texts()
    assert parts[:3] == [f"{number}. {title}" for number, title in enumerate(BEATS, 1)]
    screenshot(f"multi_image_story_{view}", height=1040)
    (payload,) = endpoint.counts.payloads
    seen = [part["image_url"]["url"] for part in payload["messages"][1]["content"] if part["type"] == "image_url"]
    assert [sight.split()[1] for sight in seen] == list(SIZES)
    assert "follows a door" not in json.dumps(page.evaluate("() => app.graph.serialize()"))
    assert console_errors == []


def test_the_picture_sockets_come_and_go_with_their_links(
    page: Page, console_errors: list[str], screenshot: Screenshot, view: str
) -> None:
    def change(script: str) -> dict[str, Any]:
        """The story node's sockets after it; Nodes 2.0 must draw as many."""
        find = "let [load, engine, story] = [1, 2, 3].map(id => app.graph.getNodeById(id));" if script != NEW else ""
        page.evaluate(f"async () => {{ {find} {script}; }}")
        now = page.evaluate(f"() => {SOCKETS}(app.graph._nodes.find(node => node.type === '{STORY}'))")
        if view != "classic":
            page.wait_for_function(f"count => {DRAWN} === count", arg=len(now["shown"]))
        return now

    def sockets(last: int, *linked: str) -> dict[str, Any]:
        shown = ["images", *(f"image_{number}" for number in range(1, last + 1))]
        return {"shown": shown, "linked": {**dict.fromkeys(linked, 1), "engine": 2}}

    assert change(NEW) == sockets(2)
    page.wait_for_function(f"() => {SHOWN_AREA}?.offsetHeight >= 200")  # enough to read a story
    assert change("load.connect(0, story, 'image_1')") == sockets(2, "image_1")
    screenshot(f"picture_sockets_{view}", height=1040)
    for number in range(2, 6):
        assert change(f"load.connect(0, story, 'image_{number}')")["shown"][-1] == f"image_{number + 1}"
    assert change("story.disconnectInput('image_3'); story.disconnectInput('image_4')")["shown"][-1] == "image_6"
    # still shown by Nodes 2.0 after its inputs have changed
    change("story.onExecuted({text: ['Once.']})")
    page.wait_for_function(f"() => {SHOWN_AREA}?.querySelector('.i2p-main')?.textContent === 'Once.'")
    kept = sockets(6, "image_1", "image_2", "image_5")
    assert change("await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())))") == kept
    assert change(ALL_SOCKETS) == kept
    assert change(UNDO) == kept
    assert change(COPY) == kept
    assert change(DISCONNECT) == sockets(2)
    assert console_errors == []
