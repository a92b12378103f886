"""The texts of a PNG: tEXt, zTXt, iTXt, eXIf, caBX, and the chunk `comf` that ComfyUI writes into animated ones.

Facts: the PNG specification, third edition (chunk layout, keywords, compression); C2PA 2.1 (caBX); ComfyUI's
SaveAnimatedPNG (`comf`: keyword, NUL, JSON, after the pixels).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from .credentials import read_credentials
from .exif import read_exif
from .limits import MOST_BLOCKS, MOST_KEY_BYTES
from .source import BREAKS_OFF, Source, any_text
from .xmp import XMP_HEADER, read_xmp

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = {b"tEXt", b"zTXt", b"iTXt", b"comf", b"eXIf"}
XMP_KEYWORD = "XML:com.adobe.xmp"
RAW = ("Raw profile type exif", "Raw profile type APP1", "Raw profile type xmp")
"""ImageMagick's way to keep EXIF and XMP in a text: a name and a length in lines of their own, then hexadecimal digits.
APP1 is either of them, as in a JPEG."""


class Chunk(NamedTuple):
    """A chunk, or a run of pixel data in chunks of the same length."""

    kind: bytes
    place: int
    """Where its data begin."""
    length: int
    """Of its data; of a run, of the first chunk's."""
    end: int
    """Behind its checksum; of a run, behind the last chunk's."""


def read_png(source: Source) -> None:
    """Everything that a PNG carries. Only headers and texts are read; pixel data are stepped over."""
    for chunk in chunks(source):
        if chunk.kind == b"IHDR" and source.width is None and chunk.length == 13:
            source.width, source.height = struct.unpack(">II", source.at(chunk.place, 8).ljust(8, b"\0"))
        elif chunk.kind == b"caBX" and source.credentials is None:
            source.credentials = read_credentials(source, chunk.place, chunk.length)
        elif chunk.kind in TEXTS:
            _read_text(source, chunk)


def chunks(source: Source) -> Iterator[Chunk]:
    """The chunks in their order, up to IEND or to where the file breaks off; the problem is told."""
    at = len(SIGNATURE)
    for _ in range(MOST_BLOCKS):
        head = source.at(at, 8)
        kind = head[4:]
        if kind == b"IEND":
            return
        if len(head) < 8 or not kind.isalpha():
            break
        length = int.from_bytes(head[:4], "big")
        end = at + 12 + length
        if kind == b"IDAT":
            end += _equals(source, end, head) * (12 + length)
        yield Chunk(kind, at + 8, length, end)
        at = end
    else:
        source.problem(f"The file has more than {MOST_BLOCKS:,} chunks; not all were read.")
        return
    source.problem(BREAKS_OFF)


def _equals(source: Source, at: int, head: bytes) -> int:
    """How many chunks from there on have this head, one behind the other. Pixels stand in thousands of chunks, all of
    one length but the last, so the end of the run is looked for where it mostly is, near the file's end, and then by
    doubling and halving, not by asking each."""
    size = 12 + int.from_bytes(head[:4], "big")
    most = max(0, source.size - at) // size
    if most and source.at(at + (most - 1) * size, 8) == head:
        return most
    count, step = 0, 1
    while source.at(at + (count + step - 1) * size, 8) == head:
        count += step
        step *= 2
    while step > 1:
        step //= 2
        if source.at(at + (count + step - 1) * size, 8) == head:
            count += step
    return count


def _read_text(source: Source, chunk: Chunk) -> None:
    what = "PNG's EXIF" if chunk.kind == b"eXIf" else "PNG text"
    data = source.block(chunk.place, chunk.length, what)
    if data is None:
        return
    if source.at(chunk.place + chunk.length, 4) != struct.pack(">I", zlib.crc32(data, zlib.crc32(chunk.kind))):
        source.problem(f"A {what} does not match its checksum; the file was damaged or changed.")
    if chunk.kind == b"eXIf":
        read_exif(source, data)
        return
    keyword, mark, rest = data.partition(b"\0")
    if not mark or len(keyword) > MOST_KEY_BYTES:
        source.problem("A PNG text has no keyword; the file was damaged.")
        return
    key = any_text(keyword)
    if (text := _text(source, chunk.kind, f"PNG text {key!r}", rest)) is None:
        return
    elif key == XMP_KEYWORD:
        read_xmp(source, text.encode())
    elif key in RAW:
        _read_raw(source, key, text)
    else:
        source.add("PNG comf" if chunk.kind == b"comf" else "PNG text", key, text)


def _text(source: Source, kind: bytes, what: str, rest: bytes) -> str | None:
    """The text behind the keyword."""
    if kind == b"zTXt":
        text = source.unpacked(rest[1:], what)
        return None if text is None else any_text(text)
    if kind != b"iTXt":
        return any_text(rest)
    packed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)  # language, keyword in that language, text
    if len(parts) < 3:
        source.problem(f"The {what} breaks off; the file was damaged.")
        return None
    text = source.unpacked(parts[2], what) if packed else parts[2]
    return None if text is None else any_text(text)


def _read_raw(source: Source, key: str, text: str) -> None:
    try:
        data = bytes.fromhex(text.strip().split("\n", 2)[2])
    except (ValueError, IndexError):
        source.problem(f"The PNG text {key!r} is no hexadecimal text; the file was damaged.")
        return
    if key == "Raw profile type xmp" or data.startswith(XMP_HEADER):
        read_xmp(source, data.removeprefix(XMP_HEADER))
    else:
        read_exif(source, data)
