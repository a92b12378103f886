"""The form of AUTOMATIC1111's text, before anybody knows what its fields mean: prompts, and a line of `name: value`.

    a prompt, of any number of lines
    Negative prompt: another, left out where it is empty
    Steps: 20, Sampler: Euler a, Size: 512x768, Lora hashes: "a: 1f, b: 2e", Version: v1.10.1

Read from AUTOMATIC1111/stable-diffusion-webui modules/infotext_utils.py (parse_generation_parameters, quote) and
modules/processing.py (create_infotext); the lists and objects without quotes are civitai/civitai's,
src/utils/metadata/automatic.metadata.ts; "Template:" after the line is sd-dynamic-prompts'. All of it takes time linear
in the text: nothing here backtracks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, cast

from .limits import MOST_PARAMETERS
from .values import clean

KNOWN = frozenset(
    (
        *("steps", "sampler", "schedule type", "scheduler", "cfg scale", "distilled cfg scale", "seed", "size"),
        *("model hash", "model", "vae", "clip skip", "denoising strength", "hires upscale", "version"),
        *("lora hashes", "lora weights", "civitai resources"),
        *("raw prompt", "raw negative prompt", "raw parameters"),
    )
)
"""Names, in lower case, that tell a line of parameters from a prompt with colons and commas."""
_EVERYDAY = frozenset(("steps", "seed", "size", "model", "version", "scheduler"))
"""Those of them that a photograph's description has, too: of a camera, a recipe, a walk."""
_STEPS = re.compile(r"\s*Steps:\s*\d+\s*(?:,|$)")
_RESOURCES = re.compile(r"\s*Civitai resources:\s*\[")
_INLINE = re.compile(r"(?<=\s)Steps: \d+,")
_NEGATIVE = re.compile(r"^[ \t]*Negative prompt:", re.MULTILINE)
_TEMPLATE = re.compile(r"\n(Template|Negative Template):")
_BETWEEN = re.compile(r"[\s,]*+")
_NAME = re.compile(r"([^\s,:\"\[\]{}][^,:\"\[\]{}\n]{0,100}):[ \t\n]*+")
_PLAIN_NAME = re.compile(r"\w[\w \-/]*[\w\-/]")
_MARKS = re.compile(r"[\"\[\]{}]")
_END = re.compile(r"\s*+(?:,|$)")
_MOST_LINES = 2_000
"""From the end, among which the line of parameters is looked for."""
_MOST_STEPS = 10 * MOST_PARAMETERS
"""Commas of one line at which a name is looked for."""
_MOST_GROUP = 20_000
"""Marks within one value in brackets."""
_GROUP_FAILURES = 8
"""Brackets that open a value but do not close it, after which none is looked for: each costs such a walk."""


class Parts(NamedTuple):
    """A text taken apart; its texts are as they stand, not stripped."""

    positive: str
    negative: str
    fields: dict[str, str]
    """By the file's own names; of two alike the first."""
    certain: bool
    """Whether anything but its place tells that the text is A1111's."""


def take_apart(text: str) -> Parts:
    """Any text has this form: without a line of parameters, and without negative, all of it is the prompt."""
    start = _parameters_start(text)
    prompts, line = (text[:start], text[start:]) if start >= 0 else (text, "")
    # Text, and after it name and text of up to two templates.
    line, *templates = _TEMPLATE.split(line, 2)
    fields: dict[str, str] = {}
    for name, value in pairs(line):
        fields.setdefault(name, value)
    for name, value in zip(templates[::2], templates[1::2], strict=True):
        fields.setdefault(name, clean(value).strip())
    positive, negative = _divided(prompts, inline=start > 0 and text[start - 1] != "\n")
    return Parts(positive, negative or "", fields, certain=negative is not None or _is_telling(fields))


def _is_telling(fields: dict[str, str]) -> bool:
    """Whether no other text would have these names together."""
    names = {name.lower() for name in fields} & KNOWN
    return "civitai resources" in names or (len(names) >= 2 and (not names <= _EVERYDAY or {"steps", "seed"} <= names))


def _parameters_start(text: str) -> int:
    """Where the last line of parameters begins; -1 where there is none."""
    end = len(text.rstrip())
    for _ in range(_MOST_LINES):
        start = text.rfind("\n", 0, end) + 1
        if is_parameters(text[start:end]):
            return start
        if start == 0:
            break
        end = start - 1
    # Some tools and sites put all lines into one.
    last = None
    for match in _INLINE.finditer(text, max(0, len(text) - 100_000)):
        last = match.start()
    return last if last is not None and is_parameters(text[last:]) else -1


def is_parameters(line: str) -> bool:
    """Whether a line is one of parameters. A1111 takes any last line with three pairs for one; here the first and
    another of the names must be known too, since prompts have colons and commas."""
    if _STEPS.match(line) or _RESOURCES.match(line):
        return True
    first = _NAME.match(line.lstrip())
    if not first or first[1].lower() not in KNOWN or line.count(":") < 3 or line.count(",") < 2:
        return False
    names = [name.lower() for name, _ in islice(pairs(line), 200)]
    return len(names) >= 3 and sum(name in KNOWN for name in names) >= 2


def _divided(prompts: str, *, inline: bool) -> tuple[str, str | None]:
    """Positive and negative; the last line that begins with its mark counts."""
    found = None
    for match in _NEGATIVE.finditer(prompts):
        found = match
    if found:
        return prompts[: found.start()], prompts[found.end() :]
    if inline and (at := prompts.rfind("Negative prompt:")) >= 0:
        return prompts[:at], prompts[at + len("Negative prompt:") :]
    return prompts, None


def pairs(line: str) -> Iterator[tuple[str, str]]:
    """The names and values of a line of parameters, at most MOST_PARAMETERS."""
    at, failures, count = 0, 0, 0
    for _ in range(_MOST_STEPS):
        at = cast("re.Match[str]", _BETWEEN.match(line, at)).end()
        if at >= len(line) or count >= MOST_PARAMETERS:
            return
        match = _NAME.match(line, at)
        if not match:
            at = _comma(line, at)
            continue
        start, end = match.end(), -1
        first = line[start : start + 1]
        if first == '"':
            end = _closed(line, _quote_end(line, start))
        elif first in ("[", "{") and failures < _GROUP_FAILURES:
            end = _closed(line, _group_end(line, start))
            failures += end < 0
        if end < 0:
            end = _comma(line, start)
        yield match[1].strip(), _value(line[start:end])
        at, count = end, count + 1


def _comma(line: str, at: int) -> int:
    comma = line.find(",", at)
    return comma if comma >= 0 else len(line)


def _closed(line: str, end: int) -> int:
    """`end`, if nothing stands between it and the next comma or the end; else -1."""
    return end if end >= 0 and _END.match(line, end) else -1


def _quote_end(line: str, start: int) -> int:
    """Behind the quotation mark that closes the one at `start`; -1 if none does."""
    at = start + 1
    while (end := line.find('"', at)) >= 0:
        before = line[at:end]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return end + 1
        at = end + 1
    return -1


def _group_end(line: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`; -1 if none does."""
    depth, at = 0, start
    for _ in range(_MOST_GROUP):
        if not (match := _MARKS.search(line, at)):
            return -1
        at = match.end()
        if match[0] == '"':
            if (at := _quote_end(line, match.start())) < 0:
                return -1
            continue
        depth += 1 if match[0] in "[{" else -1
        if depth == 0:
            return at
    return -1


def _value(text: str) -> str:
    """A value without its quotation marks."""
    text = text.strip()
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return clean(text)
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        return clean(text)
    return clean(value) if isinstance(value, str) else clean(text)


def is_plain_name(name: str) -> bool:
    """Whether A1111 and its like would read this name as it is."""
    return len(name) <= 100 and bool(_PLAIN_NAME.fullmatch(name))


def quoted(value: str) -> str:
    """A value as A1111 writes it: in quotation marks, with JSON's escapes, where it would end early. So are, beyond
    A1111, values that would not be read back as they are: empty ones, and such that begin with a bracket or a mark."""
    bare = value and value == value.strip() and value[0] not in '"[{' and not any(mark in value for mark in ",\n:")
    return value if bare else json.dumps(value, ensure_ascii=False)
