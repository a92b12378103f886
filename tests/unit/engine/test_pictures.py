from __future__ import annotations

import io
import math
import random
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from img2prompt.engine import pictures
from img2prompt.engine.pictures import EncodedPicture, encode, open_picture
from img2prompt.prompts.errors import PictureError
from img2prompt.tests.seeing import draw
from PIL import Image

BUDGET = 1_048_576
RED = (255, 0, 0)


def received(encoded: EncodedPicture) -> Image.Image:
    picture = Image.open(io.BytesIO(encoded.file))
    assert picture.format == "JPEG"
    assert picture.mode == "RGB"
    assert picture.size == (encoded.width, encoded.height)
    return picture


def center(picture: Image.Image) -> tuple[int, ...]:
    pixel = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


def near(pixel: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 6 for a, b in zip(pixel, wanted, strict=True))


def palette_with_transparency() -> Image.Image:
    picture = Image.new("P", (64, 48), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(0, (16, 12, 48, 36))
    picture.info["transparency"] = 1
    return picture


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "P", "RGBX", "RGBa"])
def test_colour_survives_every_mode(mode: str) -> None:
    picture = draw("red", "white")
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        turned = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    else:
        turned = (picture.convert("RGBA") if mode == "RGBa" else picture).convert(mode)
    assert turned is not None
    assert turned.mode == mode
    assert near(center(received(encode(turned, BUDGET))), RED)


@pytest.mark.parametrize(
    ("mode", "value", "grey"),
    [
        ("1", 1, 255),
        ("L", 100, 100),
        ("LA", (100, 255), 100),
        ("La", (100, 255), 100),
        ("I;16", 0x8080, 128),
        ("I;16B", 0x8080, 128),
        ("I;16", 255, 0),
        ("I", 100, 100),
        ("I", 0x8080, 128),
        ("I", 1 << 24, 255),
        ("F", 0.5, 127),
        ("F", 100.0, 100),
        ("F", 32896.0, 128),
        ("F", 0.0, 0),
    ],
)
def test_grey_is_scaled_by_its_own_white(mode: str, value: Any, grey: int) -> None:
    assert near(center(received(encode(Image.new(mode, (9, 9), value), BUDGET))), (grey,) * 3)


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGBA", (64, 48), (0, 0, 255, 0)),
        Image.new("LA", (64, 48), (0, 0)),
        Image.new("PA", (64, 48), 0),
        Image.new("RGBa", (64, 48), (0, 0, 0, 0)),
    ],
    ids=lambda picture: picture.mode,
)
@pytest.mark.parametrize("budget", [BUDGET, 100])
def test_what_is_transparent_becomes_white(picture: Image.Image, budget: int) -> None:
    assert near(center(received(encode(picture, budget))), (255, 255, 255))


def test_half_transparent_is_mixed_with_white_also_when_scaled() -> None:
    picture = Image.new("RGBA", (4000, 3000), (255, 0, 0, 128))
    assert near(center(received(encode(picture, BUDGET))), (255, 127, 127))


def test_a_transparent_palette_entry_becomes_white() -> None:
    small = received(encode(palette_with_transparency(), BUDGET))
    assert near(center(small), RED)
    assert near(tuple(small.convert("RGB").getpixel((2, 2))), (255, 255, 255))  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_and_metadata_left_out(suffix: str) -> None:
    picture = draw("red", "white", (400, 100))
    picture.paste((0, 0, 255), (0, 0, 100, 100))  # blue on the left
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90° clockwise: the left becomes the top
    exif[0x010E] = "a secret prompt"
    file = io.BytesIO()
    picture.save(file, suffix, exif=exif)
    encoded = encode(open_picture(io.BytesIO(file.getvalue())), 10_000)
    small = received(encoded)
    assert small.width < small.height
    assert near(tuple(small.getpixel((small.width // 2, 3))), (0, 0, 255))  # type: ignore[arg-type]
    assert b"secret" not in encoded.file


def test_the_comment_of_a_jpeg_is_not_sent() -> None:
    file = io.BytesIO()
    draw().save(file, "JPEG", comment=b"a secret prompt")
    assert b"secret" not in encode(open_picture(io.BytesIO(file.getvalue())), BUDGET).file


def test_broken_exif_is_no_reason_to_refuse() -> None:
    file = io.BytesIO()
    draw().save(file, "JPEG", exif=b"Exif\0\0rubbish")
    assert near(center(received(encode(open_picture(io.BytesIO(file.getvalue())), BUDGET))), RED)


@example(width=417, height=417, budget=65_536)
@given(width=st.integers(1, 3000), height=st.integers(1, 3000), budget=st.integers(65_536, 2_000_000))
@settings(max_examples=40, deadline=None)
def test_the_budget_is_used_and_kept_and_nothing_enlarged(width: int, height: int, budget: int) -> None:
    new = pictures._budgeted((width, height), budget)
    if width * height <= budget:
        assert new == (width, height)
        return
    assert new[0] * new[1] <= budget
    assert (new[0] + 1) * (new[1] + 1) > budget
    if max(width, height) <= pictures.MAX_ASPECT * min(width, height):
        assert abs(math.log(new[0] / new[1] * height / width)) <= 1.2 / min(new)


@pytest.mark.parametrize("size", [(1, 1), (200, 1), (1, 200), (1024, 1024), (1000, 1048)])
def test_small_pictures_stay_as_they_are(size: tuple[int, int]) -> None:
    assert received(encode(draw(size=size), BUDGET)).size == size


def test_equal_pixels_have_equal_digests_and_others_not() -> None:
    first = encode(draw("red"), BUDGET)
    assert encode(draw("red").convert("RGBA"), BUDGET).digest == first.digest
    assert encode(draw("blue"), BUDGET).digest != first.digest
    assert encode(draw("red", size=(48, 64)), BUDGET).digest != first.digest


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (Image.new("RGB", (0, 10)), r"empty \(0x10"),
        (Image.new("RGB", (401, 2)), "401x2 pixels, more than 200:1.*crop or split"),
        (Image.new("RGB", (2, 401)), "2x401"),
        (Image.new("F", (9, 9), math.inf), "not numbers"),
        (Image.new("F", (9, 9), math.nan), "not numbers"),
    ],
)
def test_pictures_that_cannot_be_looked_at(picture: Image.Image, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        encode(picture, BUDGET)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    whole = io.BytesIO()
    draw(size=(300, 300)).save(whole, "PNG")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "half.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name, says in [
        ("missing.png", "There is no file .*missing.png; check the path"),
        ("text.png", "text.png is not a picture"),
        ("half.png", "half.png cannot be read"),
        ("empty.jpg", "empty.jpg is not a picture"),
        ("", "cannot be read"),
    ]:
        with pytest.raises(PictureError, match=says):
            open_picture(tmp_path / name)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.pgm").write_bytes(b"P5 20000 20000 255 ")
    with pytest.raises(PictureError, match=r"bomb.pgm has more than 178 megapixels"):
        open_picture(tmp_path / "bomb.pgm")


def test_a_hundred_megapixels_are_read(tmp_path: Path) -> None:
    Image.new("L", (10_000, 10_000), 100).save(tmp_path / "large.jpg")
    encoded = encode(open_picture(tmp_path / "large.jpg"), BUDGET)
    assert (encoded.width, encoded.height) == (1024, 1024)
    assert near(center(received(encoded)), (100,) * 3)


@pytest.mark.parametrize("suffix", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "ICO", "PPM", "TGA"])
def test_damaged_files_are_picture_errors_or_pictures(suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(suffix)
    file = io.BytesIO()
    draw(size=(97, 61)).save(file, suffix)
    for _ in range(60):
        damaged = bytearray(file.getvalue())[: chance.randrange(1, len(file.getvalue()) * 2)]
        for _ in range(chance.randrange(6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            encode(open_picture(io.BytesIO(bytes(damaged))), BUDGET)
        except PictureError as error:
            assert str(error).endswith(".")
    capfd.readouterr()  # libtiff writes to stderr by itself


def test_what_is_sent_is_what_the_picture_was() -> None:
    picture = draw("red")
    encoded, same = encode(picture, BUDGET), encode(picture, BUDGET)
    digest = encoded.digest
    assert near(center(received(encoded)), RED)
    picture.paste((0, 0, 255), (0, 0, *picture.size))
    assert near(center(received(encoded)), RED)
    assert encoded.digest == digest != encode(picture, BUDGET).digest == same.digest
    assert encoded.file is encoded.file


def test_a_picture_lets_its_pixels_go() -> None:
    picture = draw("red")
    held, encoded = weakref.ref(picture), encode(picture, BUDGET)
    del picture
    assert held() is not None and encoded.file
    assert held() is None  # ten times as large as the JPEG, and a batch has many


def test_the_digest_holds_how_pictures_are_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    before = encode(draw("red"), BUDGET).digest
    monkeypatch.setattr(pictures, "JPEG_QUALITY", 90)
    assert encode(draw("red"), BUDGET).digest != before


def test_a_digest_that_comes_too_late_is_no_digest_of_nothing() -> None:
    encoded = encode(draw("red"), BUDGET)
    assert encoded.file
    with pytest.raises(RuntimeError, match="digest comes before file"):
        _ = encoded.digest
