"""What one look at several pictures finds: a story with a cast, a look, and beats that can each be drawn.

Bounded as the analysis of one picture is (see `analysis.py`). What is observed comes first, picture by picture, and in
each beat what is seen comes before what is made of it, so that the tale follows from the pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated, Literal, cast

from pydantic import Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from .analysis import Age, Angle, Color, Gender, Kind, Light, Medium, Part, Rating, Shot, Tag
from .options import MOST_BEATS, MOST_PICTURES
from .request import INCONSISTENT

MOST_IN_A_BEAT = 3
"""Characters in one beat: image models mix up more, and CLIP's 75 tokens must hold them all."""

CastId = Literal["A", "B", "C", "D", "E", "F"]
Time = Literal["dawn", "morning", "noon", "afternoon", "dusk", "evening", "night", "unknown"]
CameraMove = Literal[
    "static", "pan", "tilt", "push in", "pull out", "tracking", "orbit", "crane", "handheld",
]  # fmt: skip
Transition = Literal["cut", "match cut", "dissolve", "fade in", "fade out", "wipe", "time skip", "none"]
Number = Annotated[int, Field(ge=1, le=MOST_PICTURES)]
"""Which picture, from 1."""


class Observation(Part):
    """What is in one picture, before anything is made of it."""

    image: Number
    seen: Annotated[str, Field(max_length=200)]


class Character(Part):
    """Somebody, or something, that the story is about."""

    id: CastId
    name: Annotated[str, Field(max_length=40)]
    """For the text; it never gets into a prompt."""
    kind: Kind
    gender: Gender
    age: Age
    identity: Annotated[list[Tag], Field(min_length=1, max_length=8)]
    """What stays the same in every beat: hair, eyes, skin, build, species."""
    default_outfit: Annotated[list[Tag], Field(max_length=6)]
    seen_in: Annotated[list[Number], Field(max_length=MOST_PICTURES)]


class StyleBible(Part):
    """How every beat is drawn."""

    medium: Medium
    look: Annotated[list[Tag], Field(max_length=5)]
    """Technique, line, texture."""
    palette: Annotated[list[Color], Field(max_length=4)]
    light: Light
    avoid: Annotated[list[Tag], Field(max_length=5)]


class Role(Part):
    """A character in one beat."""

    id: CastId
    action: Tag
    expression: Annotated[str, Field(max_length=32)]
    outfit_change: Tag
    """What is worn instead of the default outfit; "" for that."""


class Beat(Part):
    """One moment of the story: one drawing."""

    image: Number
    """The picture that it rests on."""
    title: Annotated[str, Field(max_length=60)]
    what_is_seen: Annotated[str, Field(max_length=240)]
    what_happens: Annotated[str, Field(max_length=300)]
    cast: Annotated[list[Role], Field(max_length=MOST_IN_A_BEAT)]
    setting: Annotated[list[Tag], Field(max_length=5)]
    time: Time
    shot: Shot
    angle: Angle
    camera_move: CameraMove
    transition: Transition
    tags: Annotated[list[Tag], Field(max_length=10)]
    continuity: Annotated[list[Tag], Field(max_length=3)]
    """Things that must be there because another beat shows them."""


class Story(Part):
    """One look at several pictures together. `story_type` makes the bounds of a number of pictures and beats."""

    observations: Annotated[list[Observation], Field(min_length=1, max_length=MOST_PICTURES)]
    """One for each picture, in their order."""
    logline: Annotated[str, Field(max_length=240)]
    genre: Annotated[str, Field(max_length=40)]
    cast: Annotated[list[Character], Field(max_length=6)]
    style: StyleBible
    rating: Rating
    beats: Annotated[list[Beat], Field(min_length=1, max_length=MOST_BEATS)]
    ending: Annotated[str, Field(max_length=300)]

    @model_validator(mode="after")
    def _agrees(self) -> Story:
        for wrong in self._contradictions():
            raise PydanticCustomError(INCONSISTENT, "{wrong}", {"wrong": wrong})
        return self

    def _contradictions(self) -> Iterator[str]:
        """What the schema cannot hold: which pictures, which characters."""
        pictures = [one.image for one in self.observations]
        if pictures != list(range(1, len(pictures) + 1)):
            yield f"the observations are of the pictures {_listed(pictures)}, not of 1 to {len(pictures)} in order"
        ids = [one.id for one in self.cast]
        if len(set(ids)) != len(ids):
            yield f"the cast has an id twice ({_listed(ids)})"
        told = [beat.image for beat in self.beats]
        if len(told) == len(pictures) and told != pictures:
            yield f"the beats rest on the pictures {_listed(told)}, not on each in order"
        if told != sorted(told):
            yield f"the beats rest on the pictures {_listed(told)}, which is not their order"
        named = {*told, *(number for one in self.cast for number in one.seen_in)}
        if unknown := sorted(named - set(pictures)):
            yield f"there is no picture {_listed(unknown)}"
        for number, beat in enumerate(self.beats, 1):
            there = [role.id for role in beat.cast]
            if unknown_ids := sorted(set(there) - set(ids)):
                yield f"beat {number} has the character {_listed(unknown_ids)}, who is not in the cast"
            if len(set(there)) != len(there):
                yield f"beat {number} has a character twice ({_listed(there)})"


@cache
def story_type(pictures: int, beats: int) -> type[Story]:
    """The answer for so many pictures and beats: neither more nor fewer can be written."""
    exactly = {"observations": (Observation, pictures), "beats": (Beat, beats)}
    fields = {
        name: (Annotated[list[part], Field(min_length=count, max_length=count)], ...)  # type: ignore[valid-type]
        for name, (part, count) in exactly.items()
    }
    return cast("type[Story]", create_model("Story", __base__=Story, **fields))  # type: ignore[call-overload]


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
