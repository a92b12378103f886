"""Values of foreign texts, made safe and typed: what cannot be one becomes None, never an exception of its own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from ..errors import RecoverError
from .limits import MOST_JSON_PARTS, MOST_PARAMETERS, MOST_PROMPT_CHARACTERS, MOST_TEXT_BYTES

_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which could act in a terminal, and lone surrogates, which cannot be written as UTF-8."""
_NUMBER = re.compile(r"\s*[+-]?\d{1,20}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,3})?\s*")
_SIZE = re.compile(r"\d{1,9}")
MOST_SEED = (1 << 64) - 1


def load_json(text: str, what: str) -> Any:
    """The JSON value of a foreign text; NaN and infinity become None. Raises RecoverError, which says `what` it was."""
    if len(text) > MOST_TEXT_BYTES or sum(text.count(mark) for mark in "[{,") > MOST_JSON_PARTS:
        raise RecoverError(f"The {what} is too large to be a prompt's; it was not read.")
    try:
        return _loads(text)
    except (ValueError, RecursionError) as error:
        raise RecoverError(f"The {what} is no readable JSON; the file was damaged or changed.") from error


def _loads(text: str) -> Any:
    """A hook for each whole number would take as long as all the rest, so it comes only where Python refuses one."""
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_float=_fraction)
    except json.JSONDecodeError:
        raise
    except ValueError:  # it has too many digits
        return json.loads(text, parse_constant=lambda _: None, parse_float=_fraction, parse_int=_integer)


def _integer(digits: str) -> int | float | None:
    """None for one of more digits than anybody means."""
    return int(digits) if len(digits) <= 30 else None


def _fraction(digits: str) -> float | None:
    """1e999 would be infinity."""
    number = float(digits)
    return number if math.isfinite(number) else None


def json_object(text: str, what: str) -> dict[str, Any]:
    """As `load_json`, for what must be an object; RecoverError where it is none."""
    value = load_json(text, what)
    if not isinstance(value, dict):
        raise RecoverError(f"The {what} is no JSON object; the file was damaged or changed.")
    return value


def as_record(value: object) -> dict[str, Any]:
    """A JSON object, empty for what is none."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """A JSON list, empty for what is none."""
    return value if isinstance(value, list) else []


def clean(text: str) -> str:
    """A text as it stands, without control characters but tabs and line ends, those all "\\n"."""
    return _UNSAFE.sub("", text[:MOST_PROMPT_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n"))


def as_text(value: object) -> str:
    """A text, cleaned and stripped; "" for what is none."""
    return clean(value).strip() if isinstance(value, str) else ""


def as_plain(value: object) -> str:
    """Any value of JSON as one text: a text stripped, True and False as A1111 and others write them, lists and objects
    as JSON; "" for null."""
    if value is None or isinstance(value, str):
        return as_text(value)
    if isinstance(value, bool):
        return str(value)
    return as_text(json.dumps(value, ensure_ascii=False))


def as_other(record: Mapping[str, object], but: Collection[str] = ()) -> dict[str, str]:
    """What a record says that has no field of its own (whose names are `but`), for `Parameters.other`: no empty texts,
    and at most MOST_PARAMETERS."""
    texts = ((as_text(name), as_plain(value)) for name, value in record.items() if name not in but)
    return dict(islice(((name, text) for name, text in texts if name and text), MOST_PARAMETERS))


def as_size(value: object) -> tuple[int | None, int | None]:
    """Width and height of "512x768", "(512, 768)" or [512, 768]; None, None for what is no size."""
    numbers = value if isinstance(value, list) else _SIZE.findall(value[:100]) if isinstance(value, str) else []
    if len(numbers) != 2:
        return None, None
    width, height = map(as_int, numbers)
    return (width, height) if width and height and width > 0 and height > 0 else (None, None)


def as_int(value: object) -> int | None:
    """A whole number of at most 64 bits, also one written as text or as 20.0."""
    number = _number(value)
    return int(number) if number is not None and number == int(number) and abs(number) <= MOST_SEED else None


def as_float(value: object) -> float | None:
    """A finite number, also one written as text."""
    number = _number(value)
    return float(number) if number is not None else None


def _number(value: object) -> int | float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= MOST_SEED and math.isfinite(value) else None
