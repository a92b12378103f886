"""Image → Text in a real ComfyUI: whose text it is, what is asked, when it asks again, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from img2prompt.tests.comfyui.graphs import describe, shown
from img2prompt.tests.comfyui.server import ComfyServer, Graph, Outcome, Rejected
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

NODE = "Img2Prompt_ImageToText"
COLORS = ("red", "green", "blue")
DEFAULTS = {"preset": "detailed-caption", "language": "English", "extra_instruction": "", "seed": 0}


@pytest.fixture
def pictures(comfyui: ComfyServer) -> list[str]:
    """Drawn pictures in the input folder, in the order of COLORS."""
    return [comfyui.upload_image(f"text-{color}.png", draw(color)) for color in COLORS]


@pytest.fixture
def mine(comfyui: ComfyServer) -> Iterator[Path]:
    """The user's own folder of presets, empty."""
    folder = comfyui.base / "presets"
    folder.mkdir()
    yield folder
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def write(*files: str, **inputs: Any) -> Graph:
    """The pictures as one batch into our node, which is number "text"."""
    graph = describe(*files)
    image = graph.pop("prompt")["inputs"]["image"]
    return graph | {"text": {"class_type": NODE, "inputs": {"image": image, **DEFAULTS, **inputs}}}


def texts(outcome: Outcome) -> list[str]:
    assert outcome.status == "success", outcome.error
    return outcome.outputs["text"]["text"]


def instructions(endpoint: SeeingServer) -> list[str]:
    """What the model was told, request by request."""
    return [payload["messages"][1]["content"][-1]["text"] for payload in endpoint.counts.payloads]


def listed(comfyui: ComfyServer) -> list[str]:
    """The presets in the node's list, as the front end gets them at a refresh."""
    kind, options = comfyui.get(f"/object_info/{NODE}")[NODE]["input"]["required"]["preset"]
    return options["options"] if kind == "COMBO" else kind


def test_each_picture_of_a_batch_gets_its_own_text(comfyui: ComfyServer, endpoint: SeeingServer, pictures) -> None:
    # the first picture is answered last
    endpoint.control.script = [{"delay_s": 0.3 - 0.1 * i} for i in range(3)]
    outcome = comfyui.run(write(*pictures) | {"show": shown("text", 0)})
    expected = [f"a {color} center on a white border, 64x48" for color in COLORS]
    assert texts(outcome) == expected  # what the node shows
    assert json.dumps(outcome.outputs["show"]).count("center on a white border") >= 1
    assert endpoint.counts.max_in_flight == 3


def test_preset_language_and_wish_reach_the_model(comfyui: ComfyServer, endpoint: SeeingServer, pictures) -> None:
    inputs = {"preset": "social-post", "language": "中文", "extra_instruction": "Mention the $5 hat.", "seed": 41}
    texts(comfyui.run(write(pictures[0], **inputs)))
    (told,) = instructions(endpoint)
    assert "first person" in told and told.count("中文") == told.count("Mention the $5 hat.") == 1
    (payload,) = endpoint.counts.payloads
    assert (payload["seed"], payload["temperature"]) == (41, 0.7)


def test_lines_and_emoji_arrive(comfyui: ComfyServer, endpoint: SeeingServer, pictures) -> None:
    written = "What a red! ❤️\n\n#red #white"
    endpoint.control.script = [{"content": json.dumps({"text": written})}]
    assert texts(comfyui.run(write(pictures[0], seed=42))) == [written]


def test_a_preset_of_ones_own_is_listed_at_the_next_refresh(comfyui: ComfyServer, endpoint, pictures, mine) -> None:
    assert "alt-text" in listed(comfyui) and "haiku" not in listed(comfyui)
    (mine / "haiku.md").write_text("Write a haiku.", encoding="utf-8")
    assert "haiku" in listed(comfyui)
    texts(comfyui.run(write(pictures[0], preset="haiku", language="Deutsch")))
    assert instructions(endpoint)[0].startswith("Write a haiku.\n\nWrite in Deutsch.\n\n")


def test_the_same_again_asks_nobody_and_an_edited_preset_does(
    comfyui: ComfyServer, endpoint: SeeingServer, pictures, mine: Path
) -> None:
    (mine / "ode.md").write_text("Write an ode.", encoding="utf-8")
    graph = write(pictures[1], preset="ode")
    first = texts(comfyui.run(graph))
    again = comfyui.run(graph)
    assert "text" in again.cached and texts(again) == first
    (mine / "ode.md").write_text("Write a longer ode.", encoding="utf-8")
    assert "text" not in comfyui.run(graph).cached
    assert [told.partition(".")[0] for told in instructions(endpoint)] == ["Write an ode", "Write a longer ode"]


def test_other_settings_ask_again(comfyui: ComfyServer, endpoint: SeeingServer, pictures) -> None:
    graph = write(pictures[2], seed=43)
    texts(comfyui.run(graph))
    comfyui.settings_file.write_text("max_pixels = 65536\n")
    try:
        assert "text" not in comfyui.run(graph).cached
    finally:
        comfyui.settings_file.unlink()


def test_a_broken_preset_fails_before_the_model_is_asked(comfyui, endpoint: SeeingServer, pictures, mine: Path) -> None:
    (mine / "broken.md").write_text("About $subject.", encoding="utf-8")
    assert "broken" in listed(comfyui)
    outcome = comfyui.run(write(*pictures, preset="broken"))
    assert outcome.error == (
        f"The preset {mine / 'broken.md'} has the placeholder $subject, which nothing fills; "
        "use $extra, $language, or write '$$' for a dollar."
    )
    assert not outcome.outputs and endpoint.counts.requests == 0


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ({"preset": "poem"}, "custom_validation_failed"),
        ({"preset": "../system"}, "custom_validation_failed"),
        ({"seed": 2**32}, "value_bigger_than_max"),
    ],
)
def test_inputs_that_cannot_be_are_refused_before_anything_runs(
    comfyui: ComfyServer, endpoint: SeeingServer, pictures, inputs: dict[str, Any], kind: str
) -> None:
    with pytest.raises(Rejected) as rejected:
        comfyui.run(write(pictures[0], **inputs))
    assert kind in [error["type"] for error in rejected.value.errors("text")]
    assert endpoint.counts.requests == 0


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ([{"content": '{"text": " "}'}], "Picture 1 of 1: The model wrote no text about this picture"),
        ([{"finish_reason": "length"}] * 2, "longest length"),
        ([{"content": "I see a cat."}], "JSON"),
    ],
)
def test_a_failed_answer_is_an_error_and_never_a_text(
    comfyui: ComfyServer, endpoint: SeeingServer, pictures, script: list[dict[str, Any]], cause: str
) -> None:
    endpoint.control.script = script
    graph = write(pictures[0], extra_instruction=cause)  # another graph for each row: ComfyUI remembers
    graph["show"] = shown("text", 0)
    outcome = comfyui.run(graph)
    assert cause in outcome.error
    assert not outcome.outputs
    assert "red" in texts(comfyui.run(graph))[0]  # nothing is stuck
