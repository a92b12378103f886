"""A story to read: its text, its style bible and its cast sheet, all plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from .keep import Keep
from .nameless import what_is
from .sentences import caption_sentences
from .slots import palette_names_of
from .story import Character, Story
from .syntax import clean

Told = TypeVar("Told", bound=BaseModel)


def readable(story: Story, minor: bool) -> Story:
    """The story with every text clean and on one line; with a child in it, without adult wording. For reading only:
    what is left may be shorter than a story's bounds allow."""
    keep = Keep.of((), minor)

    def text(words: str) -> str:
        plain = clean(words)
        return plain if keep.allows(plain) else " ".join(caption_sentences(plain, keep))

    def texts(several: list[str]) -> list[str]:
        return [told for told in map(text, several) if told]

    def telling(part: Told, *fields: str) -> Told:
        changed = {name: getattr(part, name) for name in fields}
        return part.model_copy(
            update={name: texts(told) if isinstance(told, list) else text(told) for name, told in changed.items()}
        )

    palette = [color for color in story.style.palette if keep.allows(clean(color.name))]
    parts = {
        "observations": [telling(one, "seen") for one in story.observations],
        "cast": [telling(one, "name", "identity", "default_outfit") for one in story.cast],
        "style": telling(story.style, "look", "avoid").model_copy(update={"palette": palette}),
        "beats": [telling(one, "title", "what_is_seen", "what_happens") for one in story.beats],
    }
    return telling(story, "logline", "genre", "ending").model_copy(update=parts)


def story_text(story: Story) -> str:
    """Logline, beats and ending, as paragraphs."""
    beats = [f"{number}. {beat.title}\n{beat.what_happens}".strip() for number, beat in enumerate(story.beats, 1)]
    return "\n\n".join(filter(None, [story.logline, *beats, story.ending]))


def style_bible(story: Story) -> str:
    """Lines such as `Medium: watercolor`; what is not told has no line."""
    look = story.style
    lines = {
        "Medium": "" if look.medium == "other" else look.medium,
        "Look": ", ".join(look.look),
        "Palette": ", ".join(palette_names_of(look.palette)),
        "Light": "" if look.light == "unknown" else look.light,
        "Avoid": ", ".join(look.avoid),
    }
    return "\n".join(f"{name}: {text}" for name, text in lines.items() if text)


def cast_sheet(story: Story) -> str:
    """A line for each character: `A Mara (young woman): red hair, green eyes; wears a raincoat; in pictures 1, 2`."""
    return "\n".join(map(_sheet, story.cast))


def notes(names: Sequence[str], budget: int) -> tuple[str, ...]:
    """What a user should know of characters of whom not all fits the budget."""
    if not names:
        return ()
    return (
        f"Within {budget} tokens not all is told of how {', '.join(names)} looks: the first words that were found, the "
        "same in every beat. A larger token budget holds more.",
    )


def _sheet(one: Character) -> str:
    worn = f"; wears {', '.join(one.default_outfit)}" if one.default_outfit else ""
    seen = (
        f"; in picture{'s' if len(one.seen_in) > 1 else ''} {', '.join(map(str, one.seen_in))}" if one.seen_in else ""
    )
    return f"{one.id} {one.name} ({what_is(one)}): {', '.join(one.identity)}{worn}{seen}".replace("  ", " ")
