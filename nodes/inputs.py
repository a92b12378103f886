"""Inputs that several nodes share: each name, default, bound and tooltip is written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_args

from ..prompts.catalogue import family_names, family_version, vocabulary_files
from ..prompts.errors import PromptError
from ..prompts.options import Emphasis, LookAt, UnknownTags
from ..prompts.presets import DEFAULT_LANGUAGE, DEFAULT_TEXT_PRESET, text_preset_names
from .comfy import io

DEFAULT_FAMILY = "sdxl"
LOOK_AT = get_args(LookAt)
EMPHASIS = get_args(Emphasis)
UNKNOWN_TAGS = get_args(UnknownTags)
ENGINE = io.Custom("IMG2PROMPT_ENGINE")
"""What Prompt Engine gives: a `ChosenEngine`."""
AUTOGROW: Any = getattr(io, "Autogrow", None)
"""ComfyUI's own inputs that come and go with their links. 0.3.75 has none."""
MAX_SEED = 0xFFFF_FFFF
"""Seeds are 32 bits, because not every OpenAI-compatible server takes more."""

Value = TypeVar("Value")
SomeInput = TypeVar("SomeInput", bound=io.Input)


def advanced(given: SomeInput) -> SomeInput:
    """The input, as one that is seldom needed: newer front ends fold it away, and send its value all the same.

    Not by the argument `advanced`, which 0.3.75 does not have: in every release so far this reaches the definition.
    """
    given.extra_dict = {**(given.extra_dict or {}), "advanced": True}
    return given


def growing(group: str, tooltip: str, one: Callable[[str], io.Input], names: Sequence[str]) -> list[io.Input]:
    """Optional inputs of one kind, of which the front end shows those that are connected and one more.

    ComfyUI's own Autogrow where there is one: its inputs are `<group>.<name>` in graphs and workflow files, and a
    node gets them as one argument, `group`, a dict of those that are connected. In 0.3.75 they are plain inputs.
    """
    if AUTOGROW is None:
        return [one(name) for name in names]
    # at the least `min` and one more are shown; none of them is required, because `one` is optional
    template = AUTOGROW.TemplateNames(one("image"), list(names), min=1)
    return [AUTOGROW.Input(group, template=template, optional=True, tooltip=tooltip)]


def image(gets: str = "prompt") -> io.Image.Input:
    """Pictures, as many as there are; `gets` says what is made of each."""
    return io.Image.Input("image", tooltip=f"One picture, a batch or a list. Every picture gets its own {gets}.")


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


def emphasis() -> io.Combo.Input:
    """What the prompt stresses."""
    return advanced(
        io.Combo.Input(
            "emphasis",
            options=list(EMPHASIS),
            default=EMPHASIS[0],
            tooltip="What to stress: by weights where the family reads them, else by saying it first.",
        )
    )


def unknown_tags() -> io.Combo.Input:
    """What happens to tags that Danbooru does not have."""
    return advanced(
        io.Combo.Input(
            "unknown_tags",
            options=list(UNKNOWN_TAGS),
            default=UNKNOWN_TAGS[0],
            tooltip="For families trained on Danbooru's tags: keep or drop what is no tag there. Others keep all.",
        )
    )


def text_preset() -> io.Combo.Input:
    """What kind of text to write."""
    return io.Combo.Input(
        "preset",
        options=list(text_preset_names()),
        default=DEFAULT_TEXT_PRESET,
        tooltip="What to write. Markdown files of your own in presets/, beside your settings.toml, are listed too.",
    )


def language(of: str = "") -> io.String.Input:
    """The language of a text; `of` says more about which text."""
    return io.String.Input(
        "language",
        default=DEFAULT_LANGUAGE,
        tooltip=f"The language to write in, by any name: English, Deutsch, 中文. Empty: English.{of}",
    )


def analysis(name: str = "analysis", what: str = "") -> io.String.Input:
    """What was found in a picture, from another node."""
    return io.String.Input(
        name,
        force_input=True,
        tooltip=f"{what}The output 'analysis' of Image → Prompt. Of a list each is used on its own.",
    )


def closed_vocabulary() -> io.Boolean.Input:
    """Whether the model may write Danbooru's tags only."""
    return advanced(
        io.Boolean.Input(
            "closed_vocabulary",
            default=False,
            tooltip="For families trained on Danbooru's tags: let the model write no others. Asks the model again. "
            "Other families pay no heed to it.",
        )
    )


def extra_instruction(
    tooltip: str = "Anything the model should pay attention to, in your own words. Empty: the usual description.",
) -> io.String.Input:
    """Free text for the model."""
    return io.String.Input("extra_instruction", default="", multiline=True, tooltip=tooltip)


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
    return advanced(
        io.Int.Input(
            "token_budget",
            default=0,
            min=0,
            max=2048,
            tooltip="The longest prompt, in tokens of the family's own text encoder. 0: what suits the family.",
        )
    )


def seed() -> io.Int.Input:
    """Which of several possible descriptions."""
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=MAX_SEED,
        control_after_generate=True,
        tooltip="Another seed looks again; the same seed and inputs give the same answer without asking the model.",
    )


def engine() -> Any:
    """Which engine to ask. Last of a node's inputs: a workflow that was saved without it stays as it was."""
    return ENGINE.Input(
        "engine", optional=True, tooltip="From Prompt Engine. Not connected: the engine of your settings."
    )


def known_prompt() -> io.String.Input:
    """The prompt that made the picture. Last of a node's inputs, for the same reason."""
    return io.String.Input(
        "known_prompt",
        optional=True,
        force_input=True,
        tooltip="The prompt that made the picture, if you know it: from Read Prompt, or your own words. It is trusted "
        "over the model, and counts for every picture of a batch. Empty: as if nothing were connected.",
    )


def min_confidence() -> io.Float.Input:
    """From which confidence on a tag stays. Last of a node's inputs, for the same reason."""
    return advanced(
        io.Float.Input(
            "min_confidence",
            optional=True,
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="Ask the model about each tag by itself, and leave out those that it is less sure of than this, "
            "from 0 to 1. 0: do not ask.",
        )
    )


def only(name: str, values: Sequence[Value]) -> Value:
    """The value of one input of a node that takes every input as a list. Raises PromptError where several came, or
    none."""
    if not values or any(value != values[0] for value in values[1:]):
        raise PromptError(
            f"The input {name} got {len(values)} values, and takes one for all pictures; connect one value, not a list."
        )
    return values[0]


def each(given: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """What a node that takes every input as a list would get in turn if it did not: the inputs of each item, paired as
    ComfyUI pairs them, the last of a shorter list again and again. Raises PromptError for an empty list."""
    for name, values in given.items():
        if not values:
            raise PromptError(f"The input {name} got an empty list; check the node that makes it.")
    items = max(map(len, given.values()))
    return [{name: values[min(item, len(values) - 1)] for name, values in given.items()} for item in range(items)]


def version_of(family: str | None) -> str:
    """What changes when the user edits a file that a family's prompts are made by."""
    return f"{family_version(family or '')} {vocabulary_files()}"


def bad_family(name: str | None) -> str | None:
    """Why that is no family, or None. A linked input arrives as None: it is checked when it is there."""
    if name is None or name in family_names():
        return None
    return f"There is no model family {name!r}; choose one of {', '.join(family_names())}."


def bad_text_preset(name: str | None) -> str | None:
    """Why that is no text preset, or None."""
    if name is None or name in text_preset_names():
        return None
    return f"There is no text preset {name!r}; choose one of {', '.join(text_preset_names())}."
