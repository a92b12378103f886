"""A prompt as tags: short phrases separated by commas, the most telling chosen first, in the family's order.

CLIP reads a prompt in chunks of 75 tokens, and its pooled vector comes from the first alone: the first chunk is filled
with what tells most, then the next, each in the family's order, and no tag is in two chunks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from .chunks import clip_chunks, cut_tag, segment
from .families import Encoder, Family, Slot
from .frame import Frame
from .options import Emphasis
from .phrases import key_of
from .slots import DETAILS, SUBJECT_SLOTS, Claim, Phrase
from .syntax import escape, parse, weighted
from .tokens import count_tokens

PRIORITY: tuple[Slot, ...] = (
    "rating", "source", "count", "subject", "character", "series", "medium", "appearance", "clothing", "action",
    "setting", "style", "light", "shot", "general", "mood", "color", "composition", "text",
)  # fmt: skip
"""Which slots get the budget first when it is short; where they are printed is the family's affair."""
PER_TURN = 2
"""Each slot puts in so many phrases before any slot puts in more: ten garments must not cost the light."""
PER_TURN_OF: dict[Slot, int] = {"appearance": 3, "clothing": 3, "action": 3, "setting": 3}
_NAMED_FIRST = frozenset({"rating", "source", "count", "subject", "character", "series", "medium"})
EMPHASIS = 1.2
"""Within 0.8-1.3, where ComfyUI's interpolation against the empty prompt does no harm."""
STRESSED: dict[Emphasis, frozenset[Slot]] = {
    "none": frozenset(),
    "subject": frozenset({"subject", "character", "appearance"}),
    "style": frozenset({"medium", "style"}),
}


def write_tags(phrases: list[Phrase], frame: Frame, emphasis: Emphasis) -> str:
    """The whole prompt with the tags that fit the budget, in ComfyUI's syntax; "" where none fits."""
    said = frame.keys()
    chunks = _choose([phrase for phrase in phrases if key_of(phrase.text) not in said], frame)
    stressed = STRESSED[emphasis] if frame.family.weights_allowed else frozenset()
    while chunks:
        printed = [phrase for chunk in chunks for phrase in _printed(chunk, frame.family)]
        prompt = _uncut([(phrase.text, EMPHASIS if phrase.slot in stressed else 1.0) for phrase in printed], frame)
        if len(chunks) > 1 and frame.family.encoder == "clip" and len(clip_chunks(prompt)) < len(chunks):
            chunks[-2:] = [[*chunks[-2], *chunks[-1]]]  # all of it is read at once: one order for all
            continue
        if _fits(prompt, frame):
            return prompt
        chunks[-1].pop()  # what `_fill` sums up may be short by what merges or moves to the next chunk
        chunks = [chunk for chunk in chunks if chunk]
    return ""


def _choose(phrases: list[Phrase], frame: Frame) -> list[list[Phrase]]:
    """Phrases by their turns, chunk by chunk while they fit, in each in the order they were chosen."""
    family = frame.family
    left = _by_turns(phrases)
    size = family.chunk if family.encoder == "clip" else frame.budget
    head, tail = frame.after_prefix(", ".join(family.prefix)), ", ".join(family.suffix)
    used = count_tokens(head, family.encoder)
    last = count_tokens(f", {tail}" if head else tail, family.encoder) if tail else 0
    free = 0 if head else 1  # of n tags n - 1 have a comma, unless something stands before them
    chunks: list[list[Phrase]] = []
    while left:
        end = min(frame.budget, (used // size + 1) * size)
        chosen = _fill(left, end - used - last + free, family.encoder)
        if len(chosen) < len(left) and end < frame.budget:
            chosen = _fill(left, end - used + free, family.encoder)  # the suffix will stand in a later chunk
            chosen = _topped_up(chosen, left, frame, *((head, end) if not chunks else ("", end - used)))
        chunks.append(chosen)
        if end >= frame.budget:
            break
        taken = set(map(id, chosen))
        left = [phrase for phrase in left if id(phrase) not in taken]
        used, free = end, 1
    return [chunk for chunk in chunks if chunk]


def _fill(phrases: list[Phrase], left: int, encoder: Encoder) -> list[Phrase]:
    """The phrases that fit so many tokens, each with a comma."""
    chosen: list[Phrase] = []
    for phrase in phrases:
        if phrase.text.count(" ") + 2 > left:
            continue  # a word has a token at least
        # the comma by itself: after a sign such as ")" it may be one token with it, but not where a chunk ends
        cost = phrase_tokens(phrase.text, encoder) + 1
        if cost <= left:
            chosen.append(phrase)
            left -= cost
    return chosen


@lru_cache(maxsize=16_384)
def phrase_tokens(text: str, encoder: Encoder) -> int:
    """The tokens of a cleaned phrase by itself."""
    return count_tokens(escape(text), encoder)


def _topped_up(chosen: list[Phrase], others: list[Phrase], frame: Frame, before: str, size: int) -> list[Phrase]:
    """The phrases of a chunk that another follows, with what the sums left room for.

    Else the next chunk's first tag would be read in this one, out of the family's order.
    """
    family = frame.family

    def room(phrases: list[Phrase]) -> int:
        texts = [before, *(escape(phrase.text) for phrase in _printed(phrases, family))]
        return size - count_tokens(", ".join(filter(None, texts)) + ",", family.encoder)

    left = room(chosen)
    for phrase in others:
        if left <= 0:
            break
        if phrase not in chosen and phrase_tokens(phrase.text, family.encoder) <= left:
            more = [*chosen, phrase]
            after = room(more)
            if after >= 0 or (after == -1 and _printed(more, family)[-1].text[-1].isalnum()):  # a comma may stand alone
                chosen, left = more, after
    return chosen


def _fits(prompt: str, frame: Frame) -> bool:
    family = frame.family
    tokens = count_tokens(prompt, family.encoder)
    if family.encoder != "clip" or tokens <= family.chunk:
        return tokens <= frame.budget
    # a tag that moves to the next chunk leaves room behind it
    return tokens <= frame.budget and len(clip_chunks(prompt)) <= math.ceil(frame.budget / family.chunk)


def _by_turns(phrases: list[Phrase]) -> list[Phrase]:
    """The phrases in the order in which they may claim the budget."""
    ranks: dict[tuple[Slot, int], int] = {}
    keyed: list[tuple[int, int, int, int, Phrase]] = []
    for number, phrase in enumerate(phrases):
        place = (phrase.slot, phrase.subject)
        rank = ranks[place] = ranks.get(place, -1) + 1
        turn = 0 if phrase.slot in _NAMED_FIRST else rank // PER_TURN_OF.get(phrase.slot, PER_TURN) + phrase.subject
        if phrase.claim == Claim.MUST:  # none gives way to another: in their order, so that chunks split no subject
            keyed.append((-phrase.claim, 0, 0, number, phrase))
            continue
        keyed.append((-phrase.claim, turn, PRIORITY.index(phrase.slot), number, phrase))
    return [phrase for *_, phrase in sorted(keyed, key=lambda item: item[:4])]


def _printed(phrases: list[Phrase], family: Family) -> list[Phrase]:
    """The phrases in the family's order, what belongs to one subject together.

    Danbooru's order is first all who are there, then what is seen of each.
    """
    order = family.order
    grouped: list[Slot] = [
        slot for slot in (DETAILS if family.vocabulary == "danbooru" else SUBJECT_SLOTS) if slot in order
    ]
    places = [order.index(slot) for slot in grouped]
    together = bool(places) and max(places) - min(places) == len(places) - 1

    def place(phrase: Phrase) -> tuple[int, int, int]:
        # "general" takes the caption's clauses, where there is nothing else, even in a family that has no such slot
        at = order.index(phrase.slot) if phrase.slot in order else len(order)
        if together and phrase.slot in grouped:
            return min(places), phrase.subject, at
        return at, phrase.subject, at

    return sorted(phrases, key=place)


def _uncut(tags: list[tuple[str, float]], frame: Frame) -> str:
    """The prompt of these texts with their weights, none of which CLIP reads in two chunks.

    A tag that would be cut becomes a segment of its own; one that is too long even for that is left out. The user's own
    prefix stays as it is.
    """
    family = frame.family
    pieces: list[tuple[str, float] | str] = [*family.prefix, *tags, *family.suffix]
    prompt = frame.after_prefix(", ".join(map(_syntax, pieces)))
    if family.encoder != "clip" or count_tokens(prompt, family.encoder) <= family.chunk:
        return prompt
    own = "".join(text for text, _ in parse(frame.after_prefix("x"))).count(",")
    while (at := cut_tag(prompt)) is not None and (number := _piece_at(at - own, pieces)) is not None:
        match pieces[number]:
            case (text, weight):
                pieces[number] = segment(text, weight)
            case str() as text if text in family.prefix or text in family.suffix:
                if "(" in text:
                    break
                pieces[number] = segment(text, 1.0)
            case _:
                del pieces[number]
        prompt = frame.after_prefix(", ".join(map(_syntax, pieces)))
    return prompt


def _syntax(piece: tuple[str, float] | str) -> str:
    return piece if isinstance(piece, str) else weighted(*piece)


def _piece_at(comma: int, pieces: Sequence[tuple[str, float] | str]) -> int | None:
    """Which piece has the text after so many commas; None for one that stands before all of them."""
    for number, piece in enumerate(pieces):
        comma -= _syntax(piece).count(",") + 1
        if comma < 0:
            return number if comma >= -_syntax(piece).count(",") - 1 else None
    return None
