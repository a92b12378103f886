"""A file while it is read: its bytes by place, and what was found in them so far, within the limits."""

from __future__ import annotations

import os
import zlib
from typing import IO

from ..errors import RecoverError
from .carried import Carried, Field, Kind
from .limits import MOST_ALL_TEXT_BYTES, MOST_FIELDS, MOST_PROBLEMS, MOST_TEXT_BYTES

BREAKS_OFF = "The file breaks off; it was damaged or not copied whole."

WINDOW_BYTES = 1024
"""Read at a time where headers are: they stand close to each other, and asking the system costs more than reading."""


class Source:
    """Every byte that is read as text or unpacked is paid from one budget, so many small bombs are as one large."""

    def __init__(self, stream: IO[bytes]) -> None:
        stream.seek(0, os.SEEK_END)
        self.size = stream.tell()
        self.width: int | None = None
        self.height: int | None = None
        self.credentials: str | None = None
        self._stream = stream
        self._fields: list[Field] = []
        self._problems: list[str] = []
        self._left = MOST_ALL_TEXT_BYTES
        self._window, self._window_at = b"", 0

    def at(self, place: int, count: int) -> bytes:
        """So many bytes from there, fewer where the file ends. Not paid for: for headers."""
        start = place - self._window_at
        if start >= 0 and start + count <= len(self._window):
            return self._window[start : start + count]
        if count > WINDOW_BYTES:
            return self._read(place, count)
        self._window, self._window_at = self._read(place, WINDOW_BYTES), place
        return self._window[:count]

    def _read(self, place: int, count: int) -> bytes:
        self._stream.seek(place)
        data = self._stream.read(count)
        if not isinstance(data, bytes):
            raise RecoverError("The file was opened as text; open it in binary mode.")
        while data and len(data) < count and (more := self._stream.read(count - len(data))):
            data += more
        return data

    def block(self, place: int, count: int, what: str) -> bytes | None:
        """All of these bytes; None, with a problem told, where they are too many or the file ends before."""
        if place + count > self.size:
            self.problem(BREAKS_OFF)
        elif self.affords(count, what):
            return self.at(place, count)
        return None

    def affords(self, count: int, what: str) -> bool:
        """Pays for so many bytes of text, before they are read; False, with a problem told, where they are too many."""
        if len(self._fields) >= MOST_FIELDS:
            self.problem(f"The file has more than {MOST_FIELDS:,} texts; not all were read.")
            return False
        if count > MOST_TEXT_BYTES:
            self.problem(f"The {what} is larger than {MOST_TEXT_BYTES >> 20} MB; it was not read.")
            return False
        if count > self._left:
            self.problem(f"The file's texts are larger than {MOST_ALL_TEXT_BYTES >> 20} MB; not all were read.")
            return False
        self._left -= count
        return True

    def unpacked(self, data: bytes, what: str) -> bytes | None:
        """What zlib packed; None, with a problem told, where it is damaged or grows over its limit."""
        most = min(MOST_TEXT_BYTES, self._left)
        try:
            text = bounded_unpack(data, most)
        except zlib.error:
            self.problem(f"The {what} cannot be unpacked; the file was damaged or changed.")
            return None
        self._left -= min(len(text), most)
        if len(text) > most:
            self.problem(f"The {what} unpacks to more than {most >> 20} MB; it was not read.")
            return None
        return text

    def add(self, place: str, key: str, text: str) -> None:
        """One text, in the file's order, without the mark of its byte order. An empty one is none."""
        text = text.rstrip("\0").removeprefix("\ufeff")
        if len(self._fields) < MOST_FIELDS and text.strip():
            self._fields.append(Field(place, key, text))

    def problem(self, sentence: str) -> None:
        """Tells what could not be read, once."""
        if sentence not in self._problems and len(self._problems) < MOST_PROBLEMS:
            self._problems.append(sentence)

    def carried(self, kind: Kind) -> Carried:
        """All that was found."""
        found = tuple(self._fields), self.credentials, tuple(self._problems)
        return Carried(kind, self.width, self.height, *found)


def bounded_unpack(data: bytes, most: int, wbits: int = zlib.MAX_WBITS) -> bytes:
    """What zlib (or with 31 gzip) packed: at most one byte more than `most`, by which the caller knows that there is
    more. Data that breaks off unpacks as far as it goes only if its end is not asked for: it raises zlib.error."""
    unpacker = zlib.decompressobj(wbits)
    text = unpacker.decompress(data, most + 1)
    if len(text) <= most and not unpacker.eof:
        raise zlib.error("the packed data breaks off")
    return text


def any_text(data: bytes) -> str:
    """UTF-8, as most write it whatever the specification says; what is none of it is latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
