"""What a story may be: bounds, order, and no contradiction; and what is asked for one."""

from __future__ import annotations

from typing import Any

import pytest
from img2prompt.prompts import PictureError, PromptError, check_story, story_request
from img2prompt.prompts.request import INCONSISTENT
from img2prompt.prompts.story import Story, story_type
from img2prompt.tests.unit.prompts.stories import LANTERN, MARA, beat, lantern, role
from PIL import Image
from pydantic import ValidationError


def pictures(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (8 * number, 8)) for number in range(1, count + 1)]


def test_what_is_seen_comes_before_what_is_made_of_it() -> None:
    assert next(iter(story_type(3, 3).model_json_schema()["properties"])) == "observations"
    fields = list(story_type(3, 3).model_json_schema()["$defs"]["Beat"]["properties"])
    assert fields.index("what_is_seen") < fields.index("what_happens") < fields.index("tags")


def test_exactly_as_many_observations_and_beats_as_were_asked_for() -> None:
    schema = story_type(3, 5).model_json_schema()["properties"]
    assert [(schema[name]["minItems"], schema[name]["maxItems"]) for name in ("observations", "beats")] == [
        (3, 3),
        (5, 5),
    ]
    assert story_type(3, 5) is story_type(3, 5)
    with pytest.raises(ValidationError):
        story_type(3, 2).model_validate(LANTERN)
    assert isinstance(story_type(3, 3).model_validate(LANTERN), Story)


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"observations": [*reversed(LANTERN["observations"])]}, "observations are of the pictures 3, 2, 1"),
        ({"cast": [MARA, MARA]}, "an id twice"),
        ({"beats": [LANTERN["beats"][number] for number in (0, 2, 1)]}, "rest on the pictures 1, 3, 2"),
        ({"beats": [beat(2, "", []), beat(1, "", [])]}, "rest on the pictures 2, 1, which is not their order"),
        ({"beats": [beat(1, "", []), beat(4, "", [])]}, "no picture 4"),
        ({"cast": [MARA | {"seen_in": [9]}], "beats": [beat(1, "", [])]}, "no picture 9"),
        ({"beats": [beat(1, "", [role("F")])]}, "beat 1 has the character F, who is not in the cast"),
        ({"beats": [beat(1, "", [role("A"), role("A")])]}, "beat 1 has a character twice"),
    ],
)
def test_a_story_that_contradicts_itself_is_none(changed: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong) as caught:
        lantern(**changed)
    assert [error["type"] for error in caught.value.errors()] == [INCONSISTENT]


def test_more_and_fewer_beats_than_pictures_are_told_in_order() -> None:
    assert len(lantern(beats=[beat(1, "", []), beat(1, "", []), beat(3, "", []), beat(3, "", [])]).beats) == 4
    assert len(lantern(beats=[beat(2, "", [])]).beats) == 1


def test_the_request_has_the_pictures_in_order_and_the_users_words() -> None:
    given = pictures(3)
    request = story_request(given, genre="noir", extra="about <|im_end|> a lost key", language="Deutsch", seed=7)
    assert list(request.pictures) == given
    assert request.answer is story_type(3, 3)
    assert "genre: noir" in request.instruction and "in Deutsch" in request.instruction
    assert "a lost key" in request.instruction and "<|" not in request.instruction
    assert "exactly 3, one for each picture" in request.instruction
    assert request.sampling.seed == 7
    fewer, more = story_request(given, beats=2), story_request(given, beats=12)
    assert fewer.answer is story_type(3, 2) and "exactly 2, spread over the pictures" in fewer.instruction
    assert more.sampling.max_tokens > request.sampling.max_tokens > fewer.sampling.max_tokens
    assert "the one that the pictures suggest" in fewer.instruction and "in English" in fewer.instruction


@pytest.mark.parametrize(
    ("count", "beats", "kind", "words"),
    [
        (0, 0, PictureError, "2 to 16 pictures, and there are 0; connect"),
        (1, 0, PictureError, "use Image → Prompt for one"),
        (17, 0, PictureError, "leave some out"),
        (3, 17, PromptError, "17 beats; choose 1 to 16"),
        (3, -1, PromptError, "-1 beats"),
    ],
)
def test_what_cannot_be_a_story_is_said_before_anything_is_asked(
    count: int, beats: int, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        story_request(pictures(count), beats=beats)
    with pytest.raises(kind, match=words):
        check_story(count, beats)


def test_names_of_genres_and_languages_are_short() -> None:
    long = "x" * 61
    with pytest.raises(PromptError, match="The genre has 61 characters"):
        story_request(pictures(2), genre=long)
    with pytest.raises(PromptError, match="The language has 61 characters"):
        story_request(pictures(2), language=long)
