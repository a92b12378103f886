"""Multi-Image Story in a real ComfyUI: the order of the pictures, what comes out, what is drawn, how it fails."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable
from itertools import permutations
from typing import Any

import av
import pytest
import torch
from img2prompt.nodes.images import from_picture, one_after_another
from img2prompt.prompts import Region, RenderOptions, Story, render_story
from img2prompt.prompts.errors import PictureError
from img2prompt.tests.comfyui.graphs import batch, describe, engine, load, paint, rebatched, shown, story
from img2prompt.tests.comfyui.server import ComfyServer, Graph, Outcome, Rejected, free_port
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.prompts.stories import lantern
from img2prompt.tests.waiting import until
from PIL import Image, ImageChops

SIZES = {"red": (64, 48), "green": (48, 96), "blue": (120, 40)}
TEXT, PROMPTS, NEGATIVES, CAPTIONS, STYLE, CAST, REGIONS, JSON, STORYBOARD = range(9)
ORDERS = list(permutations(SIZES))
Upload = Callable[..., str]


@pytest.fixture
def upload(comfyui: ComfyServer) -> Upload:
    """Draws a picture with that colour in the middle and uploads it; its name in the input folder."""

    def draw_and_upload(color: str, size: tuple[int, int] = (64, 48)) -> str:
        return comfyui.upload_image(f"{color}-{size[0]}x{size[1]}.png", draw(color, size=size))

    return draw_and_upload


def told(graph: Graph, *outputs: int, **inputs: Any) -> Graph:
    """The graph with our node as "story" and some of its outputs, and always the JSON, shown as "show0" and on."""
    shows = {f"show{output}": shown("story", output) for output in (*outputs, JSON)}
    return {**graph, "story": story(**inputs), **shows}


def texts(outcome: Outcome, output: int) -> list[str]:
    assert outcome.status == "success", outcome.error
    return outcome.outputs[f"show{output}"]["text"]


def answer(outcome: Outcome) -> Story:
    (document,) = texts(outcome, JSON)
    return Story.model_validate_json(document)


def in_a_batch(upload: Upload, order: tuple[str, ...]) -> Graph:
    graph, link = batch(*map(upload, order))
    return told(graph, PROMPTS, images=link)


def in_a_list(upload: Upload, order: tuple[str, ...]) -> Graph:
    graph, link = batch(*map(upload, order))
    return told({**graph, "list": rebatched(link, 1)}, PROMPTS, images=["list", 0])


def in_sockets(upload: Upload, order: tuple[str, ...]) -> Graph:
    graph = load(*(upload(color, SIZES[color]) for color in order))
    # not in the order of their names, and with gaps between them
    return told(graph, PROMPTS, image_16=["load2", 0], image_2=["load0", 0], image_4=["load1", 0])


def in_a_mix(upload: Upload, order: tuple[str, ...]) -> Graph:
    graph, link = batch(*map(upload, order[:2]))
    graph["third"] = {"class_type": "LoadImage", "inputs": {"image": upload(order[2], SIZES[order[2]])}}
    return told(graph, PROMPTS, image_1=["third", 0], images=link)


def as_a_batch_in_a_socket(upload: Upload, order: tuple[str, ...]) -> Graph:
    graph, link = batch(*map(upload, order[1:]))
    graph["first"] = {"class_type": "LoadImage", "inputs": {"image": upload(order[0], SIZES[order[0]])}}
    return told(graph, PROMPTS, image_3=link, image_1=["first", 0])


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("form", [in_a_batch, in_a_list, in_sockets, in_a_mix, as_a_batch_in_a_socket])
def test_the_story_has_the_pictures_in_their_order(
    comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload, order: tuple[str, ...], form: Callable[..., Graph]
) -> None:
    outcome = comfyui.run(form(upload, order))
    found = answer(outcome)
    assert [color in one.seen for color, one in zip(order, found.observations, strict=True)] == [True] * 3
    assert [beat.image for beat in found.beats] == [1, 2, 3]
    assert [f"{color} center" in prompt for color, prompt in zip(order, texts(outcome, PROMPTS), strict=True)] == (
        [True] * 3
    )
    assert endpoint.counts.requests == 1


def test_a_list_of_unequal_pictures_is_one_story(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    folder = comfyui.base / "input" / "unequal"
    folder.mkdir()
    for color, size in SIZES.items():
        draw(color, size=size).save(folder / f"{color}.png")
    order = [name.removesuffix(".png") for name in os.listdir(folder)]  # ComfyUI's node does not sort them
    graph = {"folder": {"class_type": "LoadImageDataSetFromFolder", "inputs": {"folder": "unequal"}}}
    outcome = comfyui.run(told(graph, images=["folder", 0]))
    sizes = [f"{width}x{height}" for width, height in map(SIZES.__getitem__, order)]
    seen = [one.seen for one in answer(outcome).observations]
    assert [c in one and s in one for c, s, one in zip(order, sizes, seen, strict=True)] == [True] * 3


@pytest.mark.parametrize("beats", [1, 2, 5, 16])
def test_lists_have_one_item_for_each_beat(
    comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload, beats: int
) -> None:
    graph, link = batch(*map(upload, SIZES))
    per_beat = (PROMPTS, NEGATIVES, CAPTIONS, REGIONS)
    outcome = comfyui.run(told(graph, *per_beat, images=link, beats=beats))
    assert [len(texts(outcome, output)) for output in per_beat] == [beats] * 4
    assert all(texts(outcome, PROMPTS))


def test_every_output(comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload) -> None:
    tale = lantern()
    endpoint.control.script = [{"content": tale.model_dump_json()}]
    graph, link = batch(*map(upload, SIZES))
    graph = told(graph, *range(STORYBOARD), images=link, seed=5)
    graph["save"] = {"class_type": "PreviewImage", "inputs": {"images": ["story", STORYBOARD]}}
    outcome = comfyui.run(graph)
    board = render_story(tale, "sdxl")
    assert answer(outcome) == tale
    assert texts(outcome, TEXT) == outcome.outputs["story"]["text"] == [board.text]  # what the node shows, too
    assert texts(outcome, PROMPTS) == [panel.prompt for panel in board.panels]
    assert texts(outcome, NEGATIVES) == [panel.negative for panel in board.panels]
    assert texts(outcome, CAPTIONS) == [f"{beat.title}: {beat.what_happens}" for beat in tale.beats]
    assert [texts(outcome, STYLE), texts(outcome, CAST)] == [[board.style_bible], [board.cast_sheet]]
    regions = [tuple(Region(**region) for region in json.loads(found)) for found in texts(outcome, REGIONS)]
    assert regions == [panel.regions for panel in board.panels] and len(regions[1]) == 2
    sheet = comfyui.image(outcome, "save").convert("RGB")
    seen = {max(zip(color, "rgb", strict=True))[1] for color in _strong(sheet)}
    assert seen == {"r", "g", "b"}, "all three pictures are on the storyboard"


def _strong(picture: Image.Image) -> list[tuple[int, int, int]]:
    """Its colours that are red, green or blue and hardly anything else."""
    colors: Any = picture.getcolors(picture.width * picture.height)
    return [color for _, color in colors if max(color) > 200 and sum(color) - max(color) < 60]


def test_what_the_budget_does_not_hold_is_told(comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload) -> None:
    endpoint.control.script = [{"content": lantern().model_dump_json()}]
    graph, link = batch(*map(upload, SIZES))
    outcome = comfyui.run(told(graph, TEXT, images=link, token_budget=40))
    (note,) = render_story(lantern(), "sdxl", RenderOptions(token_budget=40)).notes
    assert texts(outcome, TEXT)[0].endswith(f"({note})")


def test_pictures_that_share_a_short_context_are_told_to(comfyui: ComfyServer, upload: Upload) -> None:
    with SeeingServer() as short:
        short.control.max_model_len = 3000
        graph = load(upload("red", (1024, 1024)), upload("green", (1024, 512)))
        graph["engine"] = engine(endpoint=short.url)
        graph = told(graph, TEXT, image_1=["load0", 0], image_2=["load1", 0], engine=["engine", 0])
        outcome = comfyui.run(graph)
        (text,) = texts(outcome, TEXT)
        found = re.search(r"\n\n\(Pictures seen at up to (\d+) x \1 pixels each, to fit the model's context\.\)$", text)
        assert found, text
        sizes = re.findall(r"(\d+)x(\d+)", json.dumps(short.counts.payloads[0]["messages"]))
    most = (int(found[1]) + 1) ** 2
    assert len(sizes) == 2 and all(0.8 * most < int(width) * int(height) <= most < 2**19 for width, height in sizes)


def test_what_is_asked(comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload) -> None:
    graph, link = batch(upload("red"), upload("blue"))
    wish = {"extra_instruction": "They never meet.", "genre": "film noir", "language": "Deutsch", "seed": 77}
    answer(comfyui.run(told(graph, images=link, **wish)))
    (payload,) = endpoint.counts.payloads
    content = payload["messages"][1]["content"]
    assert re.findall(r"a (\w+) center", json.dumps(content)) == ["red", "blue"]
    instruction = content[-1]
    assert all(wish[name] in instruction["text"] for name in ("extra_instruction", "genre", "language"))
    assert payload["seed"] == 77


def test_the_same_again_asks_nobody_and_another_family_is_rendered_anew(
    comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload
) -> None:
    graph, link = batch(upload("cyan"), upload("pink"))
    first = comfyui.run(told(graph, PROMPTS, images=link))
    again = comfyui.run(told(graph, PROMPTS, images=link))
    assert endpoint.counts.requests == 1 and "story" in again.cached
    assert texts(again, PROMPTS) == texts(first, PROMPTS)
    prose = comfyui.run(told(graph, PROMPTS, images=link, family="flux1"))
    assert texts(prose, PROMPTS) != texts(first, PROMPTS)


# What is drawn


def painted(positive: object, negative: object) -> Graph:
    """`paint` in one step: what a picture is conditioned on shows all the same."""
    graph = paint(positive, negative)
    graph["sample"]["inputs"]["steps"] = 1
    return graph


def test_each_beat_is_drawn_and_saved_in_order(comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload) -> None:
    graph, link = batch(*map(upload, ("blue", "red", "green")))
    graph = told(graph, PROMPTS, NEGATIVES, CAPTIONS, images=link)
    graph |= painted(["story", PROMPTS], ["story", NEGATIVES])
    graph["dataset"] = {
        "class_type": "SaveImageTextDataSetToFolder",
        "inputs": {
            "images": ["decode", 0],
            "texts": ["story", CAPTIONS],
            "folder_name": "told",
            "filename_prefix": "beat",
        },
    }
    outcome = comfyui.run(graph)
    prompts, negatives = texts(outcome, PROMPTS), texts(outcome, NEGATIVES)
    names = [image["filename"] for image in outcome.outputs["save"]["images"]]
    assert len(names) == len(prompts) == 3 and names == sorted(names)
    drawn = [comfyui.image(outcome, "save", i).convert("RGB") for i in range(3)]
    for i in (0, 2):
        alone = comfyui.image(comfyui.run(painted(prompts[i], negatives[i])), "save").convert("RGB")
        assert [ImageChops.difference(alone, one).getbbox() is None for one in drawn] == [j == i for j in range(3)]
    written = sorted((comfyui.base / "output" / "told").glob("beat*.txt"))
    assert [file.read_text() for file in written] == texts(outcome, CAPTIONS)


def test_regions_are_drawn_with_comfyuis_own_nodes(
    comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload
) -> None:
    tale = json.loads(lantern().model_dump_json().replace("freckles", "freckles (pale)"))
    tale |= {"observations": tale["observations"][:2], "beats": tale["beats"][:2]}
    tale["cast"][1]["seen_in"] = [2]
    endpoint.control.script = [{"content": json.dumps(tale)}]
    graph, link = batch(upload("red"), upload("green"))
    graph = told(graph, PROMPTS, REGIONS, images=link, prefix="(rough sketch:1.2)")
    graph |= painted(["story", PROMPTS], ["story", NEGATIVES])
    whole, parts = ["positive", 0], []
    for number, before in enumerate(("", '"prompt": .*?')):  # the first character's prompt, the second's
        extract = {"string": ["story", REGIONS], "regex_pattern": before + r'"prompt": "((?:[^"\\]|\\.)*)"'}
        extract |= {"mode": "First Group", "case_insensitive": False, "multiline": False, "dotall": False}
        area = {"width": 0.5, "height": 1.0, "x": number / 2, "y": 0.0, "strength": 1.0}
        steps = {
            f"extract{number}": ("RegexExtract", extract | {"group_index": 1}),
            f"text{number}": ("StringReplace", {"string": [f"extract{number}", 0], "find": "\\\\", "replace": "\\"}),
            f"encode{number}": ("CLIPTextEncode", {"clip": ["checkpoint", 1], "text": [f"text{number}", 0]}),
            f"area{number}": ("ConditioningSetAreaPercentage", {"conditioning": [f"encode{number}", 0]} | area),
            f"sum{number}": ("ConditioningCombine", {"conditioning_1": whole, "conditioning_2": [f"area{number}", 0]}),
        }
        graph |= {name: {"class_type": kind, "inputs": given} for name, (kind, given) in steps.items()}
        graph[f"part{number}"] = shown(f"text{number}", 0)
        whole = [f"sum{number}", 0]
        parts.append(f"part{number}")
    graph["sample"]["inputs"]["positive"] = whole
    outcome = comfyui.run(graph)
    regions = [[region["prompt"] for region in json.loads(found)] for found in texts(outcome, REGIONS)]
    taken = zip(*(outcome.outputs[part]["text"] for part in parts), strict=True)
    assert [[text for text in both if text] for both in taken] == regions
    assert all(r"freckles \(pale\)" in of_mara for of_mara, *_ in regions)
    assert len(outcome.outputs["save"]["images"]) == 2


def test_every_nth_frame_of_a_video(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    with av.open(comfyui.base / "input" / "frames.mp4", "w") as video:
        stream = video.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for color in ("red", "blue", "green", "yellow"):
            for _ in range(6):
                video.mux(stream.encode(av.VideoFrame.from_image(draw(color))))
        video.mux(stream.encode())
    graph: Graph = {
        "video": {"class_type": "LoadVideo", "inputs": {"file": "frames.mp4"}},
        "frames": {"class_type": "GetVideoComponents", "inputs": {"video": ["video", 0]}},
        "sixes": rebatched(["frames", 0], 6),
        # called for each batch of six: the third frame of each
        "third": {"class_type": "ImageFromBatch", "inputs": {"image": ["sixes", 0], "batch_index": 2, "length": 1}},
    }
    whole = comfyui.run(told(graph, images=["frames", 0]))
    assert "there are 24" in whole.error and endpoint.counts.requests == 0
    seen = [one.seen for one in answer(comfyui.run(told(graph, images=["third", 0]))).observations]
    expected = ("red", "blue", "green", "yellow")
    assert [color in one for color, one in zip(expected, seen, strict=True)] == [True] * 4


# What cannot be told


@pytest.mark.parametrize("number", [0, 1, 17])
def test_too_few_and_too_many(comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload, number: int) -> None:
    graph = load(upload("red"))
    graph["many"] = {"class_type": "RepeatImageBatch", "inputs": {"image": ["load0", 0], "amount": number or 1}}
    outcome = comfyui.run(told(graph, **({"images": ["many", 0]} if number else {})))
    assert f"2 to 16 pictures, and there are {number}" in outcome.error
    assert endpoint.counts.requests == 0 and not outcome.outputs


def test_a_blank_picture_and_the_same_twice_are_told(comfyui: ComfyServer, endpoint: SeeingServer, upload) -> None:
    blank = comfyui.upload_image("blank.png", draw("white", "white"))
    graph = told(load(upload("red"), blank), image_1=["load0", 0], image_2=["load1", 0], image_3=["load0", 0])
    seen = [one.seen for one in answer(comfyui.run(graph)).observations]
    assert seen[0] == seen[2] and "red" in seen[0] and "white center" in seen[1]


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ({"family": "sd9"}, "custom_validation_failed"),
        ({"beats": 17}, "value_bigger_than_max"),
        ({"seed": -1}, "value_smaller_than_min"),
    ],
)
def test_inputs_that_cannot_be_are_refused_before_anything_runs(
    comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload, inputs: dict[str, Any], kind: str
) -> None:
    graph, link = batch(upload("red"), upload("green"))
    with pytest.raises(Rejected) as rejected:
        comfyui.run(told(graph, images=link, **inputs))
    assert [error["type"] for error in rejected.value.errors("story")] == [kind], "told once"


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"prefix": "(unbalanced"}, "prefix"),
        ({"prefix": "one, two", "token_budget": 3}, "budget"),
        ({"emphasis": "all"}, "choose one of none, subject, style"),
        ({"unknown_tags": "perhaps"}, "choose one of keep, drop"),
    ],
)
def test_options_that_cannot_be_fail_before_the_model_is_asked(
    comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload, inputs: dict[str, Any], says: str
) -> None:
    graph, link = batch(upload("red"), upload("green"))
    assert says in comfyui.run(told(graph, images=link, **inputs)).error
    assert endpoint.counts.requests == 0


def test_a_list_where_one_value_is_wanted(comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload) -> None:
    graph = describe(upload("red"), upload("green"), seed=31)
    pictures = graph["prompt"]["inputs"]["image"]
    outcome = comfyui.run({**graph, "story": story(images=pictures, genre=["prompt", 0])})
    assert "The input genre got 2 values" in outcome.error
    # the text of one is taken: two negatives, which are alike
    answer(comfyui.run(told(graph, images=pictures, genre=["prompt", 0], extra_instruction=["prompt", 1]) | {
        "story": story(images=pictures, extra_instruction=["prompt", 1])
    }))  # fmt: skip
    assert "blurry" in endpoint.counts.payloads[-1]["messages"][1]["content"][-1]["text"]


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ([{"content": "Once upon a time."}], "JSON"),
        ([{"finish_reason": "length"}] * 2, "longest length"),
        ([{"status": 500}], "500"),
    ],
)
def test_a_failed_answer_is_an_error_and_no_half_story(
    comfyui: ComfyServer, endpoint: SeeingServer, upload: Upload, script: list[dict[str, Any]], cause: str
) -> None:
    endpoint.control.script = script
    graph, link = batch(upload("red"), upload("green"))
    graph = told(graph, images=link, prefix=cause)  # another graph for each row: ComfyUI remembers
    outcome = comfyui.run(graph)
    assert cause in outcome.error and not outcome.outputs
    assert len(answer(comfyui.run(graph)).beats) == 2  # nothing is stuck


def test_cancel_stops_at_once_and_frees_the_server(comfyui: ComfyServer, endpoint: SeeingServer, upload) -> None:
    endpoint.control.delay_s = 60
    graph, link = batch(*map(upload, SIZES))
    graph = told(graph, images=link, seed=91)
    with comfyui.events() as events:
        prompt_id = comfyui.submit(graph, events.client_id)
        until(lambda: endpoint.counts.in_flight == 1)
        comfyui.interrupt(prompt_id)
        events.wait_for("execution_interrupted", timeout_s=30)
    assert comfyui.wait(prompt_id).interrupted
    until(lambda: endpoint.counts.cancelled == 1)
    endpoint.control.delay_s = 0
    assert len(answer(comfyui.run(graph)).beats) == 3


def test_cancel_before_anything_is_asked(comfyui: ComfyServer, upload: Upload) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and answers nobody
        graph, link = batch(upload("red"), upload("green"))
        graph["engine"] = engine(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        # ComfyUI tells only one of two nodes that wait
        graph |= {f"story{seed}": story(images=link, engine=["engine", 0], seed=seed) for seed in range(2)}
        with comfyui.events() as events:
            prompt_id = comfyui.submit(graph, events.client_id)
            asking, _ = silent.accept()
            with asking:
                comfyui.interrupt(prompt_id)
                events.wait_for("execution_interrupted", timeout_s=20)
                assert comfyui.wait(prompt_id, timeout_s=20).interrupted


def test_a_server_that_is_down(comfyui: ComfyServer, upload: Upload) -> None:
    graph, link = batch(upload("red"), upload("green"))
    graph["engine"] = engine(endpoint=f"http://127.0.0.1:{free_port()}/v1")
    outcome = comfyui.run(told(graph, images=link, engine=["engine", 0]))
    assert "127.0.0.1" in outcome.error and not outcome.outputs


# Between tensors and pictures


def test_pictures_of_several_batches_and_back() -> None:
    batches = [from_picture(draw("red")).repeat(2, 1, 1, 1), from_picture(draw("green", size=(10, 30)))]
    pictures = one_after_another(batches, 10**9)
    assert [picture.size for picture in pictures] == [(64, 48), (64, 48), (10, 30)]
    assert torch.equal(torch.cat([from_picture(picture) for picture in pictures[:2]]), batches[0])
    assert pictures[2].getpixel((5, 15)) == (0, 255, 0)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_a_picture_of_any_mode_is_an_image(mode: str) -> None:
    image = from_picture(Image.new("RGB", (5, 3), (51, 51, 51)).convert(mode))
    assert (image.shape, image.dtype) == ((1, 3, 5, 3), torch.float32)
    assert torch.allclose(image, torch.tensor(0.2), atol=1e-3)


def test_a_bad_picture_among_several_is_named() -> None:
    with pytest.raises(PictureError, match=r"Picture 3 of 3: .*NaN"):
        one_after_another([torch.zeros(2, 8, 8, 3), torch.full((1, 4, 4, 3), float("nan"))], 100)
