"""From a story to the prompts of its beats, in which a character looks the same wherever it appears.

Light to import: what it takes is loaded on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import PromptError
from .options import RenderOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .families import Family
    from .story import Beat, Story
    from .story_prompts import Drawn


@dataclass(frozen=True, slots=True)
class Region:
    """One character of a beat by itself, for regional conditioning: CLIP mixes up two that stand in one prompt."""

    id: str
    name: str
    """To tell the regions apart; it is not in the prompt."""
    prompt: str
    """In ComfyUI's syntax: this character and the look of the story."""
    x: float
    """The left edge of its share of the picture; all four from 0 to 1."""
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One beat, ready to be drawn."""

    number: int
    """From 1."""
    image: int
    """The picture that it rests on, from 1."""
    title: str
    """Plain text, as the two below."""
    seen: str
    happens: str
    prompt: str
    """In ComfyUI's syntax; never empty."""
    negative: str
    """In ComfyUI's syntax; "" where the family takes none."""
    camera: str
    """Shot, angle, movement and transition in a few words: "close-up, push in, then dissolve"."""
    regions: tuple[Region, ...]
    """One for each character that is there, from left to right."""
    tokens: int
    budget: int


@dataclass(frozen=True, slots=True)
class Storyboard:
    """A story for one model family. All texts but the prompts are plain, to be read."""

    logline: str
    genre: str
    ending: str
    panels: tuple[Panel, ...]
    observations: tuple[str, ...]
    """What is in each picture, in order."""
    text: str
    """The whole story to read: logline, beats, ending."""
    style_bible: str
    """How every beat is drawn, one aspect a line."""
    cast_sheet: str
    """Who is in it and how they look, one character a line."""
    notes: tuple[str, ...]
    """What the budget did not hold, in sentences; usually empty."""


_DEFAULTS = RenderOptions()
LEAST_PER_CHARACTER, LEAST_LOOK = 10, 8
"""Tokens that a character and the look need at least."""


def check_story_options(family: str | Family, options: RenderOptions = _DEFAULTS) -> None:
    """Find out before any picture is looked at whether a story can be told with these options and that family.

    Raises UnknownFamily, FamilyFileError, or PromptError: as `RenderOptions.check`, and where the budget has no room
    for the characters of a beat.
    """
    from .families import load_family
    from .frame import Frame
    from .story import MOST_IN_A_BEAT

    if options.look_at != "everything":
        raise PromptError("A story is told of everything in its pictures; set look at to everything.")
    frame = Frame.of(load_family(family), options)
    needed = frame.count("") + MOST_IN_A_BEAT * LEAST_PER_CHARACTER + LEAST_LOOK
    if needed > frame.budget:
        raise PromptError(
            f"A story needs {needed} tokens, so that {MOST_IN_A_BEAT} characters look the same in every beat, and the "
            f"budget is {frame.budget}; raise the token budget or shorten the prefix."
        )


def render_story(story: Story, family: str | Family, options: RenderOptions = _DEFAULTS) -> Storyboard:
    """The prompts of all beats. The words of a character's identity and outfit, and of the story's look, are the same
    in every beat.

    A child or teenager in the story makes all of it fit for all ages. Raises as `check_story_options`, and PromptError
    where a beat says nothing that could be drawn, or its characters do not fit the budget even in few words.
    """
    from .families import load_family
    from .nameless import what_is
    from .story_prompts import StoryPrompts
    from .story_text import cast_sheet, notes, readable, story_text, style_bible

    family = load_family(family)
    check_story_options(family, options)
    prompts = StoryPrompts.of(story, family, options)
    told = readable(story, prompts.minor)
    names: dict[str, str] = {one.id: one.name for one in told.cast}
    panels = tuple(
        Panel(
            number=number,
            image=beat.image,
            title=beat.title,
            seen=beat.what_is_seen,
            happens=beat.what_happens,
            camera=_camera(beat),
            prompt=drawn.positive,
            negative=drawn.negative,
            regions=_regions(drawn, names),
            tokens=drawn.tokens,
            budget=prompts.frame.budget,
        )
        for number, (beat, drawn) in enumerate(zip(told.beats, prompts.beats(), strict=True), 1)
    )
    return Storyboard(
        logline=told.logline,
        genre=told.genre,
        ending=told.ending,
        panels=panels,
        observations=tuple(one.seen for one in told.observations),
        text=story_text(told),
        style_bible=style_bible(told),
        cast_sheet=cast_sheet(told),
        notes=notes([names[one.id] or what_is(one) for one in prompts.shortened()], prompts.frame.budget),
    )


def _camera(beat: Beat) -> str:
    """How the beat is filmed, in a few words."""
    said = [beat.shot, beat.angle, "" if beat.camera_move == "static" else beat.camera_move]
    said += [] if beat.transition in ("none", "cut") else [f"then {beat.transition}"]
    return ", ".join(word for word in said if word and word not in ("not applicable", "eye level"))


def _regions(drawn: Drawn, names: Mapping[str, str]) -> tuple[Region, ...]:
    """The characters side by side, each with an equal share of the picture's width."""
    share = 1 / max(1, len(drawn.alone))
    return tuple(
        Region(one.id, names[one.id], prompt, x=at * share, y=0.0, width=share, height=1.0)
        for at, (one, prompt) in enumerate(drawn.alone)
    )
