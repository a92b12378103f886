"""Texts hidden in the lowest bits of a picture's pixels, column by column: of its alpha, or of red, green and blue.

First 15 letters that name the way, then how many bits follow (32 bits), then UTF-8, plain or packed by gzip. Facts:
what NovelAI and A1111's extension stealth-pnginfo write. Needs lossless pixels: PNG, and WebP where it is lossless.
"""

from __future__ import annotations

import io
import struct
import zlib
from bisect import bisect_right
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Literal, NamedTuple, cast

from ..errors import RecoverError
from . import png, webp
from .carried import Carried, Field
from .limits import MOST_STEALTH_PIXELS, MOST_STEALTH_WEBP_PIXELS, MOST_TEXT_BYTES
from .source import Source, any_text, bounded_unpack

if TYPE_CHECKING:
    from PIL import Image

Way = Literal["alpha", "rgb"]
WAYS: dict[str, tuple[Way, ...]] = {"RGB": ("rgb",), "RGBA": ("alpha", "rgb")}
"""By Pillow's mode; others are not written with hidden texts."""
SIGNATURES: dict[bytes, tuple[Way, bool]] = {
    b"stealth_pnginfo": ("alpha", False),
    b"stealth_pngcomp": ("alpha", True),
    b"stealth_rgbinfo": ("rgb", False),
    b"stealth_rgbcomp": ("rgb", True),
}
"""Where the text is, and whether it is packed."""
HEADER_BYTES = 15 + 4
STRIP_PIXELS = 1 << 20
"""Columns are unpacked in strips of about so many pixels."""
MOST_PALETTE_BYTES = 768
VP8X_ALPHA = 0x10
GZIP = 31
"""For zlib: gzip's header, the largest window."""


class Piece(NamedTuple):
    """A part of a file: from where, how many bytes."""

    place: int
    length: int


def hidden_field(stream: IO[bytes], carried: Carried) -> Field | None:
    """The text that the pixels hide; None where they hide none, for a JPEG, whose pixels are not kept exactly, and for
    a picture of more pixels than are searched (limits.py).

    Decodes the picture, in at most 300 MB. Raises RecoverError where it is damaged, or a hidden text is.
    """
    if carried.kind == "JPEG":
        return None
    source = Source(stream)
    pixels = _png_pixels(source) if carried.kind == "PNG" else _webp_pixels(source)
    if pixels is None:
        return None
    image = _decoded(pixels)
    return next((field for way in WAYS.get(image.mode, ()) if (field := _read(image, way))), None)


def _read(image: Image.Image, way: Way) -> Field | None:
    """The text that is hidden this way."""
    capacity = image.width * image.height * (3 if way == "rgb" else 1) // 8
    if capacity < HEADER_BYTES:
        return None
    header = _hidden_bytes(image, way, HEADER_BYTES)
    told, packed = SIGNATURES.get(header[:15], ("", False))
    if told != way:
        return None
    (bits,) = struct.unpack(">I", header[15:])
    length = bits // 8
    if HEADER_BYTES + length > capacity or length > MOST_TEXT_BYTES:
        raise RecoverError("The text hidden in the pixels tells a length that cannot be; the picture was changed.")
    data = _hidden_bytes(image, way, HEADER_BYTES + length)[HEADER_BYTES:]
    text = any_text(_unpacked(data) if packed else data).rstrip("\0")
    return Field("pixels", way, text) if text.strip() else None


def _unpacked(data: bytes) -> bytes:
    try:
        text = bounded_unpack(data, MOST_TEXT_BYTES, GZIP)
    except zlib.error as error:
        raise RecoverError("The text hidden in the pixels cannot be unpacked; the picture was changed.") from error
    if len(text) > MOST_TEXT_BYTES:
        raise RecoverError(f"The text hidden in the pixels is larger than {MOST_TEXT_BYTES >> 20} MB; it was not read.")
    return text


def _hidden_bytes(image: Image.Image, way: Way, count: int) -> bytes:
    """The first so many bytes that the lowest bits make, from as few columns as hold them."""
    import numpy as np

    channels = 3 if way == "rgb" else 1
    columns = -(-count * 8 // (image.height * channels))
    step = 8 * max(1, STRIP_PIXELS // image.height // 8)  # so that each strip makes whole bytes
    found = b""
    for left in range(0, columns, step):
        strip = image.crop((left, 0, min(left + step, columns), image.height))
        values = np.asarray(strip.getchannel("A") if way == "alpha" else strip)
        bits = values.reshape(*values.shape[:2], -1)[..., :channels] & 1
        found += np.packbits(bits.transpose(1, 0, 2)).tobytes()
    return found[:count]


# Pixels, and nothing else of the file


def _decoded(file: IO[bytes]) -> Image.Image:
    from PIL import Image

    try:
        image = Image.open(file, formats=("PNG", "WEBP"))
        image.load()
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise RecoverError("The picture's pixels cannot be decoded; the file was damaged.") from error
    return image


def _searched(width: int, height: int, most: int) -> bool:
    """Whether it is small enough to be."""
    if not (width and height):
        raise RecoverError("The picture has no pixels; the file was damaged.")
    return width * height <= most


def _png_pixels(source: Source) -> IO[bytes] | None:
    """The file without all that is not pixels: Pillow reads texts and profiles too, and stumbles over some. None for a
    picture that is too large."""
    parts: list[Piece | bytes] = [png.SIGNATURE]
    for chunk in png.chunks(source):
        if chunk.kind == b"IHDR" and len(parts) == 1:
            if not _searched(*struct.unpack(">II", source.at(chunk.place, 8).ljust(8, b"\0")), MOST_STEALTH_PIXELS):
                return None
        elif chunk.kind != b"IDAT" and (chunk.kind not in (b"PLTE", b"tRNS") or chunk.length > MOST_PALETTE_BYTES):
            continue
        parts.append(_piece(source, chunk.place - 8, chunk.end))
    return cast(IO[bytes], _Pieces(source, parts))


def _webp_pixels(source: Source) -> IO[bytes] | None:
    """The still picture as a file of its own; None for an animation, for a lossy one without alpha, and for a picture
    that is too large."""
    parts: dict[bytes, tuple[Piece | bytes, ...]] = {}
    length = 4
    for chunk in webp.chunks(source):
        if chunk.kind in (b"ANIM", b"ANMF"):
            return None
        if chunk.kind not in (b"VP8X", b"VP8L", b"VP8 ", b"ALPH") or chunk.kind in parts:
            continue
        if (size := webp.frame_size(source, chunk)) and not _searched(*size, MOST_STEALTH_WEBP_PIXELS):
            return None
        if chunk.length > 4 * MOST_STEALTH_WEBP_PIXELS:
            raise RecoverError("The picture's pixels take more bytes than they can; the file was damaged.")
        head = chunk.kind + struct.pack("<I", chunk.length)
        if chunk.kind == b"VP8X":
            data = source.at(chunk.place, chunk.length)
            parts[chunk.kind] = (head, bytes(byte & VP8X_ALPHA for byte in data[:1]), data[1:])
        else:
            parts[chunk.kind] = (
                head,
                _piece(source, chunk.place, chunk.place + chunk.length),
                b"\0" * (chunk.length % 2),
            )
        length += 8 + chunk.length + chunk.length % 2
    if b"VP8L" not in parts and b"ALPH" not in parts:
        return None
    start = b"RIFF" + struct.pack("<I", length) + b"WEBP"
    return cast(IO[bytes], _Pieces(source, [start, *(part for three in parts.values() for part in three)]))


def _piece(source: Source, start: int, end: int) -> Piece:
    """From there to there, as far as the file goes."""
    return Piece(start, max(0, min(end, source.size) - start))


class _Pieces(io.RawIOBase):
    """Pieces of a file, and bytes, as one file, without a copy. It never takes memory for more than it has: Pillow asks
    for as much as a forged length tells."""

    def __init__(self, source: Source, parts: list[Piece | bytes]) -> None:
        lengths = [len(part) if isinstance(part, bytes) else part.length for part in parts]
        self._source = source
        self._parts = parts
        self._ends = list(accumulate(lengths))
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._ends[-1])[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = self._ends[-1] - self._at
        left = left if size < 0 else min(size, left)
        found: list[bytes] = []
        while left > 0 and (data := self._of_one_piece(left)):
            found.append(data)
            left -= len(data)
            self._at += len(data)
        return b"".join(found)

    def _of_one_piece(self, count: int) -> bytes:
        which = bisect_right(self._ends, self._at)
        part, left = self._parts[which], self._ends[which] - self._at
        if isinstance(part, bytes):
            return part[len(part) - left :][:count]
        return self._source.at(part.place + part.length - left, min(count, left))
