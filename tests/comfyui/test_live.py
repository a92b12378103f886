"""Live text: the model's words reach the browser that queued the run while they are written, and nobody else."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

import pytest
from img2prompt.nodes import comfy
from img2prompt.nodes import live as live_text
from img2prompt.nodes.live import EVENT, EVERY_S, LiveText
from img2prompt.tests.comfyui.graphs import describe, rebatched, story
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import COLORS, draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.waiting import until


class Clock:
    """A clock that stands until a test moves it."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Browser:
    """A browser that may be connected, and what it is told, when."""

    def __init__(self, clock: Clock) -> None:
        self.client: str | None = "a browser"
        self.told: list[dict[str, Any]] = []
        self.times_s: list[float] = []
        self._clock = clock

    def tell(self, client: str, event: str, data: dict[str, Any]) -> None:
        assert (client, event) == (self.client, EVENT)
        self.told.append(data)
        self.times_s.append(self._clock.now_s)

    def texts(self) -> list[str]:
        return [told["fields"][0][1] for told in self.told]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def browser(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = Browser(clock)
    monkeypatch.setattr(comfy, "listener", lambda: browser.client)
    monkeypatch.setattr(comfy, "tell", browser.tell)
    monkeypatch.setattr(live_text, "_seats", WeakValueDictionary())
    return browser


def test_it_is_told_at_most_eight_times_a_second(clock: Clock, browser: Browser) -> None:
    with LiveText("7", 1, clock) as live:
        watch = live.watch(0)
        assert watch.asked()
        watch.wrote('{"caption": "A')
        for millisecond in range(3000):
            clock.now_s += 0.001
            if millisecond % 50 == 0:
                watch.wrote(" cat")
            live.send()
    assert 20 < len(browser.told) <= 3 * 8
    between_s = [later - before for before, later in zip(browser.times_s, browser.times_s[1:], strict=False)]
    assert min(between_s) >= EVERY_S - 1e-9
    assert browser.texts()[0] == "A cat" and browser.texts()[-1].endswith("cat cat")


def test_words_that_show_nothing_new_are_not_told(clock: Clock, browser: Browser) -> None:
    with LiveText("7", 1, clock) as live:
        watch = live.watch(0)
        assert watch.asked()
        for words in ('{"caption": "A cat"', ', "light": "unkn', 'own", "lens": "unknown"', ', "medium": "collage"'):
            clock.now_s += 1
            watch.wrote(words)
            live.send()
    assert [told["fields"] for told in browser.told] == [
        [("caption", "A cat")],
        [("caption", "A cat"), ("medium", "collage")],
    ]


def test_what_has_not_changed_is_not_told_again(clock: Clock, browser: Browser) -> None:
    with LiveText("7", 3, clock) as live:
        watch = live.watch(1)
        watch.asked()
        live.send()
        watch.wrote('{"light_direction": "rim')
        for _ in range(5):
            clock.now_s += 1
            live.send()
        assert browser.told == [{"node": "7", "picture": 2, "of": 3, "done": 0, "fields": [("light direction", "rim")]}]
        live.answered(0)  # from the disk
        for _ in range(5):
            clock.now_s += 1
            live.send()
        assert [told["done"] for told in browser.told] == [0, 1]


def test_one_picture_at_a_time_is_watched(clock: Clock, browser: Browser) -> None:
    with LiveText("7", 4, clock) as live:
        first, second, third = (live.watch(index) for index in (2, 0, 1))
        assert [first.asked(), second.asked()] == [True, False]
        second.wrote('{"caption": "never told"')
        first.wrote('{"caption": "the third"')
        live.send()
        live.answered(2)
        assert third.asked() and not second.asked()
        first.wrote(" and more")
        third.wrote('{"caption": "the second"')
        clock.now_s += 1
        live.send()
    assert [(told["picture"], told["fields"][0][1]) for told in browser.told] == [(3, "the third"), (2, "the second")]


def test_an_answer_that_is_asked_for_again_begins_anew(clock: Clock, browser: Browser) -> None:
    with LiveText("7", 1, clock) as live:
        watch = live.watch(0)
        for caption in ("the first try", "the other"):
            clock.now_s += 2
            assert watch.asked()
            watch.wrote(f'{{"caption": "{caption}')
            live.send()
        clock.now_s += 3
        live.answered(0)
        assert live.seconds(0) == 5, "both tries count"
    assert browser.texts() == ["the first try", "the other"]


def test_calls_of_one_node_share_its_place_and_its_rate(clock: Clock, browser: Browser) -> None:
    with LiveText("7", 1, clock) as one, LiveText("7", 1, clock) as other, LiveText("8", 1, clock) as elsewhere:
        assert [live.watch(0).asked() for live in (one, other, elsewhere)] == [True, False, True]
        one.watch(0).wrote('{"a": "b')
        one.send()
        one.answered(0)
        assert other.watch(0).asked()
        other.watch(0).wrote('{"a": "c')
        other.send()
        assert browser.texts() == ["b"], "not so soon after the other"
        clock.now_s += EVERY_S
        other.send()
        assert browser.texts() == ["b", "c"]


def test_a_run_that_failed_leaves_the_place_free(clock: Clock, browser: Browser) -> None:
    with pytest.raises(ValueError, match="failed"), LiveText("7", 1, clock) as live:
        assert live.watch(0).asked()
        raise ValueError("failed")
    assert not live.watch(0).asked(), "it is over"
    with LiveText("7", 1, clock) as again:
        assert again.watch(0).asked()


def test_without_a_browser_nothing_is_watched(clock: Clock, browser: Browser) -> None:
    browser.client = None
    with LiveText("7", 1, clock) as live:
        assert not live.watch(0).asked()
        live.watch(0).wrote('{"a": "b')
        live.send()
        clock.now_s += 1.5
        live.answered(0)
        assert live.seconds(0) == 1.5, "but timed"
        assert live.seconds(1) is None
    assert browser.told == []


# In a real ComfyUI


@pytest.fixture
def pictures(comfyui: ComfyServer) -> list[str]:
    """Eight pictures."""
    return [comfyui.upload_image(f"live-{color}.png", draw(color)) for color in list(COLORS)[:8]]


def test_words_come_while_they_are_written_and_only_to_who_asked(
    comfyui: ComfyServer, endpoint: SeeingServer, pictures
) -> None:
    endpoint.control.pause_after = 6
    graph = describe(pictures[0], seed=71)
    graph["7:3"] = graph.pop("prompt")  # as in a subgraph
    with comfyui.events() as events, comfyui.events() as others:
        prompt_id = comfyui.submit(graph, events.client_id)
        told = events.wait_for(EVENT, lambda data: "border" not in data["fields"][0][1]).data
        assert told == {**told, "node": "7:3", "picture": 1, "of": 1, "done": 0}
        assert [label for label, _ in told["fields"]] == ["caption"] and told["fields"][0][1].startswith("a black")
        assert comfyui.queue()[0] == [prompt_id], "it still runs"
        endpoint.control.pause_after = -1
        executed = events.wait_for("executed", lambda data: data["node"] == "7:3").data
        (shown,) = executed["output"]["shown"]
        assert "black center on a white border" in dict(shown["more"])["caption"]
        assert events.all()[-1].type != EVENT
        assert others.all(EVENT) == []


@pytest.mark.parametrize("client", ["", "a browser that has gone"])
def test_without_a_browser_no_answer_is_streamed(
    comfyui: ComfyServer, endpoint: SeeingServer, pictures, client: str
) -> None:
    outcome = comfyui.wait(comfyui.submit(describe(pictures[0], seed=72, prefix=client), client))
    assert outcome.status == "success", outcome.error
    assert (endpoint.counts.requests, endpoint.counts.streamed) == (1, 0)


@pytest.mark.parametrize("as_list", [False, True], ids=["batch", "list"])
def test_of_a_batch_one_picture_is_streamed_at_a_time(
    comfyui: ComfyServer, endpoint: SeeingServer, pictures, as_list: bool
) -> None:
    endpoint.control.pause_after = 6
    graph = describe(*pictures, seed=73)
    if as_list:
        graph["split"] = rebatched(graph["prompt"]["inputs"]["image"], 1)
        graph["prompt"]["inputs"]["image"] = ["split", 0]
    with comfyui.events() as events:
        comfyui.submit(graph, events.client_id)
        until(lambda: endpoint.counts.answered == 7)
        events.wait_for(EVENT, lambda data: (data["done"], data["of"]) == (7, 8))
        assert endpoint.counts.streamed == 1
        endpoint.control.pause_after = -1
        executed = events.wait_for("executed", lambda data: data["node"] == "prompt").data["output"]
        assert len({told.data["picture"] for told in events.all(EVENT)}) == 1
    assert [color in text for color, text in zip(COLORS, executed["text"], strict=False)] == [True] * 8
    assert all(shown["seconds"] >= 0 and not shown["cached"] for shown in executed["shown"])


def test_a_story_and_a_text_are_live_too(comfyui: ComfyServer, endpoint: SeeingServer, pictures) -> None:
    endpoint.control.pause_after = 8
    graph = describe(*pictures[:2])
    link = graph.pop("prompt")["inputs"]["image"]
    inputs = {"preset": "detailed-caption", "language": "English", "extra_instruction": "", "seed": 74}
    graph["story"] = story(images=link, seed=74)
    graph["text"] = {"class_type": "Img2Prompt_ImageToText", "inputs": {"image": link, **inputs}}
    with comfyui.events() as events:
        comfyui.submit(graph, events.client_id)
        told = events.wait_for(EVENT, lambda data: data["node"] == "story").data
        assert told["of"] == 1 and told["fields"][0][0] == "observations"
        assert events.wait_for(EVENT, lambda data: data["node"] == "text").data["fields"][0][0] == "text"
        endpoint.control.pause_after = -1
        events.wait_for("execution_success")
    assert endpoint.counts.streamed == 2
