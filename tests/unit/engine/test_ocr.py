"""Writing in pictures: what is taken of what rapidocr says, and, where it is installed, what it reads for real."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from img2prompt.engine.errors import OcrFailed
from img2prompt.engine.ocr import MODELS, MOST_SIDE, TextReader, installed_reader
from img2prompt.engine.shared import sketch_engine
from img2prompt.engine.sketch import SketchBackend
from img2prompt.prompts import ImageAnalysis, Request, render
from PIL import Image, ImageDraw, ImageFilter, ImageFont

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
Hit = tuple[str, float, tuple[int, int, int, int]]
"""A text, its score, and its box: left, top, right, bottom."""
Answer = Callable[[Any], Iterable[Hit]]
needs_rapidocr = pytest.mark.skipif(installed_reader() is None, reason="rapidocr is not installed")


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Answer], list[dict[str, Any]]]:
    """Puts a rapidocr in place that answers so; tells with what it was made each time."""

    def install(answer: Answer) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []

        class RapidOCR:
            def __init__(self, params: dict[str, Any]) -> None:
                made.append(params)

            def __call__(self, pixels: Any) -> Any:
                hits = list(answer(pixels))
                if not hits:
                    return SimpleNamespace(txts=None, scores=None, boxes=None)
                boxes = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for _, _, (x0, y0, x1, y1) in hits]
                return SimpleNamespace(txts=tuple(h[0] for h in hits), scores=tuple(h[1] for h in hits), boxes=boxes)

        module: Any = ModuleType("rapidocr")
        module.__file__, module.RapidOCR = str(tmp_path / "__init__.py"), RapidOCR
        monkeypatch.setitem(sys.modules, "rapidocr", module)
        (tmp_path / "models").mkdir(exist_ok=True)
        for name in MODELS.values():
            (tmp_path / "models" / name).touch()
        return made

    return install


def read(size: tuple[int, int] = (300, 300)) -> list[tuple[str, str]]:
    """What is taken of these hits in a picture of that size."""
    return [(text.text, text.where) for text in TextReader("3.10.0").read(Image.new("RGB", size))]


LINE = (0, 0, 90, 30)


@pytest.mark.parametrize(
    ("hits", "told"),
    [
        ([], []),
        ([("OPEN", 0.9, LINE)], ["OPEN"]),
        ([("OPEN", 0.8999, LINE)], []),
        ([("日日", 0.99, LINE), ("No", 0.99, LINE), (" ab ", 0.99, LINE)], []),
        ([("日本語", 0.99, LINE)], ["日本語"]),
        ([(" Fresh \n bread ", 0.99, LINE)], ["Fresh bread"]),
        ([("small", 0.95, (0, 0, 40, 10)), ("LARGE", 0.91, (0, 50, 200, 90))], ["LARGE", "small"]),
        ([("twice", 0.95, LINE), ("twice", 0.95, (0, 200, 90, 230))], ["twice"]),
        ([(f"text {n}", 0.95, (0, 0, 90, 30 + n)) for n in range(9)], [f"text {n}" for n in range(8, 2, -1)]),
        ([("x" * 100, 0.95, LINE)], ["x" * 80]),
    ],
)
def test_what_is_certain_is_told_largest_first_within_the_bounds(
    pretend: Any, hits: list[Hit], told: list[str]
) -> None:
    pretend(lambda pixels: hits)
    assert [text for text, _ in read()] == told


def test_where_a_text_stands(pretend: Any) -> None:
    spots = [(x, y) for y in (10, 130, 250) for x in (0, 120, 240)]
    places: list[str] = []
    for x, y in spots:
        pretend(lambda pixels, x=x, y=y: [("OPEN", 0.99, (x, y, x + 60, y + 40))])
        places += [where for _, where in read()]
    assert places == [
        *("top left", "top", "top right", "left", "center", "right"),
        *("bottom left", "bottom", "bottom right"),
    ]
    pretend(lambda pixels: [("OPEN", 0.99, (290, 290, 400, 400))])  # a box may reach beyond the picture
    assert read() == [("OPEN", "bottom right")]


@pytest.mark.parametrize(
    ("size", "given"),
    [
        ((300, 200), (300, 200)),
        ((MOST_SIDE, 100), (MOST_SIDE, 100)),
        ((4000, 3000), (1280, 960)),
        ((5000, 500), (1280, 128)),
        ((10, 3000), (64, 1280)),
        ((3000, 1), (1280, 64)),
        ((1, 1), (64, 64)),
    ],
)
def test_a_picture_is_scaled_to_bounds(pretend: Any, size: tuple[int, int], given: tuple[int, int]) -> None:
    shapes: list[tuple[int, ...]] = []
    pretend(lambda pixels: shapes.append(pixels.shape) or [])
    assert read(size=size) == []
    assert shapes == [(given[1], given[0], 3)]


def test_the_place_is_of_the_picture_not_of_what_was_put_around_it(pretend: Any) -> None:
    pretend(lambda pixels: [("OPEN", 0.99, (100, 20, 200, 30))])
    assert read(size=(300, 30)) == [("OPEN", "bottom")]


@pytest.mark.parametrize(
    ("mode", "color", "blue_green_red"),
    [("RGB", "red", [0, 0, 255]), ("RGBA", (255, 0, 0, 0), [255, 255, 255]), ("L", 7, [7, 7, 7])],
)
def test_pixels_are_blue_first_on_white(pretend: Any, mode: str, color: Any, blue_green_red: list[int]) -> None:
    pixels: list[Any] = []
    pretend(lambda given: pixels.append(given[0, 0].tolist()) or [])
    TextReader("3.10.0").read(Image.new(mode, (80, 80), color))
    assert pixels == [blue_green_red]


def test_it_is_made_once_with_its_own_models_and_reads_one_picture_at_a_time(pretend: Any, tmp_path: Path) -> None:
    busy: list[int] = []

    def answer(pixels: Any) -> list[Hit]:
        busy.append(1)
        time.sleep(0.001)  # lets others in, where nothing keeps them out
        overlapping = len(busy)
        busy.pop()
        return [(f"{overlapping} at a time", 0.99, LINE)]

    made = pretend(answer)
    reader, picture = TextReader("3.10.0"), Image.new("RGB", (100, 100))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: reader.read(picture)[0].text, range(64)))
    assert set(found) == {"1 at a time"}
    assert len(made) == 1
    assert {made[0][key] for key in MODELS} == {str(tmp_path / "models" / name) for name in MODELS.values()}


def fails(error: Exception) -> Answer:
    def answer(pixels: Any) -> Iterable[Hit]:
        raise error

    return answer


def test_a_broken_installation_is_an_error_with_the_next_step(pretend: Any, tmp_path: Path, monkeypatch: Any) -> None:
    reader, picture = TextReader("3.10.0"), Image.new("RGB", (100, 100))
    pretend(fails(RuntimeError("Traceback\n  File x\nOnnxError: bad node\n")))
    with pytest.raises(
        OcrFailed, match=r"3\.10\.0 failed on a picture \(RuntimeError: OnnxError: bad node\); run `pip"
    ):
        reader.read(picture)
    (tmp_path / "models" / "PP-OCRv6_rec_small.onnx").unlink()
    with pytest.raises(OcrFailed, match=r"cannot be used .*there is no PP-OCRv6_rec_small\.onnx.*uninstall rapidocr"):
        TextReader("3.10.0").read(picture)
    monkeypatch.setitem(sys.modules, "rapidocr", None)  # as an import that fails
    mended = TextReader("3.10.0")
    with pytest.raises(OcrFailed, match="installed and cannot be used"):
        mended.read(picture)
    pretend(lambda pixels: [("OPEN", 0.99, LINE)])
    assert mended.read(picture)[0].text == "OPEN"


def analyse(reader: TextReader | None, picture: Image.Image) -> ImageAnalysis:
    return asyncio.run(SketchBackend(reader).answer(Request((picture,), "Describe it.", ImageAnalysis), print))


def test_the_sketch_tells_what_was_read_and_nothing_else_changes(pretend: Any) -> None:
    pretend(lambda pixels: [("OPEN DAILY", 0.99, LINE)])
    picture = Image.new("RGB", (300, 300), "#fb8b1a")
    without, told = analyse(None, picture), analyse(TextReader("3.10.0"), picture)
    assert [text.model_dump() for text in told.visible_text] == [{"text": "OPEN DAILY", "where": "top left"}]
    assert told.model_copy(update={"visible_text": []}) == without
    assert '"OPEN DAILY"' in render(told, "flux1").positive


def test_the_sketch_says_whether_it_reads() -> None:
    plain, reads, newer = SketchBackend(), SketchBackend(TextReader("3.10.0")), SketchBackend(TextReader("3.10.1"))
    assert len({plain.identity(), reads.identity(), newer.identity()}) == 3
    assert "pip install" in plain.status().detail and "rapidocr" in plain.status().detail
    assert "reads writing" in reads.status().detail and "pip install" not in reads.status().detail
    used = sketch_engine()
    assert ("pip install" in used.status().detail) == (installed_reader() is None)


# for real, with the models that rapidocr brings


def drawn(*lines: str, size: int = 32, ink: str = "black", on: str = "white", turned: float = 0) -> Image.Image:
    picture = Image.new("RGB", (360, 240), on)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        pen.text((30, 40 + 80 * number), line, fill=ink, font=ImageFont.load_default(size))
    return picture.rotate(turned, fillcolor=on)


def really(picture: Image.Image) -> list[str]:
    reader = installed_reader()
    assert reader is not None
    return [text.text for text in reader.read(picture)]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can be reached or even asked for."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("something wants the network")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


@needs_rapidocr
def test_it_reads_without_a_network_and_says_nothing_aside(offline: None, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (root.level, root.handlers[:], root.disabled)
    reader = TextReader("3.10.0")  # one of its own: it must load here
    picture = drawn("OPEN", "Fresh bread")
    assert {(text.text, text.where) for text in reader.read(picture)} == {("OPEN", "top left"), ("Fresh bread", "left")}
    assert reader.read(Image.new("RGB", (200, 200), "red")) == []
    assert (root.level, root.handlers, root.disabled) == before
    assert capfd.readouterr() == ("", "")


@needs_rapidocr
@pytest.mark.parametrize(
    ("picture", "texts"),
    [
        (drawn("OPEN DAILY", turned=15), ["OPEN DAILY"]),
        (drawn("OPEN DAILY", turned=180), ["OPEN DAILY"]),
        (drawn("OPEN DAILY").convert("P"), ["OPEN DAILY"]),
        (drawn("OPEN DAILY", ink="white", on="#203080").convert("RGBA"), ["OPEN DAILY"]),
        (drawn("OPEN DAILY", size=12).resize((1800, 1200)), ["OPEN DAILY"]),
        (drawn("OPEN DAILY", size=8, turned=75), []),  # seen, and read with a confidence of about 0.5
        (drawn("OPEN DAILY").filter(ImageFilter.GaussianBlur(4)), []),  # 0.6
        (drawn("OPEN DAILY", ink="#808080", on="#838383"), []),
        (drawn("No"), []),
        (Image.new("RGB", (1000, 5), "red"), []),
    ],
    ids=[
        "slanted",
        "upside down",
        "palette",
        "light on dark",
        "large",
        "small and steep",
        "blurred",
        "pale",
        "short",
        "thin",
    ],
)
def test_it_reads_what_can_be_read_and_guesses_nothing(picture: Image.Image, texts: list[str]) -> None:
    assert really(picture) == texts


@needs_rapidocr
@pytest.mark.parametrize("size", [(1000, 5), (3, 400), (4000, 3000)])
def test_no_picture_is_scaled_up_for_the_models(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxruntime import InferenceSession

    run, sides = InferenceSession.run, []

    def noted(self: Any, names: Any, inputs: dict[str, Any]) -> Any:
        sides.extend(max(value.shape) for value in inputs.values())
        return run(self, names, inputs)

    monkeypatch.setattr(InferenceSession, "run", noted)
    assert really(Image.new("RGB", size, "red")) == []
    assert sides and max(sides) <= MOST_SIDE


@needs_rapidocr
@pytest.mark.parametrize("photo", ["chelsea.jpg", "coffee.jpg"])
def test_a_photo_without_writing_has_none(photo: str) -> None:
    with Image.open(EXAMPLES / photo) as picture:
        assert really(picture) == []
