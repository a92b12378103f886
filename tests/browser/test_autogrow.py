"""Multi-Image Story where ComfyUI has Autogrow: a newer front end, with the definitions that a newer node API makes of
our nodes, and workflows that go back and forth between it and ComfyUI 0.3.75. What is run is run by 0.3.75."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.scripts.samples import NEWER_FRONT_END, newer_api
from img2prompt.tests.browser.conftest import QUEUE, READY, VIEWS, Screenshot, choose_view
from img2prompt.tests.browser.example import SOCKETS
from img2prompt.tests.comfyui.another_api import ask
from img2prompt.tests.comfyui.graphs import STORY, STORY_DEFAULTS, load
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from playwright.sync_api import Page, Route

COLORS = ["red", "green", "blue"]
ENGINE = 4
THE_STORY = f"app.graph._nodes.find(node => node.type === '{STORY}')"
NEW = f"""names => {{
  app.graph.clear();
  const types = ['LoadImage', 'LoadImage', 'LoadImage', 'Img2Prompt_PromptEngine', '{STORY}'];
  const nodes = types.map((type, i) => {{
    const node = LiteGraph.createNode(type);
    app.graph.add(Object.assign(node, {{id: i + 1, pos: [20 + 400 * Math.floor(i / 3), 80 + 360 * (i % 3)]}}));
    return node;
  }});
  for (const [i, name] of names.entries()) nodes[i].widgets[0].value = name;
  nodes[{ENGINE - 1}].connect(0, nodes.at(-1), 'engine');
}}"""
CONNECT = f"([id, name]) => app.graph.getNodeById(id).connect(0, {THE_STORY}, name)"
LABELS = f"""() => {THE_STORY}.inputs.filter(({{name}}) => name.startsWith('pictures.'))
  .map(({{label, localized_name}}) => label ?? localized_name)"""
SAVED = "() => JSON.parse(JSON.stringify(app.graph.serialize()))"
API = "async () => (await app.graphToPrompt()).output"


@pytest.fixture
def pictures(comfyui: ComfyServer) -> list[str]:
    """Their names in the input folder."""
    return [comfyui.upload_image(f"autogrow-{color}.png", draw(color)) for color in COLORS]


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Our nodes as a newer ComfyUI defines them, by their ids."""
    return ask(newer_api(), {"folder": str(tmp_path_factory.mktemp("input"))})


@pytest.fixture
def newer_page(page: Page, definitions: dict[str, Any]) -> Page:
    """The page, with these definitions."""

    def answer(route: Route) -> None:
        response = route.fetch()
        served = response.json()
        for node, definition in definitions.items():
            served[node] |= {**definition, "python_module": served[node]["python_module"]}
        route.fulfill(response=response, json=served)

    page.route("**/object_info*", answer)
    page.reload(wait_until="domcontentloaded")
    page.wait_for_function(READY)
    return page


def sockets(page: Page) -> tuple[list[str], dict[str, str]]:
    """The story's picture sockets, and which node each of its linked inputs is linked to."""
    found = page.evaluate(f"() => {SOCKETS}({THE_STORY})")
    return found["shown"], {name: str(node) for name, node in found["linked"].items()}


def linked(names: list[str], *nodes: object) -> dict[str, str]:
    """Of `sockets`: the engine, and these linked to these nodes."""
    return {"engine": str(ENGINE), **dict(zip(names, map(str, nodes), strict=True))}


def images(*numbers: int) -> list[str]:
    return [f"image_{number}" for number in numbers]


def grown(*numbers: int) -> list[str]:
    return [f"pictures.image_{number}" for number in numbers]


def of_0_3_75(saved: dict[str, Any], *numbers: int) -> dict[str, Any]:
    """The workflow as 0.3.75 saves it, its pictures in these sockets, and all sockets in between."""
    saved = json.loads(json.dumps(saved))
    (node,) = [node for node in saved["nodes"] if node["type"] == STORY]
    links = [one["link"] for one in node["inputs"] if one["name"].startswith("pictures.") and one["link"]]
    taken = dict(zip(numbers, links, strict=True))
    plain = [
        {"name": f"image_{number}", "type": "IMAGE", "link": taken.get(number)} for number in range(1, numbers[-1] + 2)
    ]
    others = [one for one in node["inputs"] if not one["name"].startswith("pictures.")]
    node["inputs"] = [others[0], *plain, *others[1:]]
    places = {one["link"]: place for place, one in enumerate(node["inputs"])}
    for link in saved["links"]:
        if link[3] == node["id"]:
            link[4] = places[link[0]]
    return saved


@pytest.mark.parametrize("comfyui", [NEWER_FRONT_END], indirect=True)
@pytest.mark.parametrize("view", VIEWS)
def test_the_pictures_grow_by_comfyuis_own_means(
    pictures: list[str],
    newer_page: Page,
    endpoint: SeeingServer,
    screenshot: Screenshot,
    view: str,
) -> None:
    page = newer_page
    choose_view(page, view)
    page.evaluate(NEW, pictures)
    assert sockets(page) == (["images", *grown(1, 2)], linked([]))
    for number in (1, 2, 3):
        page.evaluate(CONNECT, [number, f"pictures.image_{number}"])
        assert sockets(page)[0][-1] == f"pictures.image_{max(2, number + 1)}"
    three = (["images", *grown(1, 2, 3, 4)], linked(grown(1, 2, 3), 1, 2, 3))
    assert sockets(page) == three
    screenshot(f"autogrow_{view}", height=1040)

    # what the front end makes of it runs, with the values of what it has folded away
    seed = len(view)  # what another view has asked before, ComfyUI remembers
    page.evaluate(f"seed => {{ {THE_STORY}.widgets.find(widget => widget.name === 'seed').value = seed }}", seed)
    sent = page.evaluate(API)
    (story,) = [node["inputs"] for node in sent.values() if node["class_type"] == STORY]
    assert story == {
        **STORY_DEFAULTS,
        "seed": seed,
        "engine": [str(ENGINE), 0],
        **{name: [str(number), 0] for number, name in enumerate(grown(1, 2, 3), 1)},
    }
    kind, data = page.evaluate(QUEUE)
    assert kind == "execution_success", data
    (payload,) = endpoint.counts.payloads[-1:]
    seen = [part["image_url"]["url"] for part in payload["messages"][1]["content"] if part["type"] == "image_url"]
    assert [color in sight for color, sight in zip(COLORS, seen, strict=True)] == [True] * 3

    saved = page.evaluate(SAVED)
    for numbers in ((1, 2, 3), (1, 2, 5), (5, 9, 15)):
        for workflow in (of_0_3_75(saved, *numbers), saved):
            page.evaluate("saved => app.loadGraphData(saved)", workflow)
            page.wait_for_timeout(100)  # it closes gaps with the next frame
            assert sockets(page) == three
            labels = page.evaluate(LABELS)
            assert labels == images(1, 2, 3, 4), numbers

    page.evaluate(f"() => {THE_STORY}.disconnectInput('pictures.image_2')")
    page.wait_for_function(f"() => {THE_STORY}.inputs.length === {len(STORY_DEFAULTS) + 5}")
    assert sockets(page) == (
        ["images", *grown(1, 2, 3)],
        linked(grown(1, 2), 1, 3),
    )

    graph = {**load(*pictures), "story": {"class_type": STORY, "inputs": {}}}
    graph["story"]["inputs"] = {"image_16": ["load2", 0], "image_2": ["load0", 0], "image_4": ["load1", 0]}
    page.evaluate("graph => app.loadApiJson(graph, 'of 0.3.75')", graph)
    assert sockets(page) == (
        ["images", *grown(1, 2, 3, 4)],
        dict(zip(grown(1, 2, 3), ("load0", "load1", "load2"), strict=True)),
    )


def test_a_workflow_of_a_newer_comfyui_keeps_its_pictures_here(page: Page, pictures: list[str]) -> None:
    page.evaluate(NEW, pictures)
    for number in (1, 2, 3):
        page.evaluate(CONNECT, [number, f"image_{number}"])
    three = (["images", *images(1, 2, 3, 4)], linked(images(1, 2, 3), 1, 2, 3))
    assert sockets(page) == three
    saved = page.evaluate(SAVED)
    (node,) = [node for node in saved["nodes"] if node["type"] == STORY]
    for one in node["inputs"]:
        if one["name"] in images(1, 2, 3, 4):
            one["name"] = f"pictures.{one['name']}"
    node["inputs"].sort(key=lambda one: one["name"].startswith("pictures."))  # where Autogrow has them
    places = {one["link"]: place for place, one in enumerate(node["inputs"])}
    for link in saved["links"]:
        if link[3] == node["id"]:
            link[4] = places[link[0]]
    page.evaluate("saved => app.loadGraphData(saved)", saved)
    assert sockets(page) == three
    graph = {**load(*pictures), "story": {"class_type": STORY, "inputs": {}}}
    graph["story"]["inputs"] = {name: [f"load{index}", 0] for index, name in enumerate(grown(1, 2, 3))}
    page.evaluate("graph => app.loadApiJson(graph, 'of a newer one')", graph)
    assert sockets(page)[1] == dict(zip(images(1, 2, 3), ("load0", "load1", "load2"), strict=True))
