"""What nodes make of strings: core nodes by name, the many custom ones by what their names and inputs say.

As those nodes do it, for ComfyUI's own as read in its nodes_string.py. A foreign regular expression is not run: one
without special characters is replaced as text, any other leaves the text as it is and is named as missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .evaluated import Known, Steps, joined, replaced, union
from .graph import Graph, Link, Node, is_editor, is_prose, natural, plain, says, unnamed_text
from .switches import chosen, is_switch

MADE_AT_RUN_TIME = re.compile(
    r"img2prompt|caption|interrogat|tagger|florence|joy|llava|llm|vlm|gpt|gemini|claude|openai|ollama|qwen|moondream|"
    r"textgenerate|chat|describe|translat|ocr|json(?!.*prompt)|load.*(text|prompt|line)",
    re.IGNORECASE,
)
"""Classes whose text nobody can know before they run."""
_PARTLY = re.compile(r"random|dynamic|wildcard|styler?\b|prompt ?(?:enhance|expan)", re.IGNORECASE)
"""Classes that change their text by chance, or by a file."""
_FILE = re.compile(r"\.\w{2,11}\s*$")
_CONCATENATE = re.compile(r"concat|join|combine|append|merge", re.IGNORECASE)
_TEXTISH = re.compile(
    r"(text|string|str|prompt|value|input|any(?:thing)?|source|content|tags|line|positive|negative)s?"
    r"(?:[_ ]?(?:[a-z]|\d{1,3}))?"
)
_NUMBERS = ("value", "int", "float", "number", "integer", "seed", "noise_seed", "boolean", "bool", "a")
_MODELS = frozenset({"image", "images", "clip", "model", "video", "audio", "pixels", "llm", "vlm", "pipe"})
"""Inputs that only a node has which makes its text from them."""


def rule_of(graph: Graph, node: Node, slot: int) -> Steps:
    """How the value of one of a node's outputs is worked out."""
    if is_switch(node):
        known = yield from _switch(node)
    elif node.type in RULES:
        known = yield from RULES[node.type](node, slot)
    elif "populated_text" in node.inputs:
        known = yield from _input(node, "populated_text")
    elif says(_CONCATENATE, node.type) and len(_texts(node)) > 1:
        known = yield from _concatenate(node, slot)
    else:
        known = yield from _unknown(node, slot)
    if known.missing:
        kept = graph.shown.get(Link(node.id, slot))
        if kept:
            graph.kept[node.ref] = None
            return Known(kept, (node.ref,))
    return known


def _input(node: Node, name: str) -> Steps:
    raw = node.inputs.get(name)
    if isinstance(raw, Link):
        return (yield raw)
    return Known(raw, (node.ref,) if raw else ())


def _missing(node: Node) -> Known:
    return Known(missing=(node.ref,))


def _texts(node: Node) -> list[str]:
    """The inputs that can be its texts, text_2 before text_10."""
    names = (name for name, value in node.inputs.items() if isinstance(value, (Link, str)))
    return sorted((name for name in names if _TEXTISH.fullmatch(plain(name))), key=natural)


def _unknown(node: Node, slot: int) -> Steps:
    """Of a node that nobody knows: its one text, or its several ones put together; else it is made at run time."""
    if says(MADE_AT_RUN_TIME, node.type) or any(plain(name) in _MODELS for name, _ in node.links()):
        return _missing(node)
    if (typed := _single(node)) is not None:
        return Known(typed, (node.ref,) if typed != "" else ())
    sides = _sides(node)
    if all(sides):
        known = (yield from _input(node, sides[slot])) if slot < 2 else Known()
        return Known(known.value, known.nodes, union(known.missing, (node.ref,)))
    names = _texts(node)
    stems = {stem[1] for name in names if (stem := _TEXTISH.fullmatch(plain(name)))}
    if len(names) == 1:
        known = yield from _input(node, names[0])
    elif names and len(stems) == 1:
        known = yield from _concatenate(node, slot)
    elif not names and not is_editor(node) and (typed := unnamed_text(node) or _longest(node)):
        known = Known(typed, (node.ref,), (node.ref,))
    else:
        by_name = {plain(name): name for name, value in node.inputs.items() if _is_number(value)}
        name = next((by_name[name] for name in _NUMBERS if name in by_name), None)
        known = (yield from _input(node, name)) if name and not names else _missing(node)
    return Known(known.value, known.nodes, union(known.missing, (node.ref,))) if says(_PARTLY, node.type) else known


def _single(node: Node) -> str | int | float | None:
    """The one value of a node that takes nothing from others, in an interface's graph: a box to type a text or a number
    into. None for what changes by chance, and where the text is a file's name."""
    value = node.inputs.get("#0")
    if len(node.inputs) != 1 or not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return None
    return None if says(_PARTLY, node.type) or (isinstance(value, str) and _FILE.search(value)) else value


def _is_number(value: object) -> bool:
    return isinstance(value, (Link, int, float)) or (isinstance(value, str) and value.isdecimal())


def _sides(node: Node) -> tuple[str, str]:
    """The inputs of a node that takes a text for each side: it has an output for each, and changes both."""
    names = [name for name, value in node.inputs.items() if isinstance(value, (Link, str)) and "style" not in name]
    found = [next((name for name in names if side in plain(name)), "") for side in ("positive", "negative")]
    return found[0], found[1]


def _longest(node: Node) -> str:
    """What reads like a prompt, whatever its name."""
    return max(
        (value for value in node.inputs.values() if isinstance(value, str) and is_prose(value)), key=len, default=""
    )


def _switch(node: Node) -> Steps:
    name = yield from chosen(node)
    return (yield from _input(node, name)) if name else _missing(node)


def _pass(node: Node, slot: int) -> Steps:
    """Hands on its one input."""
    names = [*(name for name, _ in node.links()), *_texts(node), *node.inputs]
    return (yield from _input(node, names[0])) if names else _missing(node)


def _value(node: Node, slot: int) -> Steps:
    """Holds a value of its own."""
    names = [name for name in ("value", "choice", "seed", "string", "text") if name in node.inputs] or [*node.inputs]
    if node.type == "CustomCombo" and slot:
        names = ["index"]
    return (yield from _input(node, names[0])) if names else Known()


def _concatenate(node: Node, slot: int) -> Steps:
    """All its texts; empty ones are left out, but by ComfyUI's own node, which puts its delimiter all the same."""
    own = node.type == "StringConcatenate"
    names = ["string_a", "string_b"] if own else _texts(node)
    delimiter = yield from _input(node, next((one for one in ("delimiter", "separator") if one in node.inputs), ""))
    parts: list[Known] = []
    for name in names:
        parts.append((yield from _input(node, name)))
    between = delimiter.text if own or isinstance(delimiter.value, str) else " "
    texts = [part.text for part in parts]
    if not own:
        between = between.replace("\\n", "\n")
        clean = str(node.inputs.get("clean_whitespace", "")).lower() == "true"
        texts = [text.strip() if clean else text for text in texts if text.strip()]
    text = joined(texts, between)
    refs = [part.nodes for part in parts if part.text]
    return Known(text, union(*refs), union(*(part.missing for part in parts)))


def _change(change: Callable[[str, list[Known]], str | None], *names: str) -> Callable[[Node, int], Steps]:
    """A rule that changes the first of these inputs by the others; None from `change` says it cannot."""

    def rule(node: Node, slot: int) -> Steps:
        known = yield from _input(node, names[0])
        others: list[Known] = []
        for name in names[1:]:
            others.append((yield from _input(node, name)))
        changed = change(known.text, others)
        refs = union(known.nodes, *(other.nodes for other in others if isinstance(other.value, str) and other.value))
        missing = union(known.missing, *(other.missing for other in others))
        if changed is None:
            return Known(known.text, known.nodes, union(missing, (node.ref,)))
        return Known(changed, refs if changed else (), missing)

    return rule


def _case(text: str, others: list[Known]) -> str | None:
    changes = {"UPPERCASE": str.upper, "lowercase": str.lower, "Capitalize": str.capitalize, "Title Case": str.title}
    return changes.get(others[0].text, str)(text)


def _trim(text: str, others: list[Known]) -> str | None:
    return {"Both": str.strip, "Left": str.lstrip, "Right": str.rstrip}.get(others[0].text, str)(text)


def _part(text: str, others: list[Known]) -> str | None:
    start, end = (other.value if isinstance(other.value, int) else None for other in others)
    return text[start:end]


def _replace(text: str, others: list[Known]) -> str | None:
    return replaced(text, others[0].text, others[1].text) if others[0].text else text


def _regex(text: str, others: list[Known]) -> str | None:
    find, put = others[0].text, others[1].text
    plainly = find and re.escape(find).replace("\\ ", " ") == find and "\\" not in put
    plainly = plainly and not others[2].value and not others[3].value  # any case; only so many times
    return replaced(text, find, put) if plainly else None


def _format(node: Node, slot: int) -> Steps:
    """Core's StringFormat: {a} stands for the input values.a."""
    known = yield from _input(node, "f_string")
    text, parts = known.text, [known]
    for name in [name for name in node.inputs if name.startswith("values.")]:
        part = yield from _input(node, name)
        text = replaced(text, f"{{{plain(name)}}}", part.text) or text
        parts.append(part)
    return Known(text, union(*(part.nodes for part in parts)), union(*(part.missing for part in parts)))


def _function(node: Node, slot: int) -> Steps:
    """Custom Scripts' StringFunction: text_a, text_b and text_c in a row, or in text_a every text_b replaced."""
    parts: list[Known] = []
    for name in ("action", "tidy_tags", "text_a", "text_b", "text_c"):
        parts.append((yield from _input(node, name)))
    action, tidy, *texts = (part.text for part in parts)
    refs, missing = union(*(part.nodes for part in parts[2:] if part.text)), union(*(one.missing for one in parts))
    if action == "append":
        text: str | None = joined([text for text in texts if text], ", " if tidy == "yes" else "")
    elif not texts[1]:
        text = texts[0]
    else:
        text = None if texts[1].startswith("/") else replaced(*texts)
    if text is None:
        return Known(texts[0], refs, union(missing, (node.ref,)))
    if tidy == "yes":
        text = re.sub(r",{2,}", ",", re.sub(r"\s{2,}", " ", text).replace(" ,", ",")).strip()
    return Known(text, refs, missing)


RULES: dict[str, Callable[[Node, int], Steps]] = {
    **dict.fromkeys(("PrimitiveString", "PrimitiveStringMultiline", "PrimitiveInt", "PrimitiveFloat"), _value),
    **dict.fromkeys(("PrimitiveBoolean", "CustomCombo", "SeedNode", "Seed (rgthree)", "easy seed"), _value),
    **dict.fromkeys(("PreviewAny", "ShowText|pysssss", "ShowText", "Display Any (rgthree)"), _pass),
    **dict.fromkeys(("easy showAnything", "Reroute", "ComfyNumberConvert", "SaveText"), _pass),
    "StringConcatenate": _concatenate,
    "StringReplace": _change(_replace, "string", "find", "replace"),
    "StringTrim": _change(_trim, "string", "mode"),
    "StringSubstring": _change(_part, "string", "start", "end"),
    "CaseConverter": _change(_case, "string", "mode"),
    "RegexReplace": _change(_regex, "string", "regex_pattern", "replace", "case_insensitive", "count"),
    "Text Find and Replace": _change(_replace, "text", "find", "replace"),
    "StringFormat": _format,
    "StringFunction|pysssss": _function,
}
"""By class. What is not here is told from its name and its inputs."""
