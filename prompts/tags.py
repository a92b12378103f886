"""A prompt as tags: short phrases separated by commas, the most telling chosen first, in the family's order."""

from __future__ import annotations

from .families import Slot
from .frame import Frame
from .phrases import key_of
from .slots import SUBJECT_SLOTS, Phrase
from .syntax import escape
from .tokens import count_tokens

PRIORITY: tuple[Slot, ...] = (
    "rating", "subject", "character", "medium", "appearance", "clothing", "action", "setting", "style", "light", "shot",
    "general", "mood", "color", "composition", "text",
)  # fmt: skip
"""Which slots get the budget first when it is short; where they are printed is the family's affair."""
PER_TURN = 2
"""Each slot puts in so many phrases before any slot puts in more: ten garments must not cost the light."""
PER_TURN_OF: dict[Slot, int] = {"appearance": 3, "clothing": 3, "action": 3, "setting": 3}
_NAMED_FIRST = frozenset({"rating", "subject", "character", "medium"})


def write_tags(phrases: list[Phrase], frame: Frame) -> str:
    """The tags that fit the budget, in ComfyUI's syntax, without the frame; "" where none fits."""
    said = frame.keys()
    chosen = _choose([phrase for phrase in phrases if key_of(phrase.text) not in said], frame)
    while chosen and frame.count(_print(chosen, frame)) > frame.budget:
        chosen.pop()  # the sum below is exact but for a comma that merges with what it follows
    return _print(chosen, frame)


def _choose(phrases: list[Phrase], frame: Frame) -> list[Phrase]:
    """Phrases by their turns while they fit: each costs what it costs with its comma, the last one has none."""
    left = frame.budget - frame.count("")
    chosen: list[Phrase] = []
    for phrase in _by_turns(phrases):
        if phrase.text.count(" ") + 1 > left:
            continue  # a word has a token at least
        cost = count_tokens(f"{escape(phrase.text)},", frame.family.encoder)
        if cost - 1 <= left:
            chosen.append(phrase)
            left -= cost
    return chosen


def _by_turns(phrases: list[Phrase]) -> list[Phrase]:
    """The phrases in the order in which they may claim the budget."""
    ranks: dict[tuple[Slot, int], int] = {}
    keyed: list[tuple[int, int, int, Phrase]] = []
    for number, phrase in enumerate(phrases):
        place = (phrase.slot, phrase.subject)
        rank = ranks[place] = ranks.get(place, -1) + 1
        turn = 0 if phrase.slot in _NAMED_FIRST else rank // PER_TURN_OF.get(phrase.slot, PER_TURN) + phrase.subject
        keyed.append((turn, PRIORITY.index(phrase.slot), number, phrase))
    return [phrase for *_, phrase in sorted(keyed, key=lambda item: item[:3])]


def _print(phrases: list[Phrase], frame: Frame) -> str:
    """The phrases in the family's order, what belongs to one subject together, escaped."""
    order = frame.family.order
    about_subjects = [order.index(slot) for slot in SUBJECT_SLOTS if slot in order]
    together = bool(about_subjects) and max(about_subjects) - min(about_subjects) == len(about_subjects) - 1

    def place(phrase: Phrase) -> tuple[int, int, int]:
        at = order.index(phrase.slot)
        if together and phrase.slot in SUBJECT_SLOTS:
            return min(about_subjects), phrase.subject, at
        return at, phrase.subject, at

    return ", ".join(escape(phrase.text) for phrase in sorted(phrases, key=place))
