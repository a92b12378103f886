"""Text hidden in pixels is read exactly where it is, and nothing is made up where it is not."""

from __future__ import annotations

import gzip
import io
import struct
from typing import Literal

import numpy as np
import pytest
from img2prompt.prompts.errors import RecoverError
from img2prompt.prompts.recover import limits, stealth
from img2prompt.prompts.recover.carried import Field
from img2prompt.prompts.recover.files import read_file
from img2prompt.prompts.recover.stealth import hidden_field
from img2prompt.tests.unit.prompts.recover import containers
from img2prompt.tests.unit.prompts.recover.containers import (
    jpeg,
    picture,
    png,
    png_chunk,
    png_chunks,
    png_of,
    saved,
    webp,
    webp_chunks,
    webp_of,
)
from PIL import Image

WORDS = "a fox, 雪の中の狐 — « été », 😀🦊\nNegative prompt: блюр\nSteps: 20, Seed: 1"


def hidden(file: bytes) -> Field | None:
    stream = io.BytesIO(file)
    return hidden_field(stream, read_file(stream))


@pytest.mark.parametrize("file", ["PNG", "WEBP"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("mode", ["alpha", "rgb"])
@pytest.mark.parametrize("size", [None, (7, 400), (400, 7), (64, 64)])
def test_hidden_text_is_read_exactly(
    mode: Literal["alpha", "rgb"], compressed: bool, file: Literal["PNG", "WEBP"], size: tuple[int, int] | None
) -> None:
    text = "a fox" if size else WORDS * 20
    made = containers.stealth(text, mode=mode, compressed=compressed, file=file, size=size)
    assert hidden(made) == Field("pixels", mode, text)


def test_hidden_text_is_read_over_many_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stealth, "STRIP_PIXELS", 200)
    for mode in ("alpha", "rgb"):
        made = containers.stealth(WORDS * 50, mode=mode, compressed=False)
        assert hidden(made) == Field("pixels", mode, WORDS * 50)


def in_alpha_of(image: Image.Image) -> Image.Image:
    """This picture, with the alpha of one that hides a text."""
    secret = Image.open(io.BytesIO(containers.stealth(WORDS, size=image.size)))
    image.putalpha(secret.getchannel("A"))
    return image


def test_alpha_is_read_in_a_webp_whose_colours_are_lossy() -> None:
    made = saved(in_alpha_of(picture((64, 64))), "WEBP", lossless=False, quality=50)
    assert [kind for kind, _ in webp_chunks(made)] == [b"VP8X", b"ALPH", b"VP8 "]
    assert hidden(made) == Field("pixels", "alpha", WORDS)


def test_colours_are_read_in_a_picture_with_alpha() -> None:
    secret = Image.open(io.BytesIO(containers.stealth(WORDS, mode="rgb", size=(64, 64))))
    assert hidden(saved(secret.convert("RGBA"), "PNG")) == Field("pixels", "rgb", WORDS)


def test_what_else_is_in_the_file_does_not_hinder() -> None:
    own = png_chunks(containers.stealth(WORDS))
    bomb = (b"zTXt", b"a\0\0" + b"x\x9c" + bytes(1000))
    second = (b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 6, 0, 0, 0))
    more = [bomb, (b"iCCP", b"broken"), (b"tEXt", b"a\0" + b"x" * 2_000_000), second, (b"PLTE", bytes(3000))]
    assert hidden(png_of([own[0], *more, *own[1:]])) == Field("pixels", "alpha", WORDS)
    chunks = webp_chunks(containers.stealth(WORDS, file="WEBP"))
    side = Image.open(io.BytesIO(webp_of(chunks))).width - 1
    extended = (b"VP8X", bytes([0x3C, 0, 0, 0]) + side.to_bytes(3, "little") * 2)
    made = webp_of([extended, (b"ICCP", b"broken"), *chunks, (b"EXIF", b"x")])
    assert hidden(made) == Field("pixels", "alpha", WORDS)


@pytest.mark.parametrize(
    "file",
    [
        png(size=(64, 64)),
        saved(picture((64, 64), "RGBA"), "PNG"),
        saved(picture((64, 64), "L"), "PNG"),
        saved(picture((64, 64)).quantize(16), "PNG"),
        png(size=(1, 1)),
        png(size=(2, 75)),
        webp(size=(64, 64), lossless=True),
        webp(size=(64, 64)),
        webp(size=(64, 64), animated=True),
        jpeg(size=(64, 64)),
        containers.stealth("", compressed=False),
        containers.stealth("", compressed=True),
    ],
)
def test_where_nothing_is_hidden_nothing_is_found(file: bytes) -> None:
    assert hidden(file) is None


def bomb(unpacked: int) -> bytes:
    return gzip.compress(bytes(unpacked), mtime=0)


PACKED = gzip.compress(WORDS.encode(), mtime=0)
TOO_LONG = "tells a length that cannot be"
BROKEN = "cannot be unpacked"
UNDECODED = "pixels cannot be decoded"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (containers.stealth("fox", bits=0xFFFFFFF8), TOO_LONG),
        (containers.stealth("fox", mode="rgb", bits=0xFFFFFFFF), TOO_LONG),
        (containers.stealth("fox", size=(50, 50), bits=2500 - 120 - 32 + 8), TOO_LONG),
        (containers.stealth("", data=PACKED[:-9]), BROKEN),
        (containers.stealth("", data=PACKED[:20] + b"\xff\xff" + PACKED[22:]), BROKEN),
        (containers.stealth("", data=b"no gzip at all"), BROKEN),
        (containers.stealth("", data=bomb(limits.MOST_TEXT_BYTES + 1)), "larger than 8 MB"),
        (containers.stealth(WORDS)[:-300], UNDECODED),
        (containers.stealth(WORDS, file="WEBP")[:-300], UNDECODED),
        (png_of([png_chunks(png())[0], (b"IEND", b"")]), UNDECODED),
        (png_of([(b"IHDR", bytes(13)), (b"IEND", b"")]), "has no pixels"),
        (webp_of([(b"VP8X", b""), (b"VP8L", b"")]), UNDECODED),
    ],
)
def test_what_cannot_be_read_is_one_kind_of_error(file: bytes, message: str) -> None:
    with pytest.raises(RecoverError, match=message):
        hidden(file)


@pytest.mark.parametrize(
    "file",
    [
        png_of([(b"IHDR", struct.pack(">IIBBBBB", 8000, 5001, 8, 6, 0, 0, 0)), (b"IEND", b"")]),
        webp_of([(b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(20))]),
    ],
    ids=["PNG", "WebP"],
)
def test_a_picture_of_too_many_pixels_is_not_decoded(file: bytes) -> None:
    """It has no pixels at all: decoding it would be an error."""
    assert hidden(file) is None


def test_the_most_that_a_picture_holds_is_read() -> None:
    text = "x" * ((64 * 64 - 152) // 8)
    made = containers.stealth(text, compressed=False, size=(64, 64))
    assert hidden(made) == Field("pixels", "alpha", text)
    assert np.asarray(Image.open(io.BytesIO(made))).shape == (64, 64, 4)


def test_a_png_whose_pixels_stand_in_many_pieces_is_read() -> None:
    head, (_, pixels), end = png_chunks(containers.stealth(WORDS))
    pieces = [piece for at in range(len(pixels)) for piece in ((b"IDAT", pixels[at : at + 1]), (b"prVt", b""))]
    made = b"".join([containers.PNG_SIGNATURE, *(png_chunk(*chunk) for chunk in [head, *pieces, end])])
    assert hidden(made) == Field("pixels", "alpha", WORDS)
