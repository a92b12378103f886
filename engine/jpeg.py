"""A JPEG file as it may be sent on without being decoded: its picture, and nothing else that it carries.

Facts: ITU T.81 annex B (markers and their order), JFIF 1.02 (APP0), Adobe TN 5116 (APP14 tells RGB from YCbCr).
"""

from __future__ import annotations

import re

SIGNATURE = b"\xff\xd8\xff"
"""Every file begins so: SOI, and the next marker."""
SOI, EOI, SOS, COM = 0xD8, 0xD9, 0xDA, 0xFE
JFIF, ADOBE = 0xE0, 0xEE
APPLICATION = range(0xE0, 0xF0)
ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers that no length follows."""
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
HUFFMAN = {0xC0, 0xC1, 0xC2}
"""Frames that every decoder reads: baseline, extended, progressive."""
BITS, COLORS = 8, 3
PLAIN_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
ADOBE_HEAD, ADOBE_BYTES = b"\xff\xee\x00\x0e", 16
"""Marker and length of the segment that tells how colours are coded; with them it has so many bytes."""
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends the coded pixels of a scan."""


def bare(file: bytes) -> bytes | None:
    """The same picture without EXIF, XMP, colour profile, thumbnail, comments, and what stands behind its end. None for
    what must be decoded: no such JPEG, one in grey or CMYK, one that breaks off."""
    if file[:2] != bytes((0xFF, SOI)):
        return None
    kept, place = [file[:2]], 2
    while place + 4 <= len(file) or file[place : place + 2] == bytes((0xFF, EOI)):
        if file[place] != 0xFF:
            return None
        marker = file[place + 1]
        if marker == 0xFF:  # may fill
            place += 1
            continue
        if marker == EOI:
            return b"".join([*kept, file[place : place + 2]]) if len(kept) > 1 else None
        end = place + 2 if marker in ALONE else place + 2 + int.from_bytes(file[place + 2 : place + 4], "big")
        segment = file[place:end]
        if marker in FRAMES and not _is_plain(marker, segment):
            return None
        if marker == SOS:
            found = _NEXT.search(file, end)
            if found is None:
                return None
            end = found.start()
            segment = file[place:end]
        kept.append(_without_metadata(marker, segment))
        place = end
    return None


def _is_plain(marker: int, frame: bytes) -> bool:
    """Whether a frame is one that is sent as it is: marker, length, bits, height, width, number of colours."""
    return marker in HUFFMAN and len(frame) > 9 and (frame[4], frame[9]) == (BITS, COLORS)


def _without_metadata(marker: int, segment: bytes) -> bytes:
    if marker == JFIF:
        return PLAIN_JFIF if segment[4:9] == b"JFIF\0" else b""
    if marker == ADOBE and segment[4:9] == b"Adobe" and len(segment) >= ADOBE_BYTES:
        return ADOBE_HEAD + segment[len(ADOBE_HEAD) : ADOBE_BYTES]
    return b"" if marker == COM or marker in APPLICATION else segment
