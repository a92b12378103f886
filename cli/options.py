"""The options that several commands have, each with its help once. What they mean is `prompts/options.py`'s."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from ..prompts.catalogue import family_names
from ..prompts.options import Emphasis, LookAt, UnknownTags

DEFAULT_FAMILY = "sdxl"
LOOK_AT = get_args(LookAt)
EMPHASIS = get_args(Emphasis)
UNKNOWN_TAGS = get_args(UnknownTags)

FamilyOption = Annotated[str, typer.Option(help=f"The model family that will draw it: {', '.join(family_names())}.")]
LookAtOption = Annotated[str, typer.Option(help=f"What goes into the prompt: {', '.join(LOOK_AT)}.")]
EmphasisOption = Annotated[str, typer.Option(help=f"What to stress: {', '.join(EMPHASIS)}.")]
UnknownTagsOption = Annotated[
    str, typer.Option(help=f"For families that want Danbooru's tags: {' or '.join(UNKNOWN_TAGS)} what is none.")
]
PrefixOption = Annotated[str, typer.Option(help="Put first, exactly as written: trigger words.")]
LeaveOutOption = Annotated[str, typer.Option(help="Words that must not appear, separated by commas.")]
TokenBudgetOption = Annotated[int, typer.Option(min=0, help="The longest prompt, in tokens; 0: the family's.")]
MinConfidenceOption = Annotated[
    float,
    typer.Option(help="Ask the model about each tag, and leave out those that it is less sure of; 0: do not ask."),
]
SeedOption = Annotated[int, typer.Option(min=0, max=0xFFFF_FFFF, help="Another seed looks again.")]
