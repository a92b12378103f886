"""Where the command line writes: results to stdout as they are, everything else to stderr."""

from __future__ import annotations

import json
import sys
from enum import StrEnum

from rich.console import Console

_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


class Format(StrEnum):
    """How a result is written."""

    text = "text"
    json = "json"


def say(text: str) -> None:
    """A line for the person, on stderr; never part of a result. An empty one is not written."""
    if text:
        _stderr.print(text, markup=False)


def status_console() -> Console:
    """stderr, for progress bars."""
    return _stderr


def put(text: str) -> None:
    """A line of the result, on stdout, exactly as it is."""
    sys.stdout.write(text + "\n")


def put_json(value: object) -> None:
    """The whole result as one JSON document on stdout."""
    put(json.dumps(value, ensure_ascii=False, indent=2))
