"""Midjourney's description: the prompt, its parameters behind "--", and "Job ID:".

It stands in the PNG text Description (beside Author and Creation Time), in XMP's dc:description, or in EXIF's
ImageDescription; XMP may have the job again as Iptc4xmpExt:DigImageGUID. There is no publication of the form; read from
files as described in wiki pages on exiftool and from the Midjourney extension of picteus; the parameters are those of
docs.midjourney.com, "Parameter List".
"""

from __future__ import annotations

import re
from itertools import islice

from .carried import Carried
from .limits import MOST_PARAMETERS
from .recovered import Parameters, Recovered, RecoveredPrompt
from .values import as_int, as_text, clean

_JOB = re.compile(r"\bJob ID:\s{0,9}([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_FLAG = re.compile(r"(?:^|(?<=\s))--([a-zA-Z]{1,20})(?=\s|$)")
FLAGS = frozenset(
    (
        *("ar", "aspect", "v", "version", "niji", "s", "stylize", "style", "raw", "c", "chaos", "q", "quality", "w"),
        *("weird", "seed", "no", "tile", "iw", "sref", "cref", "oref", "dref", "sw", "cw", "ow", "sv", "p", "profile"),
        *("personalize", "r", "repeat", "stop", "exp", "draft", "uplight", "video", "motion"),
    )
)
"""The names of its parameters, behind "--"."""
_MOST_CHARACTERS = 50_000
"""A longer description is no line that somebody typed there."""
_PLACES = ("Description", "dc:description", "ImageDescription")


def read(carried: Carried) -> Recovered | None:
    """Where the description has a job's id; without one, where it has at least one of the parameters ("--no" alone may
    be an agency's caption) and the file has an id, or Midjourney's name, elsewhere."""
    for field in carried.fields:
        if field.key not in _PLACES or len(field.text) > _MOST_CHARACTERS:
            continue
        if _JOB.search(field.text) or (_has_flag(field.text) and _named(carried)):
            prompt, parameters = _divided(clean(field.text))
            prompts = (prompt,) if prompt.positive or prompt.negative else ()
            return Recovered("Midjourney", prompts, parameters, field.source)
    return None


def _flags(text: str) -> list[re.Match[str]]:
    return list(islice((flag for flag in _FLAG.finditer(text) if flag[1].lower() in FLAGS), MOST_PARAMETERS))


def _has_flag(text: str) -> bool:
    return any(flag[1].lower() != "no" for flag in _flags(text))


def _named(carried: Carried) -> bool:
    return any(
        field.key in ("Iptc4xmpExt:DigImageGUID", "iptcExt:DigImageGUID")
        or (field.key not in _PLACES and "midjourney" in field.text[:200].lower())
        for field in carried.fields
    )


def _divided(text: str) -> tuple[RecoveredPrompt, Parameters]:
    """The prompt before the first parameter, and the parameters."""
    job = _JOB.search(text)
    text = text[: job.start()] if job else text
    flags = _flags(text)
    other: dict[str, str] = {}
    for number, flag in enumerate(flags):
        end = flags[number + 1].start() if number + 1 < len(flags) else len(text)
        other.setdefault(flag[0], as_text(text[flag.end() : end]))
    seed = as_int(other.get("--seed"))
    if seed is not None:
        del other["--seed"]
    negative = other.pop("--no", "")
    other |= {"Job ID": job[1]} if job else {}
    positive = as_text(text[: flags[0].start()] if flags else text)
    return RecoveredPrompt(positive, negative), Parameters(seed=seed, other=other)
