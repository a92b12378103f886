"""PNG files that are sent as they are to a server on this machine: the same pixels, and nothing else."""

from __future__ import annotations

import io
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.captions.find import Found
from img2prompt.captions.task import Task
from img2prompt.engine import Engine, Settings
from img2prompt.engine.client import ChatClient
from img2prompt.engine.errors import Refused
from img2prompt.engine.pictures import ORIENTATION, encode, open_undecoded
from img2prompt.engine.png import bare
from img2prompt.prompts import Request, analysis_request
from img2prompt.prompts.errors import PictureError
from img2prompt.tests.seeing_server import SeeingServer
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

PHOTO = Path(__file__).resolve().parents[3] / "docs" / "examples" / "coffee.jpg"
BUDGET = 1_048_576
SECRET = "taken at home"


def texts(**more: str) -> PngInfo:
    made = PngInfo()
    made.add_text("parameters", SECRET)
    made.add_text("workflow", SECRET * 100, zip=True)
    made.add_itxt("Comment", SECRET)
    for name, value in more.items():
        made.add_text(name, value)
    return made


def photo(mode: str = "RGB", **how: Any) -> bytes:
    file = io.BytesIO()
    with Image.open(PHOTO) as picture:
        picture.resize((150, 100)).convert(mode).save(file, "PNG", **how)
    return file.getvalue()


def turn(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = orientation
    return made


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def before_pixels(file: bytes, added: bytes) -> bytes:
    return file[:33] + added + file[33:]


def pixels(file: bytes) -> bytes:
    with Image.open(io.BytesIO(file)) as picture:
        return picture.convert("RGB").tobytes()


def kinds(file: bytes) -> set[bytes]:
    found, place = set(), 8
    while place < len(file):
        found.add(file[place + 4 : place + 8])
        place += 12 + int.from_bytes(file[place : place + 4], "big")
    return found


@pytest.mark.parametrize("added", [b"", chunk(b"iDOT", b"\0" * 28), chunk(b"gAMA", b"\0\0\xb1\x8f")])
def test_the_pixels_are_the_same_and_nothing_else_is_left(added: bytes) -> None:
    file = before_pixels(photo(pnginfo=texts(), icc_profile=b"profile", dpi=(300, 300)), added) + SECRET.encode()
    encoded = encode(open_undecoded(io.BytesIO(file)), BUDGET, png_as_it_is=True)
    assert encoded.file == bare(file) and encoded.data_url().startswith("data:image/png;base64,iVBOR")
    assert pixels(encoded.file) == pixels(file)
    assert kinds(encoded.file) == {b"IHDR", b"IDAT", b"IEND"}
    assert (encoded.width, encoded.height) == (150, 100)


def test_nothing_goes_with_its_end() -> None:
    assert bare(photo()[:-12] + chunk(b"IEND", SECRET.encode())) == bare(photo()) == photo()


def test_it_is_a_jpeg_that_goes_elsewhere() -> None:
    encoded = encode(open_undecoded(io.BytesIO(photo())), BUDGET)
    assert encoded.data_url().startswith("data:image/jpeg;base64,/9j/")


MOVES = chunk(b"acTL", b"\0\0\0\x01\0\0\0\0")


@pytest.mark.parametrize(
    "file",
    [
        *(photo(mode) for mode in ("L", "P", "RGBA", "LA", "1", "I;16")),
        photo(transparency=(0, 0, 0)),
        photo(exif=turn(1)),
        before_pixels(photo(), MOVES),
        photo(pnginfo=texts(**{"XML:com.adobe.xmp": "<x tiff:Orientation='6'/>"})),
        photo(pnginfo=texts(**{"Raw profile type exif": "\nexif\n 0\n"})),
        before_pixels(photo(), b"\0\0\0\x10tEXt"),
        *(photo()[:end] for end in (8, 20, 33, 60, -1, -12, -20)),
        photo()[:-30] + b"\0" + photo()[-29:],
        photo().replace(b"IEND", b"iEND"),
        photo()[:33] + photo()[-12:],
        before_pixels(photo(), chunk(b"MINE", b"")),
        before_pixels(photo(), photo()[8:33]),
        photo()[:8] + chunk(b"IHDR", photo()[16:29] + SECRET.encode()) + photo()[33:],
    ],
    ids=[
        *("grey", "palette", "alpha", "grey with alpha", "black and white", "16 bits"),
        *("a clear colour", "exif", "moves", "xmp", "old exif", "a length that is wrong"),
        *(f"to {end}" for end in (8, 20, 33, 60, -1, -12, -20)),
        *("damaged", "no end", "no pixels", "unknown", "two heads", "more in the head"),
    ],
)
def test_all_else_is_decoded(file: bytes) -> None:
    assert bare(file) is None


def test_a_turned_one_is_turned_and_a_large_one_scaled_down() -> None:
    turned = encode(open_undecoded(io.BytesIO(photo(exif=turn(6)))), BUDGET, png_as_it_is=True)
    assert (turned.width, turned.height) == (100, 150)
    small = encode(open_undecoded(io.BytesIO(photo())), 3750, png_as_it_is=True)
    assert (small.width, small.height) == (75, 50) and small.data_url().startswith("data:image/jpeg")


def test_one_too_large_for_the_memory_is_its_own_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object) -> None:
        raise MemoryError

    picture = open_undecoded(io.BytesIO(photo("RGBA")))
    monkeypatch.setattr(PngImageFile, "load", load)
    with pytest.raises(PictureError, match="does not fit into memory"):
        encode(picture, BUDGET, png_as_it_is=True)


def test_what_cannot_be_decoded_is_an_error_that_says_so() -> None:
    with pytest.raises(PictureError, match="save it again as PNG"):
        encode(open_undecoded(io.BytesIO(photo()[:300])), BUDGET, png_as_it_is=True)
    with pytest.raises(PictureError, match="cannot be read"):
        open_undecoded(io.BytesIO(b"\x89PNG\r\n\x1a\n no picture"))


@pytest.mark.parametrize(
    ("url", "wanted", "form"),
    [("{}", True, "PNG"), ("{}", False, "JPEG"), ("http://elsewhere.example/v1", True, "JPEG")],
)
def test_a_server_on_this_machine_gets_the_file(
    url: str, wanted: bool, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one elsewhere does not, which here answers through a proxy."""
    (tmp_path / "photo.png").write_bytes(photo(pnginfo=texts()))
    request = Task(ignore_embedded=True).request(Found(tmp_path / "photo.png", "photo.png"))
    assert isinstance(request, Request)
    with SeeingServer() as server:
        monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
        url = url.format(server.url)
        options = Settings(endpoint=url, png_as_it_is=wanted, cache=False, cache_dir=tmp_path)
        with closing(Engine(ChatClient(options, url), options)) as engine:
            assert engine.ask(request)
        assert server.counts.forms == {form}


def test_one_that_no_server_can_decode_is_told_as_one_that_we_cannot(tmp_path: Path) -> None:
    """Its chunks are whole, so only who decodes it finds out. One that is whole was refused for something else."""
    broken = photo()[:33] + chunk(b"IDAT", b"no pixels") + photo()[-12:]
    with SeeingServer() as server:
        options = Settings(endpoint=server.url, cache=False, cache_dir=tmp_path)
        with closing(Engine(ChatClient(options, server.url), options)) as engine:
            with pytest.raises(PictureError, match=r"cannot be read .* save it again as PNG"):
                engine.ask(analysis_request(open_undecoded(io.BytesIO(broken))))
            server.control.script = [{"status": 400}]
            with pytest.raises(Refused, match="scripted"):
                engine.ask(analysis_request(open_undecoded(io.BytesIO(photo()))))


WHOLE = photo(pnginfo=texts())


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_files_end_and_never_grow(data: st.DataObject) -> None:
    """And what is sent is what Pillow reads, or it is not sent."""
    file = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(file) - 1))
        file[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    kept = bare(bytes(file))
    assert kept is None or (len(kept) <= len(file) and pixels(kept) == pixels(WHOLE))
