"""Read Prompt and Save Prompt in a real ComfyUI: what files carry comes out, and what is saved is read back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from img2prompt.prompts import Recovered, RecoverError, recover
from img2prompt.prompts.recover import a1111
from img2prompt.scripts.comfyui import CHECKPOINT
from img2prompt.tests.comfyui.graphs import (
    READ,
    SAVE,
    batch,
    describe,
    image_to_prompt,
    load,
    paint,
    read_prompt,
    rebatched,
    save_prompt,
    shown,
)
from img2prompt.tests.comfyui.server import ComfyServer, Graph, Outcome, Rejected
from img2prompt.tests.seeing import draw
from img2prompt.tests.unit.prompts.recover.containers import c2pa, exif, jpeg, png, stealth
from PIL import Image

IMAGE, MASK, POSITIVE, NEGATIVE, PARAMETERS, GENERATOR, FOUND = range(7)
FOX = "a red fox <lora:snow_v2:0.8>, (deep snow:1.2), 雪"
A1111 = f"{FOX}\nNegative prompt: blurry, (hands)\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x48"
LIGHTHOUSE, FOG = "a lighthouse at dusk, 灯台", "fog, “haze”"


def read(comfyui: ComfyServer, file: str, write_as: str = "as written") -> tuple[list[str], Outcome]:
    """What Read Prompt's outputs after the mask say, and the run."""
    graph: Graph = {"read": read_prompt(file, write_as)}
    graph |= {f"show{i}": shown("read", i) for i in range(POSITIVE, FOUND + 1)}
    outcome = comfyui.run(graph)
    assert outcome.status == "success", outcome.error
    return [outcome.outputs[f"show{i}"]["text"][0] for i in range(POSITIVE, FOUND + 1)], outcome


def saved(comfyui: ComfyServer, outcome: Outcome, node: str = "keep") -> list[Path]:
    """The files that an output node has saved."""
    assert outcome.status == "success", outcome.error
    images = outcome.outputs[node]["images"]
    assert {image["type"] for image in images} == {"output"}
    return [comfyui.base / "output" / image["subfolder"] / image["filename"] for image in images]


def recovered(file: Path) -> Recovered:
    found = recover(file)
    assert found is not None
    return found


def texts(file: Path) -> dict[str, str]:
    """The texts of a PNG, as any reader gets them."""
    with Image.open(file) as picture:
        picture.load()
        return dict(getattr(picture, "text"))  # noqa: B009 (only PNGs have it)


# Read Prompt


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a1111.png", lambda: png({"parameters": A1111}, kind="iTXt")),
        ("a1111.jpg", lambda: jpeg(exif=exif(user_comment=A1111, encoding="utf-16-be"))),
        ("hidden.png", lambda: stealth(A1111)),
    ],
)
def test_what_a_file_carries_comes_out(comfyui: ComfyServer, name: str, content: Callable[[], bytes]) -> None:
    found, outcome = read(comfyui, comfyui.upload_image(name, content()))
    positive, negative, parameters, generator, is_found = found
    assert (positive, negative, generator, is_found) == (FOX, "blurry, (hands)", "AUTOMATIC1111", "True")
    told = json.loads(parameters)
    assert (
        told
        | {
            **{"seed": 42, "steps": 20, "sampler": "Euler a", "cfg_scale": 7, "width": 64, "height": 48},
            "loras": [{"name": "snow_v2", "weight": 0.8, "clip_weight": None}],
        }
        == told
    )
    (text,) = outcome.outputs["read"]["text"]
    assert text.startswith("AUTOMATIC1111, ") and f"\n\n{FOX}\n\nNegative: blurry, (hands)\n\n" in text
    assert "seed 42, steps 20, sampler Euler a, cfg 7, size 64 x 48\nLoRA snow_v2 at 0.8" in text


def test_words_only_leaves_nothing_that_acts(comfyui: ComfyServer) -> None:
    file = comfyui.upload_image("a1111.png", png({"parameters": A1111}, kind="iTXt"))
    found, _ = read(comfyui, file, "words only")
    assert found[:2] == ["a red fox, deep snow, 雪", "blurry, hands"]


def test_a_picture_that_comfyui_saved_tells_what_was_typed(comfyui: ComfyServer) -> None:
    (drawn,) = saved(comfyui, comfyui.run(paint(LIGHTHOUSE, FOG)), "save")
    for file in (f"{drawn.name} [output]", comfyui.upload_image("drawn.png", drawn.read_bytes())):
        found, outcome = read(comfyui, file)
        positive, negative, parameters, generator, is_found = found
        assert (positive, negative, generator, is_found) == (LIGHTHOUSE, FOG, "ComfyUI", "True")
        told = json.loads(parameters)
        assert (told["seed"], told["steps"], told["sampler"], told["checkpoint"]) == (1, 2, "euler", CHECKPOINT)
        assert "Prompt from CLIPTextEncode (node positive)" in outcome.outputs["read"]["text"][0]
        assert "Negative from CLIPTextEncode (node negative)" in outcome.outputs["read"]["text"][0]


@pytest.mark.parametrize("write_as", ["as written", "words only"])
def test_a_picture_without_a_prompt_is_normal(comfyui: ComfyServer, write_as: str) -> None:
    found, outcome = read(comfyui, comfyui.upload_image("plain.png", draw("blue")), write_as)
    assert found == ["", "", "{}", "", "False"]
    assert outcome.outputs["read"]["text"] == ["The file carries no prompt."]


def test_a_picture_too_large_to_be_searched_is_normal_too(comfyui: ComfyServer) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4000, 3000), "navy").save(buffer, "WEBP", lossless=True, quality=0, method=0)
    found, outcome = read(comfyui, comfyui.upload_image("large.webp", buffer.getvalue()))
    assert found == ["", "", "{}", "", "False"]
    assert outcome.outputs["read"]["text"] == ["The file carries no prompt."]


def test_all_that_a_file_tells_is_shown(comfyui: ComfyServer) -> None:
    graph = {**paint(LIGHTHOUSE, FOG), "keep": {"class_type": "PreviewImage", "inputs": {"images": ["second", 0]}}}
    other = paint("a harbour", FOG)
    graph |= {"harbour": other["positive"], "second": other["decode"], "sample2": other["sample"]}
    graph["sample2"]["inputs"] |= {"positive": ["harbour", 0], "seed": 2}
    graph["second"]["inputs"]["samples"] = ["sample2", 0]
    two, signed = png({"prompt": json.dumps(graph)}), png(c2pa=c2pa(claim_generator="Example/1.0"))
    _, outcome = read(comfyui, comfyui.upload_image("two.png", two))
    (text,) = outcome.outputs["read"]["text"]
    assert text.startswith(f"ComfyUI, PNG text 'prompt'\n\n{LIGHTHOUSE}\n\n")
    assert "seed 1, steps 2, sampler euler, scheduler normal, cfg 4, size 64 x 64" in text
    assert "Another prompt in the file, of KSampler (node sample2): a harbour" in text
    found, outcome = read(comfyui, comfyui.upload_image("signed.png", signed))
    assert found == ["", "", "{}", "C2PA", "False"]
    assert outcome.outputs["read"]["text"] == ["The file carries no prompt.\n\ncontent credentials of Example/1.0"]


def test_picture_and_mask_are_those_of_load_image(comfyui: ComfyServer) -> None:
    clear = Image.effect_noise((40, 30), 90).convert("RGB")
    clear.putalpha(Image.linear_gradient("L").resize((40, 30)))
    folder = comfyui.base / "input" / "below"
    folder.mkdir(exist_ok=True)
    clear.save(folder / "clear.png")
    turned = Image.effect_noise((40, 30), 90).convert("RGB")
    rotated = Image.Exif()
    rotated[0x0112] = 6
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", exif=rotated)
    for file in ("below/clear.png", comfyui.upload_image("turned.jpg", buffer.getvalue())):
        graph: Graph = {"read": read_prompt(file), **load(file)}
        for node in ("read", "load0"):
            graph[f"{node}-mask"] = {"class_type": "MaskToImage", "inputs": {"mask": [node, MASK]}}
            for number, made in enumerate(([node, IMAGE], [f"{node}-mask", 0])):
                graph[f"{node}{number}"] = {"class_type": "PreviewImage", "inputs": {"images": made}}
        outcome = comfyui.run(graph)
        for number in range(2):
            ours, cores = (np.asarray(comfyui.image(outcome, f"{node}{number}")) for node in ("read", "load0"))
            assert np.array_equal(ours, cores)
            assert ours.any() or (number, file) == (MASK, "turned.jpg")  # which has no alpha


def test_a_file_that_changes_is_read_again_and_another_is_not(comfyui: ComfyServer) -> None:
    file = comfyui.upload_image("changing.png", png({"parameters": "a cat\nSteps: 1, Sampler: Euler, Seed: 1"}))
    assert read(comfyui, file)[0][0] == "a cat"
    again, outcome = read(comfyui, file)
    assert again[0] == "a cat" and "read" in outcome.cached
    comfyui.upload_image("changing.png", png({"parameters": "a dog\nSteps: 1, Sampler: Euler, Seed: 1"}))
    assert read(comfyui, file)[0][0] == "a dog"


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"image": "../../x.png"}, "leads out of ComfyUI's folder"),
        ({"image": "../output/painted_00001_.png"}, "leads out of"),
        ({"image": "/etc/hostname"}, "leads out of"),
        ({"image": "../x.png [output]"}, "leads out of"),
        ({"image": "not there.png"}, "no file 'not there.png'"),
        ({"image": "a\0b.png"}, "no file"),
        ({"image": ""}, "no file"),
    ],
)
def test_files_that_cannot_be_are_refused(comfyui: ComfyServer, inputs: dict[str, Any], says: str) -> None:
    comfyui.upload_image("plain.png", draw("blue"))
    with pytest.raises(Rejected) as rejected:
        comfyui.run({"read": {"class_type": READ, "inputs": {**read_prompt("plain.png")["inputs"], **inputs}}})
    (error,) = rejected.value.errors("read")  # once, of the input that is wrong
    assert error["type"] == "custom_validation_failed" and says in error["details"]


def test_a_name_from_another_node_is_checked_too() -> None:
    from img2prompt.nodes.read_prompt import ReadPrompt

    with pytest.raises(RecoverError, match="leads out of"):
        ReadPrompt.execute(image="../../etc/passwd")
    with pytest.raises(RecoverError, match="choose one of as written, words only"):
        ReadPrompt.execute(image="example.png", write_as="a poem")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no picture at all", "broken.png"),
        (png({"prompt": '{"1": {"class_type": "KSam'}), "JSON"),
    ],
)
def test_a_broken_file_is_an_error_of_the_node(comfyui: ComfyServer, content: bytes, says: str) -> None:
    outcome = comfyui.run({"read": read_prompt(comfyui.upload_image("broken.png", content))})
    assert says in outcome.error and not outcome.outputs
    failed = outcome.messages["execution_error"]
    assert (failed["node_id"], failed["exception_type"].rpartition(".")[2]) == ("read", "RecoverError")


# Save Prompt


def painted(**inputs: Any) -> Graph:
    """A prompt in Unicode into the sampler, saved by Save Image ("save") and by Save Prompt ("keep")."""
    return {**paint(LIGHTHOUSE, FOG), "keep": save_prompt(["decode", 0], **{"prefix": "kept", **inputs})}


def test_the_workflows_own_prompt_is_saved_and_read_back(comfyui: ComfyServer) -> None:
    graph = painted()
    workflow = {"nodes": [], "note": "of the page"}
    body = {"prompt": graph, "extra_data": {"extra_pnginfo": {"workflow": workflow}}}
    outcome = comfyui.wait(comfyui.post("/prompt", body)["prompt_id"])
    (file,), (cores,) = saved(comfyui, outcome), saved(comfyui, outcome, "save")
    found = recovered(file)
    assert (found.positive, found.negative, found.generator) == (LIGHTHOUSE, FOG, "ComfyUI")
    parameters = found.parameters
    assert (parameters.seed, parameters.steps, parameters.sampler, parameters.cfg_scale) == (1, 2, "euler", 4.0)
    assert (parameters.width, parameters.height, parameters.checkpoint) == (64, 64, CHECKPOINT)
    assert [node.id for node in found.prompts[0].positive_nodes] == ["positive"]
    assert len(found.prompts) == 1
    # as Save Image's, and one text more
    ours, theirs = texts(file), texts(cores)
    assert outcome.outputs["keep"]["text"] == [ours.pop("parameters")]
    assert ours == theirs and set(ours) == {"prompt", "workflow"}
    with Image.open(file) as a, Image.open(cores) as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))
    assert file.stat().st_size - cores.stat().st_size < 1000  # packed as hard
    assert file.name == "kept_00001_.png"


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [
        ("ein Fuchs, naïve", "grün"),  # all of Latin 1: a tEXt chunk
        ("🦊 狐, {a|b}\n\nNegative prompt: not this\nSteps: 3, no", "Steps: 20, Sampler: x"),
        (f"{FOX}, \\(literal\\)", " leading and trailing "),
        ("a fox\nin two lines, \"quoted\", 'x: y'", ""),
    ],
)
def test_what_is_connected_is_saved_and_read_back(comfyui: ComfyServer, prompt: str, negative: str) -> None:
    graph = painted(prompt=["text", 0], negative=["other", 0])
    for node, text in (("text", prompt), ("other", negative)):
        graph[node] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": text}}
    (file,) = saved(comfyui, comfyui.run(graph))
    found = recovered(file)
    assert (found.positive, found.negative) == (prompt, negative or FOG)
    assert (found.parameters.seed, found.parameters.checkpoint) == (1, CHECKPOINT)
    # to any reader, without the graph
    alone = a1111.parse(texts(file)["parameters"])
    assert alone and (alone.positive, alone.negative) == (prompt, negative or FOG)
    assert alone.parameters == found.parameters


def test_the_whole_way_from_file_to_file(comfyui: ComfyServer, endpoint) -> None:
    file = comfyui.upload_image("a1111.png", png({"parameters": A1111}))
    graph = {
        "read": read_prompt(file),
        "prompt": image_to_prompt(["read", IMAGE], known_prompt=["read", POSITIVE]),
        **paint(["prompt", 0], ["read", NEGATIVE]),
    }
    graph["keep"] = save_prompt(["decode", 0], "whole/way", prompt=["prompt", 0], negative=["read", NEGATIVE])
    outcome = comfyui.run(graph)
    (kept,) = saved(comfyui, outcome)
    assert outcome.outputs["prompt"]["text"] == [FOX]
    assert kept.parent.name == "whole"
    assert "\nSteps: 2, Sampler: euler, Schedule type: normal, CFG scale: 4, Seed: 1" in texts(kept)["parameters"]
    found = recovered(kept)
    assert (found.positive, found.negative) == (FOX, "blurry, (hands)")
    assert (found.parameters.seed, found.parameters.width) == (1, 64)
    # and once more through the node
    assert read(comfyui, "whole/way_00001_.png [output]")[0][:2] == [FOX, "blurry, (hands)"]


def test_a_batch_is_a_file_for_each_picture_with_one_prompt(comfyui: ComfyServer) -> None:
    files = [comfyui.upload_image(f"{color}.png", draw(color)) for color in ("red", "green", "blue")]
    graph, link = batch(*files)
    graph["text"] = {"class_type": "PrimitiveString", "inputs": {"value": "three"}}
    graph["keep"] = save_prompt(link, "batch", prompt=["text", 0])
    kept = saved(comfyui, comfyui.run(graph))
    assert [file.name for file in kept] == ["batch_00001_.png", "batch_00002_.png", "batch_00003_.png"]
    assert [recovered(file).positive for file in kept] == ["three"] * 3
    assert [Image.open(file).getpixel((32, 24)) for file in kept] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("list", ["list_00001_.png", "list_00002_.png", "list_00003_.png"]),
        ("one_%batch_num%", ["one_0_00001_.png", "one_0_00002_.png", "one_0_00003_.png"]),
        ("at/%width%x%height%", ["64x48_00001_.png", "64x48_00002_.png", "64x48_00003_.png"]),
    ],
)
def test_a_list_is_a_file_for_each_item_with_its_own_prompt(
    comfyui: ComfyServer, endpoint, prefix: str, names: list[str]
) -> None:
    files = [comfyui.upload_image(f"{color}.png", draw(color)) for color in ("red", "green", "blue")]
    graph, link = batch(*files)
    graph |= {"split": rebatched(link, 1), "prompt": image_to_prompt(link)}
    graph["keep"] = save_prompt(["split", 0], prefix, prompt=["prompt", 0])
    outcome = comfyui.run(graph)
    kept = saved(comfyui, outcome)
    assert [file.name for file in kept] == names
    assert [recovered(file).positive for file in kept] == outcome.outputs["prompt"]["text"]
    assert len(set(outcome.outputs["prompt"]["text"])) == 3
    assert len(outcome.outputs["keep"]["text"]) == 3


@pytest.mark.parametrize("inputs", [{}, {"prompt": ["text", 0]}])
def test_where_no_prompt_is_known_the_picture_is_saved_and_the_node_says_so(
    comfyui: ComfyServer, inputs: dict[str, Any]
) -> None:
    graph: Graph = {
        **load(comfyui.upload_image("plain.png", draw("blue"))),
        "text": {"class_type": "PrimitiveString", "inputs": {"value": " "}},
        "keep": save_prompt(["load0", 0], "unknown", **inputs),
    }
    outcome = comfyui.run(graph)
    (file,) = saved(comfyui, outcome)
    assert set(texts(file)) == {"prompt"}
    assert outcome.outputs["keep"]["text"] == ["No prompt is known, so none was saved: connect the input prompt."]


def test_a_text_that_the_workflow_makes_while_it_runs_must_be_connected(comfyui: ComfyServer, endpoint) -> None:
    graph = {**describe(comfyui.upload_image("red.png", draw("red"))), **paint(["prompt", 0], FOG)}
    graph["keep"] = save_prompt(["decode", 0], "made")
    outcome = comfyui.run(graph)
    (file,) = saved(comfyui, outcome)
    assert set(texts(file)) == {"prompt"}
    (told,) = outcome.outputs["keep"]["text"]
    assert told.startswith("No prompt is known") and "node prompt (Img2Prompt_ImageToPrompt)" in told


@pytest.mark.parametrize("prefix", ["../outside", "/tmp/outside", "a/../../b"])
def test_nothing_is_saved_outside_of_the_output_folder(comfyui: ComfyServer, prefix: str) -> None:
    with pytest.raises(Rejected) as rejected:
        comfyui.run({**load("example.png"), "keep": save_prompt(["load0", 0], prefix)})
    (error,) = rejected.value.errors("keep")
    assert "leads out of ComfyUI's output folder" in error["details"]


def test_a_prefix_from_another_node_is_checked_too(comfyui: ComfyServer) -> None:
    graph: Graph = {
        **load("example.png"),
        "text": {"class_type": "PrimitiveString", "inputs": {"value": "../outside"}},
        "keep": {"class_type": SAVE, "inputs": {"images": ["load0", 0], "filename_prefix": ["text", 0]}},
    }
    assert "leads out of ComfyUI's output folder" in comfyui.run(graph).error


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The output folder of ComfyUI's code in this process."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path


def save_here(images: torch.Tensor, **inputs: Any) -> dict[str, Any]:
    """What Save Prompt shows, run in this process on a graph of its own; "keep" is its number."""
    from comfy_api.latest import io as comfy_io
    from img2prompt.nodes.save_prompt import SavePrompt

    hidden = {
        comfy_io.Hidden.prompt: painted(),
        comfy_io.Hidden.unique_id: "keep",
        comfy_io.Hidden.extra_pnginfo: {"workflow": {"nodes": []}},
    }
    node: Any = SavePrompt.PREPARE_CLASS_CLONE(hidden)
    return node.EXECUTE_NORMALIZED(images=images, filename_prefix="here", **inputs).ui


@pytest.mark.parametrize("disabled", [False, True])
def test_disable_metadata_is_respected(monkeypatch: pytest.MonkeyPatch, output: Path, disabled: bool) -> None:
    from comfy.cli_args import args

    monkeypatch.setattr(args, "disable_metadata", disabled)
    told = save_here(torch.rand(1, 8, 8, 3))
    (file,) = output.glob("*.png")
    assert set(texts(file)) == (set() if disabled else {"prompt", "workflow", "parameters"})
    assert ("--disable-metadata" in told["text"][0]) is disabled


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_every_kind_of_picture_is_saved(output: Path, channels: int, mode: str) -> None:
    save_here(torch.tensor([-0.2, 0.5, 1.2, 0.25])[:channels].expand(1, 4, 6, channels))
    with Image.open(next(output.glob("*.png"))) as picture:
        assert (picture.mode, picture.size) == (mode, (6, 4))
        assert np.asarray(picture).reshape(4, 6, channels)[0, 0].tolist() == [0, 127, 255, 63][:channels]


def test_a_workflow_that_cannot_be_followed_does_not_cost_the_picture(
    monkeypatch: pytest.MonkeyPatch, output: Path
) -> None:
    from img2prompt.prompts.recover import comfyui as tracing

    def fail(*_: object, **__: object) -> None:
        raise RecoverError("The graph is too large to be followed.")

    monkeypatch.setattr(tracing, "describe", fail)
    told = save_here(torch.rand(1, 8, 8, 3), prompt="a fox")
    assert told["text"][0].endswith("What the workflow says was not saved: The graph is too large to be followed.")
    assert recovered(next(output.glob("*.png"))).positive == "a fox"
