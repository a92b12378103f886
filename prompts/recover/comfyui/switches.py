"""Nodes that let one of their inputs through."""

from __future__ import annotations

import re
from collections.abc import Generator

from .evaluated import Known
from .graph import Link, Node, natural, plain, says

_SWITCH = re.compile(r"switch|select|toggle|mux|chooser|conditional ?branch|\bif\b|if ?/? ?else", re.IGNORECASE)
_SELECTORS = ("switch", "select", "index", "boolean", "condition", "cond", "bool", "input", "selected", "selection")
"""What says which one, in lower case; the first that a node has counts."""
_SIDES = re.compile(r"\d$|true|false", re.IGNORECASE)
"""Names of what there is to choose between, where that is a value and no link."""
_TRUE = re.compile(r"true|^tt|yes|then|^on$", re.IGNORECASE)
_FALSE = re.compile(r"false|^ff|^no$|else|^off$", re.IGNORECASE)


def is_switch(node: Node) -> bool:
    """By its class's name, and that it has inputs to choose between."""
    return says(_SWITCH, node.type) and bool(_choices(node))


def _selector(node: Node) -> str | None:
    names = {plain(name): name for name in node.inputs}
    unnamed = [name for name, value in node.inputs.items() if name.startswith("#") and isinstance(value, int)]
    return next((names[name] for name in _SELECTORS if name in names), unnamed[0] if len(unnamed) == 1 else None)


def _choices(node: Node) -> list[str]:
    """The inputs to choose between, input_2 before input_10."""
    selector = _selector(node)
    names = [name for name, value in node.inputs.items() if name != selector and isinstance(value, (Link, str))]
    kept = {name for name in names if isinstance(node.inputs[name], Link) or says(_SIDES, name)}
    return sorted(kept, key=natural)


def chosen(node: Node) -> Generator[object, Known, str | None]:
    """The name of the input that is let through: a rule as in evaluated.py. None where it cannot be told."""
    selector, choices = _selector(node), _choices(node)
    if selector is None:
        return next(iter(choices), None)
    known = yield node.inputs[selector]
    value = known.value
    if isinstance(value, str) and value.strip().lower() in ("true", "false", "on", "off", "yes", "no"):
        value = value.strip().lower() in ("true", "on", "yes")
    if isinstance(value, bool):
        sides = [name for name in choices if (_TRUE if value else _FALSE).search(plain(name))]
        return sides[0] if sides else _numbered(choices, 1 if value else 2)
    if isinstance(value, (int, float)):
        return _numbered(choices, int(value))
    if isinstance(value, str):
        return next((name for name in choices if plain(name) == value.lower()), None)
    return None


def _numbered(choices: list[str], number: int) -> str | None:
    """The choice with that number in its name, wherever the counting begins."""
    for name in choices:
        digits = re.search(r"\d{1,9}$", name)
        if digits and int(digits[0]) == number:
            return name
    if any(re.search(r"\d$", name) for name in choices):
        return None
    return choices[number] if 0 <= number < len(choices) else None
