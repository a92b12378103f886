"""The texts of a JPEG: EXIF and XMP in APP1, comments, content credentials in APP11. Nothing behind its first scan.

Facts: ITU T.81 annex B (markers); Exif 2.32 (APP1); XMP specification part 3 (extended XMP); ISO 19566-5 (APP11).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .credentials import MOST_CREDENTIALS_BYTES, claimed_by
from .exif import EXIF_HEADER, is_tiff, read_exif
from .limits import MOST_BLOCKS
from .source import BREAKS_OFF, Source, any_text
from .xmp import XMP_HEADER, read_xmp

SIGNATURE = b"\xff\xd8\xff"
MORE_XMP_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
COM, APP1, APP11, SOS, EOI = 0xFE, 0xE1, 0xEB, 0xDA, 0xD9
ALONE = {0x01, *range(0xD0, 0xD9)}
"""Markers that no length follows."""
SIZES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame: 8 bits of depth, then height and width."""


class Segment(NamedTuple):
    """A segment's marker, and where its data stand."""

    marker: int
    place: int
    length: int


def read_jpeg(source: Source) -> None:
    """Everything that a JPEG carries before its picture."""
    exif: list[bytes] = []
    more_xmp: dict[int, bytes] = {}
    jumbf: list[bytes] = []
    for segment in segments(source):
        if segment.marker in SIZES and source.width is None:
            source.height, source.width = _size(source.at(segment.place, 5))
        if segment.marker not in (APP1, COM, APP11):
            continue
        data = source.block(segment.place, segment.length, "JPEG's text")
        if data is None:
            continue
        if segment.marker == COM:
            source.add("JPEG comment", "", any_text(data))
        elif segment.marker == APP11 and data.startswith(b"JP"):
            jumbf.append(data)
        elif data.startswith(EXIF_HEADER):
            exif.append(data[len(EXIF_HEADER) :])
        elif data.startswith(XMP_HEADER):
            read_xmp(source, data[len(XMP_HEADER) :])
        elif data.startswith(MORE_XMP_HEADER):
            more_xmp[int.from_bytes(data[71:75], "big")] = data[75:]
    for whole in _whole(exif):
        read_exif(source, whole)
    if more_xmp:
        read_xmp(source, b"".join(part for _, part in sorted(more_xmp.items())))
    if jumbf:
        source.credentials = claimed_by(_box(jumbf))


def segments(source: Source) -> Iterator[Segment]:
    """The segments in their order, up to the first scan or to where the file breaks off; the problem is told."""
    at = 2
    for _ in range(MOST_BLOCKS):
        head = source.at(at, 4)
        if len(head) > 1 and head[0] == 0xFF and head[1] in (SOS, EOI):
            return
        if len(head) < 4 or head[0] != 0xFF:
            break
        if head[1] == 0xFF:  # a fill byte
            at += 1
        elif head[1] in ALONE:
            at += 2
        else:
            length = int.from_bytes(head[2:], "big")
            if length < 2:
                break
            yield Segment(head[1], at + 4, length - 2)
            at += 2 + length
    else:
        source.problem(f"The file has more than {MOST_BLOCKS:,} segments; not all were read.")
        return
    source.problem(BREAKS_OFF)


def _size(data: bytes) -> tuple[int | None, int | None]:
    """Height and width."""
    if len(data) < 5:
        return None, None
    return int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:5], "big")


def _whole(parts: list[bytes]) -> list[bytes]:
    """EXIF blocks, put together where one takes several segments: only its first begins as a TIFF."""
    found: list[list[bytes]] = []
    for part in parts:
        if found and not is_tiff(part):
            found[-1].append(part)
        else:
            found.append([part])
    return [b"".join(pieces) for pieces in found]


def _box(parts: list[bytes]) -> bytes:
    """The JUMBF box that APP11 segments hold: each has "JP", a box's number (2 bytes), its own number (4), and the
    header of the box (8) again, which counts once."""
    parts = sorted(parts, key=lambda part: part[2:8])
    return b"".join(part[16 if at else 8 :] for at, part in enumerate(parts))[:MOST_CREDENTIALS_BYTES]
