"""JPEG files that are sent as they are: the same pixels, and nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.engine.jpeg import bare
from img2prompt.engine.pictures import ORIENTATION, encode, open_undecoded
from img2prompt.prompts.errors import PictureError
from PIL import Image, ImageCms

PHOTO = Path(__file__).resolve().parents[3] / "docs" / "examples" / "coffee.jpg"
BUDGET = 1_048_576
SECRET = b"taken at home"


def photo(mode: str = "RGB", **how: Any) -> bytes:
    file = io.BytesIO()
    with Image.open(PHOTO) as picture:
        picture.resize((150, 100)).convert(mode).save(file, "JPEG", **how)
    return file.getvalue()


def pixels(file: bytes) -> bytes:
    with Image.open(io.BytesIO(file)) as picture:
        return picture.convert("RGB").tobytes()


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = orientation
    made[0x010E] = SECRET.decode()
    return made


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"progressive": True},
        {"optimize": True, "quality": 30, "subsampling": "4:2:0"},
        {"quality": 100, "subsampling": "4:4:4"},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1, "progressive": True},
        {"keep_rgb": True},
        {"comment": SECRET, "exif": exif(), "icc_profile": PROFILE, "xmp": SECRET * 3000},
    ],
    ids=["plain", "progressive", "small", "fine", "restarts", "progressive restarts", "rgb", "metadata"],
)
def test_the_pixels_are_the_same_and_nothing_else_is_left(how: dict[str, Any], tmp_path: Path) -> None:
    file = photo(**how) + SECRET
    (tmp_path / "photo.jpg").write_bytes(file)
    encoded = encode(open_undecoded(tmp_path / "photo.jpg"), BUDGET)
    assert encoded.file == bare(file)
    assert pixels(encoded.file) == pixels(file)
    assert SECRET not in encoded.file and b"ICC_PROFILE" not in encoded.file and b"Exif" not in encoded.file
    assert (encoded.width, encoded.height) == (150, 100)
    assert len(encoded.file) < len(file)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_what_is_no_plain_colour_picture_is_decoded(mode: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo(mode))
    assert bare(photo(mode)) is None
    with Image.open(io.BytesIO(encode(open_undecoded(tmp_path / "photo.jpg"), BUDGET).file)) as sent:
        assert sent.mode == "RGB"


def test_a_turned_one_is_turned(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo(exif=exif(6)))
    encoded = encode(open_undecoded(tmp_path / "photo.jpg"), BUDGET)
    assert (encoded.width, encoded.height) == (100, 150)


def test_a_large_one_is_scaled_down_as_its_pixels_would_be(tmp_path: Path) -> None:
    with Image.open(PHOTO) as picture:
        picture.resize((2400, 1600)).save(tmp_path / "large.jpg", quality=95)
    encoded = encode(open_undecoded(tmp_path / "large.jpg"), 65_536)
    assert (encoded.width, encoded.height) == (313, 209)
    with Image.open(tmp_path / "large.jpg") as whole, Image.open(io.BytesIO(encoded.file)) as sent:
        wanted = whole.resize(sent.size, Image.Resampling.LANCZOS)
        worst = max(abs(a - b) for a, b in zip(wanted.tobytes(), sent.convert("RGB").tobytes(), strict=True))
    assert worst < 60  # at hard edges; encoding alone takes 20


def test_the_digest_tells_files_apart(tmp_path: Path) -> None:
    for name, quality in (("a", 90), ("b", 90), ("c", 91)):
        (tmp_path / name).write_bytes(photo(quality=quality, comment=name.encode()))
    one, same, other = (encode(open_undecoded(tmp_path / name), BUDGET).digest for name in "abc")
    assert one == same != other


def test_a_file_that_breaks_off_is_an_error_that_says_so(tmp_path: Path) -> None:
    file = photo()
    for end in (2, 3, 20, len(file) // 2):
        assert bare(file[:end]) is None
        (tmp_path / "photo.jpg").write_bytes(file[:end])
        with pytest.raises(PictureError):
            encode(open_undecoded(tmp_path / "photo.jpg"), BUDGET)


def test_what_is_no_jpeg_is_read_as_ever(tmp_path: Path) -> None:
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(tmp_path / "clear.jpg", "PNG")
    assert encode(open_undecoded(tmp_path / "clear.jpg"), BUDGET).width == 9
    with pytest.raises(PictureError, match="There is no file"):
        open_undecoded(tmp_path / "none.jpg")
    (tmp_path / "text.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(PictureError, match="not a picture that Pillow can read"):
        open_undecoded(tmp_path / "text.jpg")


WHOLE = [photo(progressive=progressive, comment=SECRET) for progressive in (False, True)]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_files_end_and_never_grow(data: st.DataObject) -> None:
    file = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(file) - 1))
        file[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    kept = bare(bytes(file))
    assert kept is None or (len(kept) <= len(file) + 20 and kept.endswith(b"\xff\xd9"))
