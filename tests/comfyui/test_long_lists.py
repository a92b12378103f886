"""Hundreds and thousands of pictures through our nodes in a real ComfyUI, whose own dataset nodes read and write the
folders: in order, many at one time, in bounded memory, with one progress bar and one Cancel."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from img2prompt.nodes.images import check_batches
from img2prompt.nodes.inputs import each, only
from img2prompt.nodes.shown import MOST_SHOWN
from img2prompt.prompts.errors import PictureError, PromptError
from img2prompt.tests.comfyui.graphs import image_to_prompt, rebatched
from img2prompt.tests.comfyui.server import ComfyServer, Graph
from img2prompt.tests.comfyui.test_render_and_mix import mix_prompt, render_prompt
from img2prompt.tests.memory import MIB, resident_bytes
from img2prompt.tests.seeing import COLORS, draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.waiting import until
from PIL import Image

NAMES = list(COLORS)
IN_FLIGHT = 16
"""The most that are asked at one time, by the settings' default."""
PAIRS = 120
SEEN = re.compile(r"(\w+) center.*?(\w+) border")


def colors(number: int) -> tuple[str, str]:
    """Middle and border of the picture of that number; no two of 196 are alike."""
    return NAMES[number % len(NAMES)], NAMES[number // len(NAMES) % len(NAMES)]


def fill(comfyui: ComfyServer, name: str, count: int) -> Path:
    """A folder of the input folder with so many small pictures."""
    folder = comfyui.base / "input" / name
    folder.mkdir()
    for number in range(count):
        draw(*colors(number), size=(32, 32)).save(folder / f"{number:05}.png", compress_level=1)
    return folder


def in_order(folder: Path) -> list[str]:
    """The pictures as ComfyUI's dataset nodes list them: in no order at all."""
    return [name for name in os.listdir(folder) if name.endswith(".png")]


def from_folder(name: str, **inputs: Any) -> Graph:
    """The pictures of a folder as a list into our node, which is number "prompt"."""
    load = {"class_type": "LoadImageDataSetFromFolder", "inputs": {"folder": name}}
    return {"folder": load, "prompt": image_to_prompt(["folder", 0], **inputs)}


def sights(texts: list[str]) -> list[tuple[str, str]]:
    """What each text says that was seen."""
    found = [SEEN.search(text) for text in texts]
    return [(match[1], match[2]) for match in found if match]


def test_a_folder_becomes_pairs_of_picture_and_caption(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    endpoint.control.script = [{"delay_s": 0.3 * (number % 3)} for number in range(30)]  # answered in another order
    folder = fill(comfyui, "pairs", PAIRS)
    graph = from_folder("pairs", seed=801)
    save = {"images": ["folder", 0], "texts": ["prompt", 0], "folder_name": "pairs", "filename_prefix": "image"}
    graph["save"] = {"class_type": "SaveImageTextDataSetToFolder", "inputs": save}
    with comfyui.events() as events:
        prompt_id = comfyui.submit(graph, events.client_id)
        events.wait_for("execution_success", lambda data: data["prompt_id"] == prompt_id)
        states = [event.data["nodes"].get("prompt") for event in events.all("progress_state")]
    assert endpoint.counts.requests == PAIRS
    written = comfyui.base / "output" / "pairs"
    for number, name in enumerate(in_order(folder)):
        text = (written / f"image_{number:05}.txt").read_text()
        assert sights([text]) == [colors(int(Path(name).stem))], text
        with Image.open(written / f"image_{number:05}.png") as saved, Image.open(folder / name) as given:
            assert saved.tobytes() == given.tobytes()
    assert len(list(written.iterdir())) == 2 * PAIRS
    bar = [(state["value"], state["max"]) for state in states if state and state["max"] == PAIRS]
    assert bar == sorted(bar) and bar[-1] == (PAIRS, PAIRS) and len(set(bar)) > 3


@pytest.mark.parametrize(("as_batch", "count"), [(False, 2000), (True, 300)], ids=["list", "batch"])
def test_thousands_are_answered_in_order(
    comfyui: ComfyServer, endpoint: SeeingServer, as_batch: bool, count: int
) -> None:
    folder = fill(comfyui, f"thousands-{count}", count)
    graph = from_folder(folder.name, seed=803)
    if as_batch:
        graph |= {"batch": rebatched(["folder", 0], count), "prompt": image_to_prompt(["batch", 0], seed=804)}
    endpoint.control.hold = True
    prompt_id = comfyui.submit(graph)
    until(lambda: endpoint.counts.in_flight == IN_FLIGHT)
    endpoint.control.hold = False
    outcome = comfyui.wait(prompt_id, timeout_s=300)
    assert outcome.status == "success", outcome.error
    told = outcome.outputs["prompt"]
    assert sights(told["text"]) == [colors(int(Path(name).stem)) for name in in_order(folder)]
    assert (endpoint.counts.requests, endpoint.counts.max_in_flight) == (count, IN_FLIGHT)
    # the page and the history get all texts, and of the first hundred the rest; each of these says so
    assert [one["text"] for one in told["shown"]] == told["text"][:MOST_SHOWN]
    (note,) = {note for one in told["shown"] for note in one["notes"]}
    assert note == f"Shown are the first 100 of {count:,}; the outputs have all."


def test_memory_does_not_grow_with_the_list(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    """Noise, which makes large JPEGs: 300 of them held at once, as pixels or encoded, would take 80 MiB or more."""
    endpoint.control.delay_s = 0.1  # the answers come slower than the pictures could be made
    noise = np.random.default_rng(8)
    grown = []
    for count in (50, 300):
        folder = comfyui.base / "input" / f"noise-{count}"
        folder.mkdir()
        for number in range(count):
            pixels = noise.integers(0, 256, (384, 384, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=0)
        with comfyui.events() as events:
            prompt_id = comfyui.submit(from_folder(folder.name, seed=804), events.client_id)
            events.wait_for("executing", lambda data: data["node"] == "prompt")
            with resident_bytes(comfyui.process.pid) as seen:
                events.wait_for("execution_success", lambda data, run=prompt_id: data["prompt_id"] == run)
        grown.append(max(seen) - seen[0])
    assert grown[1] < grown[0] + 50 * MIB


def test_cancel_ends_a_list_at_once(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    endpoint.control.hold = True
    fill(comfyui, "cancelled", 300)
    prompt_id = comfyui.submit(from_folder("cancelled", seed=805))
    until(lambda: endpoint.counts.in_flight == IN_FLIGHT)
    comfyui.interrupt(prompt_id)
    assert comfyui.wait(prompt_id).interrupted
    until(lambda: endpoint.counts.in_flight == 0)
    assert (endpoint.counts.requests, endpoint.counts.cancelled) == (IN_FLIGHT, IN_FLIGHT)
    endpoint.control.hold = False
    fill(comfyui, "after-cancel", 3)
    assert comfyui.run(from_folder("after-cancel", seed=806)).status == "success"


def test_the_picture_that_fails_is_named_by_its_place(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    endpoint.control.delay_s = 0.05
    folder = fill(comfyui, "one-bad", 199)
    Image.new("RGB", (402, 2)).save(folder / "thin.png")
    place = in_order(folder).index("thin.png") + 1
    outcome = comfyui.run(from_folder("one-bad", seed=807))
    assert outcome.error.startswith(f"Picture {place} of 200: The picture is too long and thin")
    until(lambda: endpoint.counts.in_flight == 0)
    assert endpoint.counts.requests < place + 4 * IN_FLIGHT, "the others are not asked about any more"


def test_texts_beside_the_pictures_go_to_their_own(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    folder = fill(comfyui, "with-texts", 40)
    for file in list(folder.iterdir()):
        file.with_suffix(".txt").write_text(f"a fox, number {file.stem}")
    load = {"class_type": "LoadImageTextDataSetFromFolder", "inputs": {"folder": folder.name}}
    graph = {"folder": load, "prompt": image_to_prompt(["folder", 0], known_prompt=["folder", 1], seed=808)}
    told = comfyui.run(graph).outputs["prompt"]
    assert told["text"] == [f"a fox, number {Path(name).stem}" for name in in_order(folder)]
    assert told["note"] == ["The known prompt was used, not the model's words."]


def test_a_list_goes_in_order_through_our_other_nodes(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    folder = fill(comfyui, "others", 40)
    graph = from_folder(folder.name, seed=809)
    inputs = {"preset": "alt-text", "language": "English", "extra_instruction": "", "seed": 809}
    graph["text"] = {"class_type": "Img2Prompt_ImageToText", "inputs": {"image": ["folder", 0], **inputs}}
    graph["render"] = render_prompt(["prompt", 4], family="flux1")
    graph["mix"] = mix_prompt(["prompt", 4], ["prompt", 4])
    outcome = comfyui.run(graph)
    assert outcome.status == "success", outcome.error
    expected = [colors(int(Path(name).stem)) for name in in_order(folder)]
    assert {name: sights(outcome.outputs[name]["text"]) for name in ("text", "render")} == {
        "text": expected,
        "render": expected,
    }
    # a mix has no general tags, where the endpoint names the border: the palette is in both
    assert len(outcome.outputs["mix"]["text"]) == len(expected)
    assert all(color in text for (color, _), text in zip(expected, outcome.outputs["mix"]["text"], strict=True))


def test_inputs_are_paired_as_comfyui_pairs_them() -> None:
    found = each({"image": ["a", "b", "c"], "family": ["sdxl"], "prefix": ["x", "y"]})
    assert [(one["image"], one["family"], one["prefix"]) for one in found] == [
        ("a", "sdxl", "x"),
        ("b", "sdxl", "y"),
        ("c", "sdxl", "y"),
    ]
    with pytest.raises(PromptError, match="known_prompt got an empty list"):
        each({"image": ["a"], "known_prompt": []})
    with pytest.raises(PromptError, match="engine got 2 values"):
        only("engine", ["one", "another"])


def test_the_item_of_a_list_that_is_no_picture_is_named() -> None:
    good, empty = torch.zeros(2, 8, 8, 3), torch.zeros(0, 8, 8, 3)
    assert check_batches([good, good]) == [2, 2]
    with pytest.raises(PictureError, match=r"^Item 2 of the list: The image batch is empty"):
        check_batches([good, empty])
    with pytest.raises(PictureError, match=r"^The image batch is empty"):
        check_batches([empty])
