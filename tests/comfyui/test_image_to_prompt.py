"""Image → Prompt in a real ComfyUI: what it sees, in which order, what it asks, and how it fails and stops."""

from __future__ import annotations

import json
import re
from itertools import cycle, islice
from typing import Any

import pytest
from img2prompt.prompts import ImageAnalysis
from img2prompt.tests.comfyui.graphs import describe, image_to_prompt, redraw, shown
from img2prompt.tests.comfyui.server import ComfyServer, Outcome, Rejected
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.waiting import until
from PIL import Image, ImageChops

COLORS = ("red", "green", "blue", "yellow", "purple", "orange", "black")
PROMPT, NEGATIVE, ART_STYLE, CAPTION, ANALYSIS = range(5)


@pytest.fixture
def upload(comfyui: ComfyServer):
    """Draws a picture with that colour in the middle and uploads it; its name in the input folder."""

    def draw_and_upload(color: str, size: tuple[int, int] = (64, 48)) -> str:
        return comfyui.upload_image(f"{color}-{size[0]}x{size[1]}.png", draw(color, size=size))

    return draw_and_upload


def prompts(outcome: Outcome) -> list[str]:
    assert outcome.status == "success", outcome.error
    return outcome.outputs["prompt"]["text"]


def test_a_picture_becomes_a_prompt_that_decides_what_is_drawn(comfyui: ComfyServer, endpoint, upload) -> None:
    drawn = {}
    for color in ("red", "blue"):
        outcome = comfyui.run(redraw(upload(color)))
        (text,) = prompts(outcome)
        assert f"{color} center" in text and "white border" in text
        drawn[color] = comfyui.image(outcome, "save").convert("RGB")
    assert ImageChops.difference(drawn["red"], drawn["blue"]).getbbox()


def test_every_output_of_one_picture(comfyui: ComfyServer, endpoint, upload) -> None:
    graph = describe(upload("green"))
    graph |= {f"show{i}": shown("prompt", i) for i in range(5)}
    outcome = comfyui.run(graph)
    texts = [outcome.outputs[f"show{i}"]["text"][0] for i in range(5)]
    assert [texts[PROMPT]] == prompts(outcome)
    assert "blurry" in texts[NEGATIVE]
    assert "green" in texts[ART_STYLE]
    assert "green center on a white border" in texts[CAPTION]
    assert ImageAnalysis.model_validate_json(texts[ANALYSIS]).palette[0].name == "green"


def test_a_batch_is_asked_all_at_once_and_answered_in_order(comfyui: ComfyServer, endpoint: SeeingServer, upload):
    # the first picture is answered last
    endpoint.control.script = [{"delay_s": 0.7 - 0.1 * i} for i in range(len(COLORS))]
    outcome = comfyui.run(describe(*map(upload, COLORS)))
    assert [next(c for c in COLORS if f"{c} center" in text) for text in prompts(outcome)] == list(COLORS)
    assert endpoint.counts.max_in_flight == len(COLORS)


def test_no_more_than_sixteen_wait_at_one_time(comfyui: ComfyServer, endpoint: SeeingServer, upload) -> None:
    endpoint.control.delay_s = 0.3
    files = list(islice(cycle(map(upload, COLORS)), 20))
    assert len(prompts(comfyui.run(describe(*files)))) == 20
    assert endpoint.counts.max_in_flight == 16


def test_a_list_of_pictures_of_several_sizes(comfyui: ComfyServer, endpoint: SeeingServer, upload) -> None:
    graph = describe(upload("red"), upload("green"), upload("blue"))
    # a list of batches of one: ComfyUI calls the node once for each
    graph["split"] = {
        "class_type": "RebatchImages",
        "inputs": {"images": graph["prompt"]["inputs"]["image"], "batch_size": 1},
    }
    graph["prompt"] = image_to_prompt(["split", 0])
    found = prompts(comfyui.run(graph))
    assert [color in text for color, text in zip(("red", "green", "blue"), found, strict=True)] == [True] * 3


def test_the_progress_bar_counts_pictures(comfyui: ComfyServer, endpoint: SeeingServer, upload) -> None:
    endpoint.control.script = [{"delay_s": 0.3 * i} for i in range(3)]
    with comfyui.events() as events:
        prompt_id = comfyui.submit(describe(*map(upload, COLORS[:3])), events.client_id)
        events.wait_for("execution_success", lambda data: data["prompt_id"] == prompt_id)
        states = [event.data["nodes"].get("prompt") for event in events.all("progress_state")]
    seen = [(state["value"], state["max"]) for state in states if state and state["max"] == 3]
    assert [state for state in dict.fromkeys(seen) if state[0] > 0] == [(1, 3), (2, 3), (3, 3)]


def test_the_same_again_asks_nobody_and_another_seed_does(comfyui: ComfyServer, endpoint, upload) -> None:
    graph = describe(upload("cyan"), seed=7)
    first = comfyui.run(graph)
    assert endpoint.counts.requests == 1
    again = comfyui.run(graph)
    assert endpoint.counts.requests == 1
    assert "prompt" in again.cached
    assert prompts(again) == prompts(first)  # what the node shows, it shows again
    prompts(comfyui.run(describe(upload("cyan"), seed=8)))
    assert [payload["seed"] for payload in endpoint.counts.payloads] == [7, 8]


def test_alpha_is_seen_on_white(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    comfyui.upload_image("clear.png", Image.new("RGBA", (64, 48), (255, 0, 0, 0)))
    graph = describe("clear.png")
    # LoadImage takes the alpha off; this puts it back
    graph["join"] = {"class_type": "JoinImageWithAlpha", "inputs": {"image": ["load0", 0], "alpha": ["load0", 1]}}
    graph["prompt"] = image_to_prompt(["join", 0])
    (text,) = prompts(comfyui.run(graph))
    assert "white center" in text


def test_a_large_picture_is_sent_within_a_megapixel(comfyui: ComfyServer, endpoint: SeeingServer, upload) -> None:
    prompts(comfyui.run(describe(upload("navy", (2400, 1200)))))
    (seen,) = [part["image_url"]["url"] for part in endpoint.counts.payloads[0]["messages"][1]["content"][:-1]]
    width, height = map(int, seen.rsplit(", ", 1)[1].split("x"))
    assert width * height <= 1_048_576 < (width + 2) * (height + 2)
    assert width == pytest.approx(2 * height, abs=2)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ([{"finish_reason": "length"}] * 2, "longest length"),
        ([{"content": "I see a cat."}], "JSON"),
        ([{"no_vision": True}], "pictures"),
        ([{"status": 401}], "key"),
        ([{"status": 500, "body": "<html>oops</html>"}], "500"),
    ],
)
def test_a_failed_answer_is_an_error_and_never_a_prompt(
    comfyui: ComfyServer, endpoint: SeeingServer, upload, script: list[dict[str, Any]], cause: str
) -> None:
    endpoint.control.script = script
    graph = redraw(upload("pink"), prefix=cause)  # another graph for each row: ComfyUI remembers
    outcome = comfyui.run(graph)
    assert cause in outcome.error
    assert not outcome.outputs, "nothing may reach a text encoder"
    # nothing is stuck: the next run works
    assert "pink" in prompts(comfyui.run(graph))[0]


def test_one_bad_picture_of_a_batch_is_named(comfyui: ComfyServer, endpoint: SeeingServer, upload) -> None:
    endpoint.control.script = [{}, {"content": "no", "delay_s": 0.2}]
    outcome = comfyui.run(describe(*map(upload, COLORS[:3]), seed=5))
    assert re.match("Picture [123] of 3: The answer is not JSON", outcome.error)  # whichever was asked second


def test_cancel_stops_at_once_and_frees_the_server(comfyui: ComfyServer, endpoint: SeeingServer, upload) -> None:
    endpoint.control.delay_s = 60
    with comfyui.events() as events:
        prompt_id = comfyui.submit(describe(*map(upload, COLORS), seed=9), events.client_id)
        until(lambda: endpoint.counts.in_flight == len(COLORS))
        comfyui.interrupt(prompt_id)
        events.wait_for("execution_interrupted", timeout_s=30)
    assert comfyui.wait(prompt_id).interrupted
    until(lambda: endpoint.counts.in_flight == 0)
    assert endpoint.counts.cancelled == len(COLORS)
    endpoint.control.delay_s = 0
    assert len(prompts(comfyui.run(describe(upload("red"), seed=10)))) == 1


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ({"family": "sd9"}, "custom_validation_failed"),
        ({"token_budget": -1}, "value_smaller_than_min"),
        ({"seed": 2**32}, "value_bigger_than_max"),
    ],
)
def test_inputs_that_cannot_be_are_refused_before_anything_runs(
    comfyui: ComfyServer, endpoint, upload, inputs: dict[str, Any], kind: str
) -> None:
    with pytest.raises(Rejected) as rejected:
        comfyui.run(describe(upload("red"), **inputs))
    assert [error["type"] for error in rejected.value.errors("prompt")] == [kind], "told once"
    assert endpoint.counts.requests == 0


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"prefix": "(unbalanced"}, "prefix"),
        ({"look_at": "the moon"}, "choose one of everything, subject"),
        ({"emphasis": "all"}, "choose one of none, subject, style"),
        ({"unknown_tags": "burn"}, "choose one of keep, drop"),
    ],
)
def test_options_that_cannot_be_fail_before_the_model_is_asked(
    comfyui: ComfyServer, endpoint, upload, inputs: dict[str, Any], says: str
) -> None:
    outcome = comfyui.run(describe(upload("red"), **inputs, seed=11))
    assert says in outcome.error
    assert endpoint.counts.requests == 0


def test_a_picture_that_shows_nothing_of_it_is_named(comfyui: ComfyServer, endpoint, upload) -> None:
    # the endpoint sees colours and no subjects
    outcome = comfyui.run(describe(upload("red"), upload("blue"), look_at="subject"))
    assert outcome.error.startswith("Picture 1 of 2: ") and "subject" in outcome.error
    assert not outcome.outputs


def test_the_key_comes_from_the_settings_file_and_goes_nowhere_else(
    comfyui: ComfyServer, endpoint: SeeingServer, upload
) -> None:
    key = "sk-very-secret-7f3a"
    settings = comfyui.settings_file
    endpoint.control.api_key = key
    refused = comfyui.run(redraw(upload("brown"), seed=12))
    assert "key" in refused.error
    settings.write_text(f'api_key = "{key}"\n')
    try:
        outcome = comfyui.run(redraw(upload("brown"), seed=12))
        assert "brown" in prompts(outcome)[0]
        saved = comfyui.image(outcome, "save")
        everywhere = [
            comfyui.log(),
            json.dumps(comfyui.get("/history")),
            str(getattr(saved, "text", "")),
            refused.error,
        ]
        assert not [text for text in everywhere if key in text]
        assert "brown" in str(getattr(saved, "text", "")) or "prompt" in saved.info
    finally:
        settings.unlink()


def test_no_engine_is_an_error_that_says_what_to_set(start_comfyui) -> None:
    server = start_comfyui({})
    server.upload_image("any.png", draw())
    assert "IMG2PROMPT_ENDPOINT" in server.run(describe("any.png")).error
    server.settings_file.write_text('engine = "sketch"\n')
    (text,) = prompts(server.run(describe("any.png")))  # by name it may be chosen, and ComfyUI's cache notices
    assert "red" in text and "person" not in text
    server.stop()
