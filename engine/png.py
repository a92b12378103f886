"""A PNG file as it may be sent on without being decoded: its picture, and nothing else that it carries.

Facts: PNG specification, third edition (W3C, 2025): chunks (5.3), IHDR (11.2.2), what is critical (5.4).
"""

from __future__ import annotations

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEAST_CHUNK = 12
"""Bytes of one: length, type, CRC."""
HEAD, END = b"\0\0\0\rIHDR", b"\0\0\0\0IEND\xaeB`\x82"
"""How the first chunk begins, and all of the last."""
PLAIN = bytes((8, 2, 0, 0, 0))
"""The end of an IHDR: 8 bits, red, green and blue, the one compression, the one filter method, not interlaced."""
KNOWN = {b"IDAT", b"PLTE"}
"""Chunks between those two that a decoder must know. Their first letter is a capital; what others are, only their
makers know, and of two IHDR decoders take the first or the last."""
CHANGING = {b"tRNS", b"acTL", b"eXIf"}
"""What may make another picture of the pixels: a colour that is clear, an animation, a turn by 90 degrees."""
TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
TURNING = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")
"""Texts that may tell of such a turn, too."""


def bare(file: bytes) -> bytes | None:
    """The same picture without texts, EXIF, colour profile, and what stands behind its end. None for what must be
    decoded: no such PNG, one that is not 8-bit RGB, may show through or moves, one that is damaged or breaks off."""
    if not file.startswith(SIGNATURE + HEAD) or file[24:29] != PLAIN:
        return None
    kept, place = [SIGNATURE], len(SIGNATURE)
    while place + LEAST_CHUNK <= len(file):
        end = place + LEAST_CHUNK + int.from_bytes(file[place : place + 4], "big")
        kind = file[place + 4 : place + 8]
        if kind in CHANGING or (kind in TEXTS and file.startswith(TURNING, place + 8)):
            return None
        if kind == b"IEND":
            return b"".join([*kept, END]) if len(kept) > 2 else None
        if kind == b"IDAT" or place == len(SIGNATURE):
            chunk = memoryview(file)[place:end]
            if end > len(file) or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                return None
            kept.append(bytes(chunk))
        elif kind[:1].isupper() and kind not in KNOWN:
            return None
        place = end
    return None
