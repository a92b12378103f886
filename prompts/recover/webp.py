"""The texts of a WebP, still or animated: its chunks EXIF, XMP and C2PA.

Facts: the WebP container specification (RIFF chunks, VP8X, the frame headers of VP8 and VP8L).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .credentials import read_credentials
from .exif import read_exif
from .limits import MOST_BLOCKS
from .source import BREAKS_OFF, Source
from .xmp import read_xmp

FIRST_CHUNK = 12
"""Where it stands: behind "RIFF", the length, "WEBP"."""

TEXTS = {b"EXIF", b"XMP ", b"C2PA"}


class Chunk(NamedTuple):
    """A chunk's type, and where its data stand."""

    kind: bytes
    place: int
    length: int


def is_webp(start: bytes) -> bool:
    """Whether these first 12 bytes are a WebP's."""
    return start[:4] == b"RIFF" and start[8:12] == b"WEBP"


def read_webp(source: Source) -> None:
    """Everything that a WebP carries. Pictures are stepped over."""
    for chunk in chunks(source):
        if source.width is None and (size := frame_size(source, chunk)):
            source.width, source.height = size
        if chunk.kind == b"EXIF" and (data := source.block(chunk.place, chunk.length, "WebP's EXIF")):
            read_exif(source, data)
        elif chunk.kind == b"XMP " and (data := source.block(chunk.place, chunk.length, "WebP's XMP")):
            read_xmp(source, data)
        elif chunk.kind == b"C2PA" and source.credentials is None:
            source.credentials = read_credentials(source, chunk.place, chunk.length)


def chunks(source: Source) -> Iterator[Chunk]:
    """The chunks in their order, to the end of the file: what RIFF's own length says is often wrong, so chunks behind
    it count, too. Other bytes there are no damage: somebody hung them on."""
    at, told_end = FIRST_CHUNK, 8 + int.from_bytes(source.at(4, 4), "little")
    for _ in range(MOST_BLOCKS):
        head = source.at(at, 8)
        if not head.strip(b"\0"):  # the end, or zeros behind it
            return
        length = int.from_bytes(head[4:], "little")
        if len(head) < 8 or at + 8 + length > source.size:
            if at >= told_end and head[:4] not in TEXTS:
                return
            source.problem(BREAKS_OFF)
        if len(head) < 8:
            return
        yield Chunk(head[:4], at + 8, length)
        at += 8 + length + length % 2
    source.problem(f"The file has more than {MOST_BLOCKS:,} chunks; not all were read.")


def frame_size(source: Source, chunk: Chunk) -> tuple[int, int] | None:
    """Width and height as this chunk tells them; None where it is not one that does."""
    if chunk.kind not in (b"VP8X", b"VP8L", b"VP8 "):
        return None
    data = source.at(chunk.place, 10).ljust(10, b"\0")
    if chunk.kind == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if chunk.kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
