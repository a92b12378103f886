"""How ComfyUI hands a prompt to CLIP: in chunks of 75 tokens, and how to keep a tag from being cut in half there.

What ComfyUI does (`comfy/sd1_clip.py`, `SDTokenizer.tokenize_with_weights`): each weighted segment is tokenized by
itself; one of 8 tokens or more is cut where a chunk is full, in the middle of a word even; a shorter one moves to the
next chunk whole. `(tag:1.0)` makes a segment of its own and changes no weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from .families import CLIP_CHUNK
from .syntax import escape, parse
from .tokens import clip_spans, count_tokens

MOVES_WHOLE = 7
"""The longest segment, in tokens, that is never cut."""


@lru_cache(maxsize=256)
def clip_chunks(prompt: str) -> tuple[str, ...]:
    """The texts that CLIP reads one after another, un-escaped and without weights; together they are the prompt."""
    chunks, used = [""], 0
    for text, _ in parse(prompt):
        for part, tokens in _parts(text, CLIP_CHUNK - used):
            if used + tokens > CLIP_CHUNK:
                chunks.append("")
                used = 0
            chunks[-1] += part
            used += tokens
    return tuple(chunks)


def _parts(text: str, left: int) -> Iterator[tuple[str, int]]:
    """A segment's text as it is spread over chunks of which the first has so many tokens left, with tokens."""
    spans = clip_spans(text)
    if len(spans) <= MOVES_WHOLE:
        yield text, len(spans)
        return
    start = first = 0
    for end in range(left, len(spans), CLIP_CHUNK):
        cut = spans[end][0]
        yield text[start:cut], end - first
        start, first = cut, end
    yield text[start:], len(spans) - first


def cut_tag(prompt: str) -> int | None:
    """Which tag, counted by commas from 0, is the first to be read partly in one chunk and partly in the next."""
    commas = 0
    before, *others = clip_chunks(prompt)
    for chunk in others:
        commas += before.count(",")
        if not before.rstrip().endswith(",") and not chunk.lstrip().startswith(","):
            return commas
        before = chunk
    return None


def segment(text: str, weight: float) -> str:
    """Cleaned text as a segment that moves to the next chunk whole: if it is too long for that, its first words do,
    and the others follow them."""
    words = text.split(" ")
    first = len(words)
    while first > 1 and count_tokens(escape(" ".join(words[:first])), "clip") > MOVES_WHOLE:
        first -= 1
    head, tail = " ".join(words[:first]), " ".join(["", *words[first:]])
    own = f"({escape(head)}:{weight})"
    if not tail:
        return own
    return own + (f"({escape(tail)}:{weight})" if weight != 1.0 else escape(tail))
