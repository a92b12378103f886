"""Who claims to have made a picture, by its content credentials (C2PA). They carry no prompt, and are not verified.

Facts: C2PA 2.1: JUMBF boxes; a claim in CBOR has `claim_generator_info` (maps with a `name`) or, in older ones,
`claim_generator`; actions have a `softwareAgent`. The active manifest is the last.
"""

from __future__ import annotations

from .source import Source
from .values import as_text

MOST_CREDENTIALS_BYTES = 4 << 20
"""Of the end of the box, where the active manifest stands; thumbnails stand before it."""
MOST_LOOKED_AT = 1000
"""Bytes behind a key in which its value's name must begin."""
MOST_NAME_BYTES = 200
KEYS = ("claim_generator_info", "claim_generator", "softwareAgent")
TEXT = 0x60
"""CBOR's first byte of a text: plus its length up to 23; 24 and 25 say that it follows in one or two bytes."""


def read_credentials(source: Source, place: int, length: int) -> str:
    """Who claims it, of the JUMBF box that stands there; "" where that cannot be told."""
    end = min(place + length, source.size)
    start = max(place, end - MOST_CREDENTIALS_BYTES)
    return claimed_by(source.at(start, end - start))


def claimed_by(box: bytes) -> str:
    """Who claims it; "" where that cannot be told."""
    for key in KEYS:
        at = box.rfind(_cbor(key))
        if at >= 0 and (name := _claimant(box, at + len(_cbor(key)))):
            return name
    return ""


def _claimant(box: bytes, at: int) -> str:
    """The text there, or the `name` in the map or list of maps there."""
    if text := _text(box, at):
        return text
    name = _cbor("name")
    found = box.find(name, at, at + MOST_LOOKED_AT)
    return _text(box, found + len(name)) if found >= 0 else ""


def _cbor(text: str) -> bytes:
    return bytes([TEXT + len(text)]) + text.encode()


def _text(box: bytes, at: int) -> str:
    """The CBOR text that begins there; "" where none does."""
    head = box[at : at + 3].ljust(3, b"\0")
    length, start = head[0] - TEXT, at + 1
    if length == 24:
        length, start = head[1], at + 2
    elif length == 25:
        length, start = int.from_bytes(head[1:], "big"), at + 3
    elif length > 25:  # no text
        return ""
    if not 0 < length <= MOST_NAME_BYTES:
        return ""
    return " ".join(as_text(box[start : start + length].decode("utf-8", "replace")).split())
