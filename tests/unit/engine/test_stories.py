"""Several pictures in one request, through the whole engine to a server that looks at their pixels."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from img2prompt.engine.chat import prepare, to_payload
from img2prompt.engine.errors import BadAnswer, Contradiction, Refused
from img2prompt.prompts import story_request
from img2prompt.prompts.request import Request
from img2prompt.prompts.story import Story, story_type
from img2prompt.tests.seeing import COLORS, Sight, answer_for, draw
from img2prompt.tests.seeing_server import SeeingServer
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from img2prompt.engine import Engine

SIZES = {"red": (64, 48), "green": (48, 64), "blue": (96, 96)}
THREE = [draw(color, color, size) for color, size in SIZES.items()]
AGAIN = "choose another seed"


@pytest.mark.parametrize("order", list(permutations(SIZES)), ids="-".join)
def test_beats_are_in_the_order_of_the_pictures(order: tuple[str, ...], engine: Engine) -> None:
    pictures = [draw(color, color, SIZES[color]) for color in order]
    story = engine.ask(story_request(pictures))
    sights = [str(Sight(color, color, *SIZES[color])) for color in order]
    assert [(one.image, one.seen) for one in story.observations] == list(enumerate(sights, 1))
    assert [(beat.image, beat.what_is_seen) for beat in story.beats] == list(enumerate(sights, 1))
    assert [beat.tags[0] for beat in story.beats] == [f"{color} center" for color in order]
    assert story.cast[0].identity == [f"{order[0]} center"]


@pytest.mark.parametrize(("pictures", "beats"), [(2, 16), (3, 2), (16, 1), (16, 16), (5, 7)])
def test_any_number_of_beats(pictures: int, beats: int, engine: Engine) -> None:
    colors = [list(COLORS)[number % len(COLORS)] for number in range(pictures)]
    story = engine.ask(story_request([draw(color) for color in colors], beats=beats))
    assert [one.seen.split()[1] for one in story.observations] == colors
    assert len(story.beats) == beats
    assert [beat.what_is_seen.split()[1] for beat in story.beats] == [colors[beat.image - 1] for beat in story.beats]
    assert len({beat.image for beat in story.beats}) == min(pictures, beats)


def told(**changed: Any) -> str:
    """The server's answer to `story_request(THREE)`, with changes."""
    sights = [Sight(color, color, *size) for color, size in SIZES.items()]
    story = answer_for(story_type(3, 3).model_json_schema(), sights)
    Story.model_validate(story)
    return json.dumps(story | changed)


def backwards(part: str) -> dict[str, Any]:
    return {part: json.loads(told())[part][::-1]}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (backwards("beats"), r"the beats rest on the pictures 3, 2, 1, not on each in order"),
        (backwards("observations"), r"the observations are of the pictures 3, 2, 1"),
        ({"cast": []}, r"beat 1 has the character A, who is not in the cast"),
    ],
)
def test_a_contradiction_is_asked_again_once_with_another_seed(
    changed: dict[str, Any], says: str, server: SeeingServer, engine: Engine
) -> None:
    server.control.script = [{"content": told(**changed)}]
    assert [beat.image for beat in engine.ask(story_request(THREE, seed=5)).beats] == [1, 2, 3]
    first, second = server.counts.payloads
    assert (first.pop("seed"), second.pop("seed") in (5, 6)) == (5, False)
    assert first.pop("repetition_detection")
    assert first == second
    server.control.script = [{"content": told(**changed)}] * 2
    with pytest.raises(BadAnswer, match=rf"^The answer contradicts itself, twice \({says}.*\); {AGAIN}") as caught:
        engine.ask(story_request(THREE, seed=5))
    assert type(caught.value) is Contradiction
    assert server.counts.requests == 4


def test_a_contradiction_after_an_answer_that_did_not_end(server: SeeingServer, engine: Engine) -> None:
    server.control.script = [{"finish_reason": "length"}, {"content": told(**backwards("beats"))}]
    with pytest.raises(Contradiction, match="contradicts itself"):
        engine.ask(story_request(THREE))
    assert server.counts.requests == 2


@pytest.mark.parametrize("changed", [{"beats": []}, {"rating": "none"}, {"cast": None}])
def test_what_breaks_the_schema_is_not_asked_again(
    changed: dict[str, Any], server: SeeingServer, engine: Engine
) -> None:
    server.control.script = [{"content": told(**changed)}]
    with pytest.raises(BadAnswer, match="JSON but not Story") as caught:
        engine.ask(story_request(THREE))
    assert type(caught.value) is BadAnswer
    assert server.counts.requests == 1


def test_a_server_that_takes_fewer_pictures(server: SeeingServer, engine: Engine) -> None:
    server.control.most_pictures = 2
    with pytest.raises(Refused, match=r"takes at most 2 pictures in one request; use fewer.*--limit-mm-per-prompt"):
        engine.ask(story_request(THREE))


# The server is as strict as these tests need it to be


class Seen(BaseModel):
    caption: str = Field(max_length=200)


def posted(server: SeeingServer, payload: dict[str, Any]) -> int:
    """The status of the reply."""
    request = urllib.request.Request(
        f"{server.url}/chat/completions", json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_server_refuses_pictures_without_their_numbers_and_what_does_not_fit(server: SeeingServer) -> None:
    def payload(count: int) -> dict[str, Any]:
        chat = prepare(Request(tuple(THREE[:count]), "Look.", Seen), 1_048_576, None)
        return to_payload(chat, model="seeing-model", for_vllm=True)

    assert [posted(server, payload(count)) for count in (1, 2, 3)] == [200, 200, 200]
    for parts in (slice(1, None), slice(1, None, 2), slice(0, 3), [2, 1, 0, 3]):
        wrong = payload(2)
        content = wrong["messages"][1]["content"]
        shown, text = content[:-1], content[-1]
        kept = shown[parts] if isinstance(parts, slice) else [shown[index] for index in parts]
        wrong["messages"][1]["content"] = [*kept, text]
        assert posted(server, wrong) == 400
    assert posted(server, payload(3) | {"max_tokens": 8000}) == 400
    assert posted(server, payload(3) | {"max_tokens": 7700}) == 200
