"""Inputs that several nodes share: each name, default, bound and tooltip is written once."""

from __future__ import annotations

from typing import get_args

from ..prompts.catalogue import family_names
from ..prompts.options import LookAt
from .comfy import io

DEFAULT_FAMILY = "sdxl"
LOOK_AT = get_args(LookAt)
MAX_SEED = 0xFFFF_FFFF
"""Seeds are 32 bits, because not every OpenAI-compatible server takes more."""


def image() -> io.Image.Input:
    """One picture or a batch."""
    return io.Image.Input("image", tooltip="One picture or a batch. Every picture gets its own prompt.")


def family() -> io.Combo.Input:
    """Which model family the prompt is for."""
    return io.Combo.Input(
        "family",
        options=list(family_names()),
        default=DEFAULT_FAMILY,
        tooltip="The model family that will draw the prompt. Changing it does not ask the model again.",
    )


def look_at() -> io.Combo.Input:
    """Which aspects go into the prompt."""
    return io.Combo.Input(
        "look_at",
        options=list(LOOK_AT),
        default=LOOK_AT[0],
        tooltip="What of the picture goes into the prompt. 'style' leaves the subject out: put in your own.",
    )


def extra_instruction() -> io.String.Input:
    """Free text for the model."""
    return io.String.Input(
        "extra_instruction",
        default="",
        multiline=True,
        tooltip="Anything the model should pay attention to, in your own words. Empty: the usual description.",
    )


def prefix() -> io.String.Input:
    """Trigger words."""
    return io.String.Input(
        "prefix",
        default="",
        tooltip="Put first, exactly as written: trigger words of a LoRA, for instance. Counts towards the budget.",
    )


def leave_out() -> io.String.Input:
    """Words that must not be in the prompt."""
    return io.String.Input(
        "leave_out",
        default="",
        tooltip="Words or phrases, separated by commas, that must not appear in the prompt.",
    )


def token_budget() -> io.Int.Input:
    """The longest prompt, in tokens."""
    return io.Int.Input(
        "token_budget",
        default=0,
        min=0,
        max=2048,
        tooltip="The longest prompt, in tokens of the family's own text encoder. 0: what suits the family.",
    )


def seed() -> io.Int.Input:
    """Which of several possible descriptions."""
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=MAX_SEED,
        control_after_generate=True,
        tooltip="Another seed looks again; the same seed and inputs give the same prompt without asking the model.",
    )


def bad_family(name: str | None) -> str | None:
    """Why that is no family, or None. A linked input arrives as None: it is checked when it is there."""
    if name is None or name in family_names():
        return None
    return f"There is no model family {name!r}; choose one of {', '.join(family_names())}."


def bad_look_at(name: str | None) -> str | None:
    """Why that cannot be looked at, or None."""
    return None if name is None or name in LOOK_AT else f"Cannot look at {name!r}; choose one of {', '.join(LOOK_AT)}."
