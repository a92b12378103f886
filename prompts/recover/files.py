"""Opens a picture file and finds its texts, by what it is rather than by its name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import RecoverError
from . import jpeg, png
from .carried import Carried
from .source import Source
from .webp import FIRST_CHUNK, is_webp, read_webp

OTHERS = re.compile(
    rb"GIF8|BM|II[*+]\0|MM\0[*+]|\xff\x0a|\0\0\0\x0c(?:JXL |jP  )|.{4}ftyp(?:avi[fs]|hei[cfmsx]|hev[cmsx]|mif1|msf1)"
    rb"|8BPS|\0\0\x01\0|P[1-6]\s|qoif|DDS |v/1\x01",
    re.DOTALL,
)
"""Pictures in which no generator leaves a prompt that is read here: GIF, BMP, TIFF, JPEG XL and 2000, AVIF, HEIF,
Photoshop's, icons, PNM, QOI, DDS, OpenEXR."""


@contextmanager
def opened(file: str | Path | IO[bytes]) -> Iterator[IO[bytes]]:
    """The file, at its start: a path is opened (it must be a regular file) and closed again; an open file is used as
    it is, and left open.

    Raises RecoverError for a path that is no regular file and for a stream that cannot be sought in; OSError as `open`.
    """
    if not isinstance(file, (str, Path)):
        if not (hasattr(file, "seekable") and file.seekable()):
            raise RecoverError("The open file cannot be sought in; save it to disk, and name its path.")
        file.seek(0)
        yield file
        return
    _check_regular(file)
    # Without a buffer: what is stepped over is not read, and what is read is wanted.
    with open(file, "rb", buffering=0) as stream:
        yield stream


def _check_regular(path: str | Path) -> None:
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:
        raise RecoverError("That is no file's name; check the path.") from error
    if stat.S_ISDIR(mode):
        raise RecoverError("It is a folder; name a picture file in it.")
    if not stat.S_ISREG(mode):  # a pipe or a device might never end
        raise RecoverError("It is no regular file; save the picture to disk, and name its path.")


def read_file(stream: IO[bytes]) -> Carried:
    """All texts that a PNG, JPEG or WebP has beside its pixels. What cannot be read of it is among the problems. Other
    pictures are known by their first bytes, and not read.

    Raises RecoverError for what is no picture.
    """
    source = Source(stream)
    start = source.at(0, FIRST_CHUNK)
    if start.startswith(png.SIGNATURE):
        png.read_png(source)
        return source.carried("PNG")
    if start.startswith(jpeg.SIGNATURE):
        jpeg.read_jpeg(source)
        return source.carried("JPEG")
    if is_webp(start):
        read_webp(source)
        return source.carried("WebP")
    if OTHERS.match(start):
        return source.carried("other")
    if not start:
        raise RecoverError("The file is empty; it was not saved or not copied whole.")
    raise RecoverError("The file is no picture; name a PNG, JPEG or WebP, the files that carry prompts.")
