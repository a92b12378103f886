"""The texts of EXIF, whoever wrote them: the specification's encodings are followed by few.

A comment begins with 8 bytes that name its encoding. A1111 writes "UNICODE" and UTF-16 BE, Civitai UTF-16 of either
order, others "ASCII" and UTF-8 behind it, or no such bytes at all. So the text itself decides. Tags of type ASCII hold
UTF-8. ComfyUI keeps graphs in Model and Make, and further ones in the tags before Make.

Facts: TIFF 6.0 (directories), Exif 2.32 (UserComment), Microsoft's XP tags (UTF-16 LE).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from .source import Source, any_text

EXIF_HEADER = b"Exif\0\0"
NAMES = {
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x927C: "MakerNote",
    0x9286: "UserComment",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9D: "XPAuthor",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
}
BASELINE = range(0x0100, 0x0132)
"""Tags that ComfyUI may have used, counting down from Make; their names matter to nobody else."""
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
XP = range(0x9C9B, 0x9CA0)
ASCII = 2
UTF8 = 129
"""A type of Exif 3.0."""
SIZES = {1: 1, ASCII: 1, 3: 2, 4: 4, 6: 1, 7: 1, 13: 4, UTF8: 1}
"""Bytes of one value, by type."""
ANY_TYPE = (EXIF_IFD, USER_COMMENT, *XP)
"""Tags that are read whatever their type; the others are texts, or nothing that is read."""
CODES = {b"UNICODE\0", b"ASCII\0\0\0", bytes(8)}
LIKELY = re.compile(
    r"[\n\r\t -~]|(?P<other>[\u00a0-\u052f\u2010-\u203a\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff01-\uffee])"
)
"""What prompts are written in: ASCII counts twice."""
SAMPLE_BYTES = 8192
SHORT_BYTES = 16
"""A shorter text may be UTF-16 and readable as ASCII by chance: two letters for one Chinese character."""


def is_tiff(data: bytes) -> bool:
    """Whether a TIFF begins here."""
    return data[:4] in (b"II*\0", b"MM\0*")


def read_exif(source: Source, data: bytes) -> None:
    """Adds the texts of one EXIF block, with or without the header that it has in a JPEG."""
    data = data.removeprefix(EXIF_HEADER)
    if not is_tiff(data):
        source.problem("The EXIF is damaged: it does not begin as one.")
        return
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", data.ljust(8, b"\0"), 4)
    seen: set[int] = set()
    second = None
    for tag, value in _entries(source, data, first, order):
        if tag == EXIF_IFD and len(value) == 4:
            (second,) = struct.unpack(order + "I", value)
        else:
            _add(source, tag, value, order, seen)
    if second is not None and second != first:
        for tag, value in _entries(source, data, second, order):
            _add(source, tag, value, order, seen)


def _entries(source: Source, data: bytes, at: int, order: str) -> Iterator[tuple[int, memoryview]]:
    """Tag and value of what may be text, in one directory, and told where that is damaged; all else is stepped over."""
    if at + 2 > len(data):
        source.problem("The EXIF breaks off; the file was damaged.")
        return
    (count,) = struct.unpack_from(order + "H", data, at)
    view = memoryview(data)
    for place in range(at + 2, at + 2 + 12 * count, 12):
        if place + 12 > len(data):
            source.problem("The EXIF breaks off; the file was damaged.")
            return
        tag, kind, values = struct.unpack_from(order + "HHI", data, place)
        if tag not in ANY_TYPE and (kind not in (ASCII, UTF8) or (tag not in NAMES and tag not in BASELINE)):
            continue
        length = SIZES.get(kind, 0) * values
        start = place + 8
        if length > 4:
            (start,) = struct.unpack_from(order + "I", data, place + 8)
        if start + length > len(data):
            source.problem(f"The EXIF {_name(tag)} breaks off; the file was damaged.")
        else:
            yield tag, view[start : start + length]


def _add(source: Source, tag: int, value: memoryview, order: str, seen: set[int]) -> None:
    """One tag's text, the first time that it comes."""
    if tag in seen or tag == EXIF_IFD:
        return
    seen.add(tag)
    if not source.affords(len(value), f"EXIF {_name(tag)}"):
        return
    data = bytes(value)
    if tag == USER_COMMENT:
        text = comment_text(data, order)
    elif tag in XP:
        text = data[: len(data) & ~1].decode("utf-16-le", "replace")
    else:
        text = any_text(data.rstrip(b"\0"))
    source.add("EXIF", _name(tag), text)


def _name(tag: int) -> str:
    return NAMES.get(tag, f"0x{tag:04X}")


def comment_text(data: bytes, order: str = ">") -> str:
    """The text of a UserComment; `order` of the TIFF (as `struct` has it) decides only where nothing else does."""
    code = data[:8] if data[:8] in CODES else b""
    body = data[len(code) :]
    plain = body.rstrip(b"\0")
    wide = code == b"UNICODE\0"
    if (len(plain) < SHORT_BYTES or b"\0" in plain) if wide else _looks_wide(plain):
        return _utf16(body, order)
    text = _utf8(plain)
    if text is None and (wide or _is_foreign(plain)):
        return _utf16(body, order)
    return any_text(plain) if text is None else text


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _looks_wide(data: bytes) -> bool:
    """Latin letters in UTF-16: about every second byte is NUL."""
    sample = data[:SAMPLE_BYTES]
    return sample.count(0) > 0.25 * len(sample)


def _is_foreign(data: bytes) -> bool:
    """UTF-16 rather than latin-1: hardly any ASCII in it."""
    sample = data[:SAMPLE_BYTES]
    return sum(32 <= byte < 127 for byte in sample) < 0.7 * len(sample)


def _utf16(data: bytes, order: str) -> str:
    """Of the order in which it reads as text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data[: len(data) & ~1].decode("utf-16", "replace")
    sample = data[:SAMPLE_BYTES]
    likely = {name: _likeliness(sample.decode(name, "replace")) for name in ("utf-16-be", "utf-16-le")}
    likely["utf-16-be" if order == ">" else "utf-16-le"] += 1
    best = max(likely, key=lambda name: likely[name])
    return data[: len(data) & ~1].decode(best, "replace")


def _likeliness(text: str) -> int:
    return sum(2 if match["other"] else 4 for match in LIKELY.finditer(text))
