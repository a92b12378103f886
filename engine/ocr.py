"""The writing in a picture, read by rapidocr where that is installed: the optional extra `ocr`.

rapidocr 3.10 (Apache-2.0, and so are its models) has PP-OCRv6 in its wheel of 27 MB, and brings onnxruntime and OpenCV:
270 MB on disk in all, so it is no requirement. Its models are named by their files, because it would download others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..prompts.analysis import ImageAnalysis, VisibleText
from .errors import OcrFailed

if TYPE_CHECKING:
    from PIL import Image

INSTALL = 'pip install "rapidocr==3.10.*" onnxruntime'
CONFIDENCE = 0.9
"""A boat was read as two signs at 0.86; what is right mostly has more."""
FEWEST_CHARACTERS = 3
"""Shorter hits are mostly patterns that look like letters."""
MOST_SIDE = 1280
"""Of the picture that is read, in pixels: it is scaled down to this, and never up."""
LEAST_SIDE = 64
"""A thinner picture is put on white: rapidocr cannot cope with it, or takes a minute."""
MODELS = {
    "Det.model_path": "PP-OCRv6_det_small.onnx",
    "Cls.model_path": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec.model_path": "PP-OCRv6_rec_small.onnx",
}
PARAMETERS = {
    "Global.log_level": "critical",  # of its own logger, which writes to stderr
    "Global.text_score": CONFIDENCE,
    # it would scale small pictures up, thin ones to a hundred thousand pixels; sizes are settled here
    "Global.use_preprocess_img": False,
    "Global.use_vertical_padding": False,
    "Det.limit_type": "max",
    "Det.limit_side_len": MOST_SIDE,
}
COLUMNS, ROWS = ("left", "", "right"), ("top", "", "bottom")
Box = list[tuple[float, float]]
"""Four corners, x and y in pixels."""


def _limit(name: str, part: Any) -> int:
    """The longest text or list that a field of the schema takes."""
    return next(bound.max_length for bound in part.model_fields[name].metadata if hasattr(bound, "max_length"))


MOST_TEXTS, MOST_CHARACTERS = _limit("visible_text", ImageAnalysis), _limit("text", VisibleText)


@cache
def installed_reader() -> TextReader | None:
    """The one reader of this process; None without rapidocr. Quick: nothing is loaded before a picture is read."""
    try:
        return TextReader(version("rapidocr"))
    except PackageNotFoundError:
        return None


class TextReader:
    """Reads one picture after another, since rapidocr keeps state while it reads, and uses all cores by itself. Safe
    from any thread."""

    def __init__(self, release: str) -> None:
        """`release`: of rapidocr."""
        self.identity = f"rapidocr {release}, reading 1"
        """What decides what is read; the last number is raised when this module reads otherwise."""
        self.release = release
        self._lock = threading.Lock()
        self._engine: Any = None

    def read(self, picture: Image.Image) -> list[VisibleText]:
        """The writing that is certain, the largest first, each text once. Blocks for some seconds.

        Raises PictureError; OcrFailed where rapidocr does not load, or fails.
        """
        import numpy as np

        small, size = _prepared(picture)
        pixels = np.ascontiguousarray(np.asarray(small)[:, :, ::-1])  # BGR, as OpenCV has it
        with self._lock:
            if self._engine is None:
                self._engine = self._load()
            try:
                found = self._engine(pixels)
            except Exception as error:  # whatever it raises, of its own or of onnxruntime
                raise OcrFailed(
                    f"rapidocr {self.release} failed on a picture ({_short(error)}); run `{INSTALL}`, or uninstall "
                    "rapidocr to do without writing."
                ) from error
        texts = () if found.txts is None else found.txts
        boxes = [[(float(x), float(y)) for x, y in box] for box in (() if found.boxes is None else found.boxes)]
        return _told(zip(texts, found.scores or (), boxes, strict=True), size)

    def _load(self) -> Any:
        """rapidocr with the models that came with it. Raises OcrFailed."""
        try:
            import rapidocr

            folder = Path(str(rapidocr.__file__)).parent / "models"
            if missing := [name for name in MODELS.values() if not (folder / name).is_file()]:
                raise FileNotFoundError(f"there is no {missing[0]}")
            return rapidocr.RapidOCR(params=PARAMETERS | {key: str(folder / name) for key, name in MODELS.items()})
        except Exception as error:  # a broken installation fails in many ways
            raise OcrFailed(
                f"rapidocr {self.release} is installed and cannot be used ({_short(error)}); run `{INSTALL}`, or "
                "uninstall rapidocr to do without writing."
            ) from error


def _prepared(picture: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """The picture as it is read, and how much of that is the picture, in pixels."""
    from PIL import Image

    from .pictures import flat

    small = flat(picture, MOST_SIDE * MOST_SIDE)
    if max(small.size) > MOST_SIDE:
        small = small.copy()
        small.thumbnail((MOST_SIDE, MOST_SIDE))
    size = small.size
    if min(size) < LEAST_SIDE:
        page = Image.new("RGB", (max(size[0], LEAST_SIDE), max(size[1], LEAST_SIDE)), "white")
        page.paste(small)
        small = page
    return small, size


def _told(hits: Iterable[tuple[str, float, Box]], size: tuple[int, int]) -> list[VisibleText]:
    """What is certain of these texts with their scores and boxes, the largest first, within the schema's bounds."""
    places: dict[str, str] = {}
    for text, score, box in sorted(hits, key=lambda hit: _area(hit[2]), reverse=True):
        line = " ".join(text.split())
        if score >= CONFIDENCE and len(line) >= FEWEST_CHARACTERS:
            places.setdefault(line[:MOST_CHARACTERS], _where(box, size))
    return [VisibleText(text=text, where=where) for text, where in list(places.items())[:MOST_TEXTS]]


def _area(box: Box) -> float:
    """Of a quadrilateral, in square pixels."""
    return abs(sum(x * after[1] - after[0] * y for (x, y), after in zip(box, [*box[1:], box[0]], strict=True))) / 2


def _where(box: Box, size: tuple[int, int]) -> str:
    """The place of a box in thirds of the picture: "top left", "bottom", "center"."""
    column, row = (sum(corner[axis] for corner in box) / len(box) / size[axis] for axis in (0, 1))
    words = (ROWS[min(2, int(3 * row))], COLUMNS[min(2, int(3 * column))])
    return " ".join(filter(None, words)) or "center"


def _short(error: Exception) -> str:
    """The last line of what went wrong: rapidocr puts whole tracebacks into its errors."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1][:200]}" if lines else type(error).__name__
