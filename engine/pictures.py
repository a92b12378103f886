"""Pictures, from any PIL mode to what is sent: 8-bit RGB on white, within a pixel budget, as JPEG.

It knows nothing of models and servers. JPEG at quality 95 without chroma subsampling costs 4 to 6 ms for a megapixel,
a tenth of PNG, and keeps thin coloured lines. It is made only when it is wanted: an answer from the cache needs the
digest of the pixels alone, which costs 3 ms. A JPEG file that fits is sent as it is, less its metadata: decoding it
and encoding it anew would cost 12 ms, and a little of its quality. So is a PNG file, where that would cost 36 ms, if
the server is on this machine: it is three times as large, which a network may feel.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
import struct
import warnings
import zlib
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from PIL import Image, ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from ..prompts.errors import PictureError
from . import jpeg, png

MAX_ASPECT = 200
"""Qwen-VL's processor refuses longer and thinner pictures."""
JPEG_QUALITY = 95
DRAFT_PIXELS = 16_777_216
"""JPEGs much larger than this are decoded at a half or less; the largest pixel budget in the settings."""
ORIENTATION = 0x0112
UNREADABLE = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, RuntimeError),
    *(struct.error, zlib.error),
)
"""What Pillow's decoders raise on broken files (an unknown or truncated one is an OSError)."""


class EncodedPicture:
    """A picture as it is sent: its digest and its file on demand, in this order. Made by `encode()`."""

    def __init__(self, flat: Image.Image | None, size: tuple[int, int], file: bytes = b"") -> None:
        """Of pixels, or of a JPEG or PNG file that is sent as it is."""
        self.width, self.height = size
        self._flat = flat
        """The caller's own picture where nothing had to be changed: a copy would cost a third of the JPEG."""
        self._file = file
        self._digest = hashlib.sha256(file).digest() if file else b""

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of all that decides what is sent: the size, the pixels, how they are encoded."""
        if not self._digest:
            if self._flat is None:
                raise RuntimeError("digest comes before file, which lets the pixels go")
            sha256 = hashlib.sha256(f"RGB {self.width}x{self.height} JPEG {JPEG_QUALITY}\0".encode())
            sha256.update(self._flat.tobytes())
            self._digest = sha256.digest()
        return self._digest.hex()

    @property
    def file(self) -> bytes:
        """What is sent: a JPEG, or the PNG that it came from. The first call encodes it and lets the pixels go, which
        are ten times as large."""
        if self._flat is not None:
            file = io.BytesIO()
            # Pillow would write the comment of the file that it came from
            self._flat.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0, comment=b"")
            self._file, self._flat = file.getvalue(), None
        return self._file

    def check(self) -> None:
        """See whether what is sent can be decoded, which nobody has tried of a file as it is. Raises PictureError."""
        open_picture(io.BytesIO(self.file))

    def data_url(self) -> str:
        """The picture as a `data:` URL, the way the OpenAI API takes it."""
        kind = "png" if self.file.startswith(png.SIGNATURE) else "jpeg"
        return f"data:image/{kind};base64," + base64.b64encode(self.file).decode("ascii")


def encode(picture: Image.Image, max_pixels: int, *, png_as_it_is: bool = False) -> EncodedPicture:
    """Scale `picture`, of any mode, down to `max_pixels` (never up; the aspect stays), ready to be sent: as JPEG, or
    as the PNG file that it is in where `png_as_it_is`.

    Transparency becomes white, EXIF orientation is applied, metadata is left out. Raises PictureError.
    """
    _check_size(picture)
    if _budgeted(picture.size, max_pixels) == picture.size and (file := _undecoded(picture, png_as_it_is)):
        return EncodedPicture(None, picture.size, file)
    small = flat(picture, max_pixels)
    return EncodedPicture(small, small.size)


def _undecoded(picture: Image.Image, png_as_it_is: bool) -> bytes | None:
    """The file of a picture that nobody has decoded, where it may be sent as it is."""
    if type(picture) is PngImageFile:
        return png.bare(_file_of(picture)) if png_as_it_is else None
    if type(picture) is not JpegImageFile or not (file := _file_of(picture)):
        return None
    try:
        upright = picture.getexif().get(ORIENTATION, 1) == 1
    except UNREADABLE:  # broken EXIF says nothing about the pixels
        upright = True
    return jpeg.bare(file) if upright else None


def _file_of(picture: ImageFile.ImageFile) -> bytes:
    """What it will be decoded from, where it has not been, and was read as a whole."""
    return picture.fp.getvalue() if picture.tile and isinstance(picture.fp, io.BytesIO) else b""


def flat(picture: Image.Image, max_pixels: int) -> Image.Image:
    """`picture`, of any mode, in 8-bit RGB as it is seen: upright, on white, scaled down to `max_pixels`; the very same
    where nothing had to be changed. Raises PictureError."""
    try:
        if type(picture) is JpegImageFile and picture.tile:
            # decoded at a half, a quarter or an eighth, still twice what is wanted, as _fit shrinks it on the way
            width, height = _budgeted(picture.size, max_pixels)
            picture.draft(None, (2 * width, 2 * height))
            picture.load()
        small = _fit(_eight_bit(picture), max_pixels)
        return _on_white(_upright(small, picture))
    except MemoryError as error:
        raise PictureError("The picture does not fit into memory; scale it down first.") from error
    except UNREADABLE as error:
        raise PictureError(
            f"The picture (mode {picture.mode}) cannot be decoded ({error}); save it again as PNG."
        ) from error


def open_undecoded(file: str | Path | IO[bytes]) -> Image.Image:
    """Read a picture file; a JPEG or PNG is decoded when its pixels are wanted, which `encode` may not, and only then
    it is known whether they can be. Raises PictureError as `open_picture`, which reads all else."""
    try:
        with open(file, "rb") if isinstance(file, str | Path) else nullcontext(file) as opened:
            begins = opened.read(len(png.SIGNATURE))
            opened.seek(0)
            if begins.startswith((jpeg.SIGNATURE, png.SIGNATURE)):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return Image.open(io.BytesIO(opened.read()))
    except (Image.DecompressionBombError, *UNREADABLE):
        pass  # which open_picture tells of
    if not isinstance(file, str | Path):
        file.seek(0)
    return open_picture(file)


def open_picture(file: str | Path | IO[bytes]) -> Image.Image:
    """Read a picture file. Raises PictureError naming the file and what is wrong with it.

    A very large JPEG is decoded at a half, a quarter or an eighth of its size, still above every pixel budget.
    """
    name = getattr(file, "name", "the picture") if not isinstance(file, str | Path) else str(file)
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata, and of a decompression bomb from 89 megapixels; from 179 it raises
            warnings.simplefilter("ignore")
            with Image.open(file) as picture:
                if picture.width * picture.height > DRAFT_PIXELS:
                    picture.draft(None, _budgeted(picture.size, DRAFT_PIXELS))
                picture.load()
                return picture
    except FileNotFoundError as error:
        raise PictureError(f"There is no file {name}; check the path.") from error
    except Image.UnidentifiedImageError as error:
        raise PictureError(f"{name} is not a picture that Pillow can read; give a PNG, JPEG or WebP file.") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} has more than 178 megapixels; scale it down first.") from error
    except MemoryError as error:
        raise PictureError(f"{name} does not fit into memory; scale it down first.") from error
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PictureError(f"{name} cannot be read ({reason}); check the file, or save it again as PNG.") from error


def _check_size(picture: Image.Image) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise PictureError(f"The picture is empty ({width}x{height} pixels); give one with pixels in it.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PictureError(
            f"The picture is too long and thin ({width}x{height} pixels, more than {MAX_ASPECT}:1); crop or split it."
        )


def _budgeted(size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """The largest size of the same aspect within the budget, never larger than `size`."""
    width, height = size
    if width * height <= max_pixels:
        return size
    return max(1, math.isqrt(max_pixels * width // height)), max(1, math.isqrt(max_pixels * height // width))


def _fit(picture: Image.Image, max_pixels: int) -> Image.Image:
    size = _budgeted(picture.size, max_pixels)
    if size == picture.size:
        return picture
    # reducing_gap shrinks by whole numbers first: less than half the time, no visible difference
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """The picture in RGB, or in RGBA where something may show through."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _grey(picture).convert("RGB")
    if picture.mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB") or picture
    if picture.mode == "La":
        picture = picture.convert("LA")
    wanted = "RGBA" if picture.has_transparency_data else "RGB"
    return picture if picture.mode == wanted else picture.convert(wanted)


def _grey(picture: Image.Image) -> Image.Image:
    """A 16-bit, 32-bit or float picture in 8-bit grey.

    16-bit modes say what white is. The others don't: it is the first of 1 (float only), 255 and 65535 that no pixel
    exceeds, else the highest pixel.
    """
    if picture.mode.startswith("I;16"):
        # Pillow's point() takes no big-endian mode
        return picture.convert("I").point(lambda value: value * (255 / 65535) + 0).convert("L")
    low, high = picture.getextrema()
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not math.isfinite(low + high):
        raise PictureError("The picture has pixels that are not numbers; correct the step that made it.")
    whites = (1, 255, 65535) if picture.mode == "F" else (255, 65535)
    white = next((white for white in whites if high <= white), high)
    return picture.convert("F").point(lambda value: value * (255 / white) + 0).convert("L")


def _upright(picture: Image.Image, original: Image.Image) -> Image.Image:
    """`picture` turned as the original's EXIF says."""
    try:
        orientation = original.getexif().get(ORIENTATION, 1)
    except SyntaxError:  # broken EXIF says nothing about the pixels
        orientation = 1
    if orientation == 1:
        return picture
    turned = picture.copy()
    turned.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(turned)


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB")
