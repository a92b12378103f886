"""Links that are not drawn: what "Anything Everywhere" nodes bring into inputs without a link."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .scopes import BYPASS, NEVER, Raw, listed, slots

Origin = tuple[str, int]
"""A node's id, and the number of its output."""
_SENDERS = ("Anything Everywhere", "Anything Everywhere3", "Prompts Everywhere", "Seed Everywhere")
_SIDES = (re.compile(r"(?:_|\b)pos(?:itive|_|\b)|^prompt"), re.compile(r"(?:_|\b)neg(?:ative|_|\b)"))
"""The names of what the two inputs of "Prompts Everywhere" go into."""
_SEED = re.compile(r"seed|random")
_ANY = re.compile("")


def everywhere(workflow: Raw, links: dict[str, Origin]) -> dict[Origin, object]:
    """An input (its node's id, its number) to the Origin, or the value, that enters it: as the workflow notes it since
    2024; before, by what the nodes do."""
    extra = workflow.get("extra")
    noted = listed(extra.get("ue_links") if isinstance(extra, dict) else None)
    found: dict[Origin, object] = {}
    for one in noted:
        slot, origin = one.get("downstream_slot"), one.get("upstream_slot")
        if isinstance(slot, int) and isinstance(origin, int):
            found[str(one.get("downstream")), slot] = str(one.get("upstream")), origin
    return found or _by_type(workflow, links)


def _by_type(workflow: Raw, links: dict[str, Origin]) -> dict[Origin, object]:
    nodes = [node for node in listed(workflow.get("nodes")) if node.get("mode") not in (NEVER, BYPASS)]
    sent: dict[str, dict[re.Pattern[str], object]] = {}
    for kind, pattern, value in _sent(nodes, links):
        sent.setdefault(kind, {}).setdefault(pattern, value)
    found: dict[Origin, object] = {}
    for node in nodes if sent else ():
        for number, (name, slot) in enumerate(slots(node) if node.get("type") not in _SENDERS else ()):
            kind = str(slot.get("type"))
            if slot.get("link") is not None or bool(slot.get("widget")) != (kind == "INT"):
                continue
            values = (value for pattern, value in sent.get(kind, {}).items() if pattern.search(name))
            if (value := next(values, None)) is not None:
                found[str(node.get("id")), number] = value
    return found


def _sent(nodes: list[Raw], links: dict[str, Origin]) -> Iterator[tuple[str, re.Pattern[str], object]]:
    """What these nodes send: its type, the names it goes into, and where it comes from."""
    senders = [node for node in nodes if node.get("type") in _SENDERS]
    outputs = {str(node.get("id")): listed(node.get("outputs")) for node in nodes} if senders else {}
    for node in senders:
        values = node.get("widgets_values")
        first = values[0] if isinstance(values, list) and values else None
        if node.get("type") == "Seed Everywhere" and isinstance(first, int):
            yield "INT", _SEED, first
        sides = _SIDES if node.get("type") == "Prompts Everywhere" else ()
        for number, (_, slot) in enumerate(slots(node)):
            origin = links.get(str(slot.get("link")))
            out = outputs.get(origin[0], []) if origin else []
            if origin and 0 <= origin[1] < len(out):
                yield str(out[origin[1]].get("type")), sides[number] if number < len(sides) else _ANY, origin
