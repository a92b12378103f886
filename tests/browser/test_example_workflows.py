"""Every file of example_workflows/: it opens whole in ComfyUI's page, in both front ends, and it runs, on the real
vLLM with the seeing model and ComfyUI with the tiny checkpoint.

The pictures beside the files, which ComfyUI's template dialog shows, are made here; to renew them:

    .environments/comfyui/bin/pytest tests/browser/test_example_workflows.py --screenshots=example_workflows

after `python scripts/example_workflows.py`, if nodes or recipes have changed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from img2prompt.scripts.comfyui import PACK
from img2prompt.scripts.example_workflows import FOLDER, documents
from img2prompt.tests.browser.conftest import FRONT_ENDS, QUEUE, READY, errors_in, opened
from img2prompt.tests.browser.examples import (
    CARRIED,
    EXAMPLES,
    SCENES,
    drawn,
    load,
    of_type,
    ours,
    overlaps,
    save_carrying,
    small,
    values,
    wires,
    with_pictures,
)
from img2prompt.tests.comfyui.server import ComfyServer, Outcome
from img2prompt.tests.conftest import StartComfyUI
from img2prompt.tests.seeing_model.scenes import Scene
from img2prompt.tests.seeing_server import SeeingServer
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, FloatRect, Page, ViewportSize

NAMES = [path.stem for path in EXAMPLES]
MOST_BYTES = 25 * 1024
"""Of a thumbnail."""
OWN_PICTURE = "([image, width, height]) => image.naturalWidth === width && image.naturalHeight === height"
"""Whether an image of the template dialog is a thumbnail of ours, and not what stands in for a missing one."""
OPEN = """async workflow => {
  await app.loadGraphData(workflow);
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const nodes = app.graph._nodes;
  return {
    saved: JSON.parse(JSON.stringify(app.graph.serialize())),
    unknown: nodes.filter(node => node.has_errors || !LiteGraph.registered_node_types[node.type]).map(n => n.type),
    values: Object.fromEntries(nodes.filter(node => node.widgets?.length).map(node => [node.id,
      Object.fromEntries(node.widgets.filter(it => it.serialize !== false).map(it => [it.name, it.value]))])),
    boxes: Object.fromEntries(nodes.map(node => [`${node.id} ${node.title}`, [...node.boundingRect]])),
    dialogs: [...document.querySelectorAll('[role=dialog]')].filter(e => e.offsetHeight).map(e => e.innerText),
  };
}"""
WINDOW: ViewportSize = {"width": 1600, "height": 1500}
"""In it all of our nodes are seen at once; ComfyUI hides what a node shows where it is not."""
THUMBNAIL = (480, 320)
PART = (-30, 290, 960, 640)
"""What a thumbnail shows of a graph, where pictures become a prompt: left, top, width, height."""
PARTS = {"restyle": (-30, 310, 1620, 1080), "story_to_images": (2150, 800, 500, 333)}
"""What it shows of others."""
LOOK = """([scale, x, y]) => {
  app.canvas.ds.scale = scale;
  app.canvas.ds.offset = [x, y];
  app.canvas.setDirty(true, true);
}"""
TEXT = """() => [
  document.body.innerText, ...[...document.querySelectorAll('textarea')].map(area => area.value),
].join(' ')"""
"""What a person can read on the page."""


@dataclass(frozen=True)
class Gallery:
    """A page that one example after the other is opened in."""

    comfyui: ComfyServer
    page: Page
    errors: list[str]

    def open(self, workflow: dict[str, Any]) -> dict[str, Any]:
        """What the page makes of it."""
        self.errors.clear()
        return self.page.evaluate(OPEN, workflow)


@pytest.fixture(scope="module", params=FRONT_ENDS)
def gallery(
    request: pytest.FixtureRequest, browser: Browser, start_comfyui: StartComfyUI, session_endpoint: SeeingServer
) -> Iterator[Gallery]:
    comfyui = start_comfyui({"IMG2PROMPT_ENDPOINT": session_endpoint.url}, request.param)
    with opened(browser, comfyui.url) as page:
        yield Gallery(comfyui, page, errors_in(page))


def test_the_files_are_what_the_recipes_make(comfyui: ComfyServer) -> None:
    """Else run scripts/example_workflows.py: a node or a recipe has changed."""
    made = documents(comfyui.get("/object_info"))
    assert made == {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_an_example_opens_whole(gallery: Gallery, path: Path) -> None:
    workflow = load(path)
    page = gallery.open(workflow)
    assert page["unknown"] == []
    assert page["dialogs"] == []
    assert gallery.errors == []
    assert ours(page["saved"]) == ours(workflow) != []
    assert wires(page["saved"]) == wires(workflow)
    assert page["values"] == {str(node["id"]): values(node) for node in workflow["nodes"] if node["widgets_values"]}
    assert overlaps(page["boxes"]) == []


def test_a_missing_node_would_be_seen(gallery: Gallery) -> None:
    workflow = load(EXAMPLES[0])
    workflow["nodes"][0]["type"] = "Img2Prompt_NotThere"
    assert gallery.open(workflow)["unknown"] == ["Img2Prompt_NotThere"]


def test_the_template_dialog_has_them(gallery: Gallery) -> None:
    """A person's way to them: the dialog shows each with its picture, and opens the one that is clicked."""
    assert sorted(gallery.comfyui.get("/workflow_templates")[PACK]) == NAMES
    page = gallery.page
    page.reload()
    page.wait_for_function(READY)
    page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    page.get_by_text(PACK).first.click()
    for name in NAMES:
        card = page.get_by_test_id(f"template-workflow-{name}")
        card.scroll_into_view_if_needed()
        picture = card.locator("img").first
        page.wait_for_function(OWN_PICTURE, arg=[picture.element_handle(), *THUMBNAIL])
    page.get_by_test_id("template-workflow-restyle").click()
    page.wait_for_function("() => app.graph._nodes.some(node => node.type === 'Img2Prompt_MixPrompt')")


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_a_thumbnail_is_small_and_served(comfyui: ComfyServer, path: Path) -> None:
    status, body = comfyui.request(f"/api/workflow_templates/{PACK}/{path.stem}.jpg")
    assert status == 200
    assert len(body) <= MOST_BYTES
    with Image.open(FOLDER / f"{path.stem}.jpg") as picture:
        assert picture.size == THUMBNAIL


@dataclass(frozen=True)
class Studio:
    """A page of a ComfyUI that sees with the real vLLM, and the pictures in its input folder."""

    comfyui: ComfyServer
    page: Page
    files: list[str]
    carrying: str
    folder: str

    def run(self, path: Path) -> tuple[dict[str, Any], Outcome]:
        """Open the example on these pictures, small, and queue it in the page: the workflow, and what came out."""
        workflow = small(with_pictures(load(path), self.files, self.carrying, self.folder))
        self.page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        kind, data = self.page.evaluate(QUEUE)
        assert kind == "execution_success", data
        return workflow, self.comfyui.wait(data["prompt_id"])

    def wait_for(self, words: str) -> None:
        """Until a person can read the words on the page."""
        self.page.wait_for_function(f"words => ({TEXT})().includes(words)", arg=words)


@pytest.fixture(scope="module")
def studio(browser: Browser, seeing_comfyui: ComfyServer) -> Iterator[Studio]:
    files, input_folder = [], seeing_comfyui.base / "input"
    (input_folder / "drawn").mkdir(exist_ok=True)
    for scene, picture in zip(SCENES, drawn(), strict=True):
        files.append(f"{scene.color}_{scene.shape}.png")
        picture.save(input_folder / files[-1])
        picture.save(input_folder / "drawn" / files[-1])
    save_carrying(next(drawn()), input_folder / "carrying.png")
    with opened(browser, seeing_comfyui.url) as page:
        page.set_viewport_size(WINDOW)
        yield Studio(seeing_comfyui, page, files, "carrying.png", "drawn")


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_an_example_runs(studio: Studio, path: Path, request: pytest.FixtureRequest) -> None:
    workflow, outcome = studio.run(path)
    for node in of_type(workflow, "Img2Prompt_ImageToPrompt", "Img2Prompt_MultiImageStory"):
        studio.wait_for(outcome.outputs[str(node["id"])]["text"][0].splitlines()[0])
    for node in of_type(workflow, "SaveImage", "Img2Prompt_SavePrompt"):
        assert outcome.outputs[str(node["id"])]["images"]
    CHECKS.get(path.stem, describes_its_picture)(studio, workflow, outcome)
    if folder := request.config.getoption("--screenshots"):
        thumbnail(studio.page, Path(folder) / f"{path.stem}.jpg", family_title(workflow))


def texts(workflow: dict[str, Any], outcome: Outcome, kind: str) -> list[str]:
    """What the nodes of a type show."""
    return [text for node in of_type(workflow, kind) for text in outcome.outputs[str(node["id"])]["text"]]


def names(text: str, scene: Scene) -> bool:
    """Whether colour and shape are told; as one tag or as two, which turns on what else the server does just then."""
    return scene.color in text and scene.shape in text


def describes_its_picture(studio: Studio, workflow: dict[str, Any], outcome: Outcome) -> None:
    (prompt,) = texts(workflow, outcome, "Img2Prompt_ImageToPrompt")
    assert names(prompt, SCENES[0])


def restyles(studio: Studio, workflow: dict[str, Any], outcome: Outcome) -> None:
    prompts = texts(workflow, outcome, "Img2Prompt_ImageToPrompt")
    assert all(names(prompt, scene) for scene, prompt in zip(SCENES[:2], prompts, strict=True)), prompts
    (mixed,) = texts(workflow, outcome, "Img2Prompt_MixPrompt")
    assert names(mixed, SCENES[0])
    assert SCENES[1].shape not in mixed


def tells_a_story(studio: Studio, workflow: dict[str, Any], outcome: Outcome) -> None:
    beats, storyboard = of_type(workflow, "SaveImage")
    assert len(outcome.outputs[str(beats["id"])]["images"]) == len(SCENES)
    assert studio.comfyui.image(outcome, str(storyboard["id"])).width > 500
    (story,) = of_type(workflow, "Img2Prompt_MultiImageStory")
    prompts = outcome.outputs[str(story["id"])]["prompts"]
    assert all(names(prompt, scene) for scene, prompt in zip(SCENES, prompts, strict=True)), prompts


def captions_a_dataset(studio: Studio, workflow: dict[str, Any], outcome: Outcome) -> None:
    (saver,) = of_type(workflow, "SaveImageTextDataSetToFolder")
    folder = studio.comfyui.base / "output" / saver["widgets_values"][-2]
    captions = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.txt")}
    pictures = {path.stem: Image.open(path).convert("RGB").getpixel((256, 256)) for path in folder.glob("*.png")}
    expected = {picture.getpixel((256, 256)): scene for scene, picture in zip(SCENES, drawn(), strict=True)}
    assert len(captions) == len(SCENES)
    for name, pixel in pictures.items():
        assert captions[name].startswith("mytrigger")
        assert names(captions[name], expected[pixel])


def trusts_the_file(studio: Studio, workflow: dict[str, Any], outcome: Outcome) -> None:
    assert texts(workflow, outcome, "Img2Prompt_ImageToPrompt") == [CARRIED]
    (saver,) = of_type(workflow, "Img2Prompt_SavePrompt")
    saved = studio.comfyui.image(outcome, str(saver["id"]))
    assert saved.info["parameters"].startswith(CARRIED)


CHECKS: dict[str, Callable[[Studio, dict[str, Any], Outcome], None]] = {
    "restyle": restyles,
    "story_to_images": tells_a_story,
    "caption_a_dataset": captions_a_dataset,
    "read_embedded_prompt": trusts_the_file,
}
"""What must have come out, where it is more than one prompt."""


def thumbnail(page: Page, path: Path, title: str) -> None:
    """A part of the graph as a small JPEG, with the family's title where the workflow is one of a family's."""
    picture = Image.open(io.BytesIO(page.screenshot(clip=framed(page, *PARTS.get(path.stem, PART)))))
    small_one = picture.convert("RGB").resize(THUMBNAIL, Image.Resampling.LANCZOS)
    if title:
        ImageDraw.Draw(small_one).text((14, 282), title, font=ImageFont.load_default(22), fill="white")
    small_one.save(path, quality=85, optimize=True)


def family_title(workflow: dict[str, Any]) -> str:
    """What the note's first line says after its last arrow."""
    (note,) = of_type(workflow, "MarkdownNote")
    heading = note["widgets_values"][0].splitlines()[0]
    return heading.rpartition("→ ")[2] if "→" in heading else ""


def framed(page: Page, left: int, top: int, width: int, height: int) -> FloatRect:
    """Where on the screen that part of the graph lies now: moved to where no menu covers it."""
    scale = min(1200 / width, 800 / height)
    page.evaluate(LOOK, [scale, 130 / scale - left, 180 / scale - top])
    page.wait_for_timeout(500)  # the canvas is drawn a few frames later
    return {"x": 130, "y": 180, "width": width * scale, "height": height * scale}
