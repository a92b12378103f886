"""A recovered prompt as words: what weighs, switches or loads in any generator's syntax is taken out.

Unlike `syntax.clean`, which disarms the words of a model, this takes out what is no word: names of files and numbers.
"""

from __future__ import annotations

import re

from ..syntax import clean
from .midjourney import FLAGS

_TAG = re.compile(r"<[^<>:\n]*:[^<>\n]*>|<\s*(?:lora|lyco|hypernet)\s*:[^<>,\n]*", re.IGNORECASE)
"""`<lora:name:0.8>`, also where it breaks off, and what else has a colon in angle brackets (SwarmUI)."""
_EMBEDDING = re.compile(r"(?<!\w)embedding:[^\s,()]*|<[\w.-]{1,100}>", re.IGNORECASE)
"""ComfyUI's and InvokeAI's; of AUTOMATIC1111's nothing tells that they are no words."""
_MIDJOURNEY = re.compile(rf"(?:^|[\s,])(?:--|—)(?:{'|'.join(sorted(FLAGS))})(?:\s.*)?$")
_COLONS = re.compile(r"(?<![\w.])-?\d{0,3}\.?\d{1,6}::|::-?\d{0,3}(?:\.\d{1,6})?")
"""NovelAI's `1.5::word::` and Midjourney's `word::2`."""
_WEIGHT = re.compile(r":{1,2}\s{0,4}[+-]?(?:\d{1,4}(?:\.\d{0,6})?|\.\d{1,6})\s{0,4}(?=[)\]}])")
"""The number before the end of a bracket: weight, or step of a schedule."""
_COMPEL = re.compile(r"(?<=\))(?:\+{1,9}|-{1,9}|\d{0,3}\.\d{1,6})")
"""InvokeAI's, after its bracket: `(word)1.2`, `(word)++`."""
_SCHEDULE = re.compile(r"\[([^\[\]:]{0,2000}):([^\[\]:]{0,2000})\]")
_KEYWORD = re.compile(r"\b(?:BREAK|AND)\b")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""What would hide syntax from the patterns here; `clean` takes it out, too."""
_ESCAPED = {r"\(": "\ue000", r"\)": "\ue001"}
"""Literal parentheses, while the others go; the private characters stand in no prompt."""
_COMMAS = re.compile(r"\s*,(?:\s*,)*\s*")


def words_only(text: str) -> str:
    """A prompt on one line without weights, LoRA and other tags, embeddings, schedules (both their texts stay) and
    Midjourney's parameters. Literal parentheses stay escaped, so that ComfyUI reads them as such."""
    text = _INVISIBLE.sub("", text)
    for escaped, mark in _ESCAPED.items():
        text = text.replace(mark, "").replace(escaped, mark)
    for nothing in (_TAG, _EMBEDDING, _COLONS):
        text = nothing.sub(" ", text)
    text = _SCHEDULE.sub(r"\1, \2", _COMPEL.sub("", _WEIGHT.sub("", text)))
    text = clean(re.sub(r"[()]", " ", _KEYWORD.sub(",", text)))
    text = _MIDJOURNEY.sub("", text)
    for escaped, mark in _ESCAPED.items():
        text = text.replace(mark, escaped)
    return _COMMAS.sub(", ", text).strip(" ,")
