"""Multi-Image Story in the browser: pictures from three Load Image nodes, and their story to read on the node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.prompts.story import story_type
from img2prompt.tests.browser.conftest import RunWorkflow, Screenshot
from img2prompt.tests.browser.example import saved
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
SHOWN = f"app.graph._nodes.find(node => node.type === '{STORY}').widgets.at(-1)"


def graph_of(files: list[str], seed: int) -> Graph:
    """Each file's picture into a socket of its own; the storyboard and the prompts shown behind the node."""
    pictures = {f"image_{number}": [f"load{number - 1}", 0] for number in range(1, len(files) + 1)}
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


@pytest.mark.parametrize("view", ["classic", "nodes-2.0"])
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
    page.evaluate("on => app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', on)", view != "classic")
    # what another view has asked before, ComfyUI remembers
    kind, data = run_workflow(saved(page, graph_of(files, seed=len(view)), PLACES))
    assert kind == "execution_success", data
    page.wait_for_function(f"text => {SHOWN}.value === text", arg=TEXT)
    # what a person sees, not only what the graph holds
    areas = page.locator("textarea").filter(visible=True)
    assert TEXT in areas.evaluate_all("areas => areas.map(area => area.value)")
    screenshot(f"multi_image_story_{view}", height=1040)
    (payload,) = endpoint.counts.payloads
    seen = [part["image_url"]["url"] for part in payload["messages"][1]["content"] if part["type"] == "image_url"]
    assert [sight.split()[1] for sight in seen] == list(SIZES)
    assert "follows a door" not in json.dumps(page.evaluate("() => app.graph.serialize()"))
    assert console_errors == []
