"""How several pictures of a request share the model's context, which holds them, the text and the whole answer.

A picture by itself shares with nobody: it is seen as the settings say, and an answer that is cut for want of room is an
error of its own.

Pictures are counted as Qwen3-VL counts them: a token for each square of 32x32 pixels, and 64 tokens at least (measured
on vLLM 0.32). Text is estimated, on the safe side, so that no tokenizer need be known. It asks nobody.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..prompts.presets import load_preset
from ..prompts.tokens import count_tokens
from .errors import Refused

if TYPE_CHECKING:
    from ..prompts.request import Request
    from .backend import Report
    from .chat import Chat

SEVERAL = 2
PIXELS_PER_TOKEN = 32 * 32
"""Of Qwen3-VL: 16-pixel patches, four of which become one token."""
SMALLEST_PICTURE = 65_536
"""Pixels; Qwen3-VL scales smaller pictures up to this many."""
SMALLEST_SHARE = SMALLEST_PICTURE // PIXELS_PER_TOKEN
TOKENS_BESIDE_PICTURE = 12
"""For each picture: its label, the marks before and after it."""
TEMPLATE_TOKENS = 32
"""The chat template's marks and roles; Qwen's take 14."""
COUNTED = 1.1
"""A margin for other tokenizers than Qwen's."""
LETTERS_PER_TOKEN = 3
"""English prose has 4 to 5 for each of Qwen's tokens."""
NO_LETTER = re.compile(r"[^A-Za-z\s]")


@dataclass(frozen=True, slots=True)
class Context:
    """What the model that answers has room for."""

    tokens: int
    max_pixels: int
    """Of one picture, however few there are."""
    longer: str
    """How to have a longer context: the next step of an error's sentence, with "{needed}" for the tokens needed."""


def pixels_each(request: Request[Any], context: Context) -> int:
    """The pixels that each picture of the request is scaled down to. Raises Refused where they do not fit so."""
    count = len(request.pictures)
    if count < SEVERAL:
        return context.max_pixels
    beside = _beside_pictures(request)
    share = (context.tokens - beside) // count
    if share < SMALLEST_SHARE:
        needed = beside + count * SMALLEST_SHARE
        raise Refused(
            f"The {count} pictures do not fit into the model's context of {context.tokens:,} tokens: with the text and "
            f"an answer of up to {request.sampling.max_tokens:,} tokens, {needed:,} are needed; "
            f"{context.longer.format(needed=needed)}, or use fewer pictures."
        )
    # the model rounds each side to whole squares, up to half a square more; for the smallest the text has room to spare
    squares = max(SMALLEST_SHARE, math.floor((math.sqrt(share) - 0.5) ** 2))
    return min(context.max_pixels, squares * PIXELS_PER_TOKEN)


def pixels_to_send(request: Request[Any], context: Context, report: Report) -> int:
    """`pixels_each()`; `report` is told where the context makes some picture smaller than the settings do."""
    pixels = pixels_each(request, context)
    if pixels < context.max_pixels and any(one.width * one.height > pixels for one in request.pictures):
        side, count = math.isqrt(pixels), len(request.pictures)
        report(
            f"To fit into the context of {context.tokens:,} tokens, the {count} pictures are seen at {side}x{side} at "
            "most."
        )
    return pixels


def check_fits(chat: Chat[Any], context: Context) -> None:
    """That a request fits which was made ready before the context was certain: a server that ran out of memory at its
    start serves with less than was planned. Raises Refused; vLLM itself would cut the answer short in silence."""
    pixels = sum(max(SMALLEST_PICTURE, picture.width * picture.height) for picture in chat.pictures)
    if len(chat.pictures) >= SEVERAL and pixels > (context.tokens - _beside_pictures(chat)) * PIXELS_PER_TOKEN:
        refused = Refused(
            f"The server has a context of {context.tokens:,} tokens, shorter than it was when the pictures were scaled "
            "to fit into it; ask again."
        )
        refused.retryable = True
        raise refused


def _beside_pictures(asked: Request[Any] | Chat[Any]) -> int:
    """The tokens of all but the pictures: text, labels, marks, and the longest answer. The JSON schema takes none."""
    text = _estimated_tokens(load_preset("system").fill()) + _estimated_tokens(asked.instruction)
    return text + TEMPLATE_TOKENS + TOKENS_BESIDE_PICTURE * len(asked.pictures) + asked.sampling.max_tokens


def _estimated_tokens(text: str) -> int:
    """More than a text usually has: digits and signs count as a token each. Other scripts take from a half to two for
    each letter, so their texts are counted, as Qwen does."""
    if not text.isascii():
        return math.ceil(count_tokens(text, "qwen") * COUNTED)
    letters = len(NO_LETTER.sub("", text))
    return math.ceil(letters / LETTERS_PER_TOKEN) + len(text) - letters
