"""A storyboard as one picture: its panels in a grid, each with the picture that it rests on and the beginning of its
text, to be looked at and saved. The prompts themselves are in the storyboard; here they may be cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from PIL import Image, ImageDraw, ImageOps

from .errors import PictureError, PromptError
from .lettering import Ink, Lettering, lettered
from .story import MOST_BEATS
from .storyboard import Panel, Storyboard

MOST_PIXELS = 4_000_000
WIDTHS = (512, 480, 448, 416, 384, 352, 320, 288, 256, 224)
"""A panel's width in pixels: the first with which the whole has at most `MOST_PIXELS`."""
ASPECTS = 0.75, 16 / 9
"""The narrowest and the widest room for the pictures."""
GAP, PADDING = 20, 14
TITLE_LINES, TEXT_LINES, PROMPT_LINES, LOGLINE_LINES = 2, 5, 4, 3

GROUND: Ink = (244, 241, 234)
CARD: Ink = (255, 253, 248)
MAT: Ink = (230, 223, 208)
INK: Ink = (33, 29, 23)
SOFT: Ink = (106, 98, 85)
ACCENT: Ink = (165, 64, 31)


@dataclass(frozen=True, slots=True)
class _Block:
    """Some lines of text in one size and colour."""

    lettering: Lettering
    lines: list[str]
    ink: Ink

    @property
    def height(self) -> int:
        return self.lettering.line_height * len(self.lines) + (PADDING // 2 if self.lines else 0)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where everything goes with one width of a panel."""

    columns: int
    panel_width: int
    picture_height: int
    logline: _Block
    cells: list[list[_Block]]
    """The text of each panel: title, what happens, prompt."""

    @classmethod
    def of(cls, board: Storyboard, columns: int, panel_width: int, aspect: float) -> _Grid:
        width = GAP + columns * (panel_width + GAP)
        large = Lettering(max(18, min(34, width // 36)))
        said = lettered(board.logline) or f"A story in {len(board.panels)} beats"
        logline = _Block(large, large.wrapped(said, width - 2 * GAP, LOGLINE_LINES), INK)
        cells = [_text(panel, panel_width) for panel in board.panels]
        return cls(columns, panel_width, round(panel_width / aspect), logline, cells)

    def row_heights(self) -> list[int]:
        """A row is as high as its longest text wants."""
        heights = [self.picture_height + 2 * PADDING + sum(block.height for block in cell) for cell in self.cells]
        return [max(heights[at : at + self.columns]) for at in range(0, len(heights), self.columns)]

    def size(self) -> tuple[int, int]:
        width = GAP + self.columns * (self.panel_width + GAP)
        return width, GAP + self.logline.height + sum(height + GAP for height in self.row_heights())


def storyboard_grid(storyboard: Storyboard, pictures: Sequence[Image.Image], columns: int = 0) -> Image.Image:
    """The storyboard as an RGB picture of at most `MOST_PIXELS`: per panel its picture (fitted, not distorted), number,
    title, what happens and the beginning of its prompt, under the logline.

    `pictures` are those that the story was told with, in their order and of any 8-bit mode; `columns` 0 chooses by the
    number of panels. Text that the font has no letters for gives way to what there is in English.

    Raises PromptError for `columns` that cannot be, PictureError where a panel's picture is not among `pictures`.
    """
    if not 0 <= columns <= MOST_BEATS:
        raise PromptError(f"A storyboard cannot have {columns} columns; choose 1 to {MOST_BEATS}, or 0 for a fit.")
    count = len(storyboard.panels)
    for panel in storyboard.panels:
        if panel.image > len(pictures):
            raise PictureError(
                f"Beat {panel.number} rests on picture {panel.image}, and there are {len(pictures)}; connect the "
                "pictures that the story was told with."
            )
    shown = {panel.image: _flat(pictures[panel.image - 1]) for panel in storyboard.panels}
    aspect = median(picture.width / picture.height for picture in shown.values())
    aspect = min(max(aspect, ASPECTS[0]), ASPECTS[1])
    across = min(columns or _fit(count), count)
    grids = (_Grid.of(storyboard, across, width, aspect) for width in WIDTHS)
    grid = next((one for one in grids if math.prod(one.size()) <= MOST_PIXELS), None)
    if grid is None:
        raise AssertionError("the narrowest panels fit, whatever their text")
    return _painted(grid, [shown[panel.image] for panel in storyboard.panels])


def _fit(count: int) -> int:
    """Columns for so many panels: rows that are full, or nearly so."""
    return {1: 1, 2: 2, 3: 3, 4: 2}.get(count, 3 if count in (5, 6, 9) else 4)


def _text(panel: Panel, width: int) -> list[_Block]:
    """What is written under a picture."""
    title, text, small = (Lettering(max(least, width // part)) for least, part in ((15, 23), (13, 30), (11, 36)))
    inner = width - 2 * PADDING
    head = f"{panel.number}. {lettered(panel.title)}" if lettered(panel.title) else f"Beat {panel.number}"
    happens = lettered(panel.happens) or lettered(panel.seen)
    prompt = " ".join(filter(None, map(lettered, panel.prompt.split())))  # a word that cannot be drawn is left out
    return [
        _Block(title, title.wrapped(head, inner, TITLE_LINES), ACCENT),
        _Block(text, text.wrapped(happens, inner, TEXT_LINES), INK),
        _Block(small, small.wrapped(prompt, inner, PROMPT_LINES), SOFT),
    ]


def _painted(grid: _Grid, pictures: list[Image.Image]) -> Image.Image:
    canvas = Image.new("RGB", grid.size(), GROUND)
    _write(canvas, grid.logline, (GAP, GAP))
    top = GAP + grid.logline.height
    for row, height in enumerate(grid.row_heights()):
        for column in range(grid.columns):
            at = row * grid.columns + column
            if at < len(pictures):
                left = GAP + column * (grid.panel_width + GAP)
                _paint(canvas, grid, at, pictures[at], (left, top, left + grid.panel_width, top + height))
        top += height + GAP
    return canvas


def _paint(canvas: Image.Image, grid: _Grid, at: int, picture: Image.Image, box: tuple[int, int, int, int]) -> None:
    """One panel in its box."""
    left, top, right, bottom = box
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((left, top, right - 1, bottom - 1), fill=CARD)
    draw.rectangle((left, top, right - 1, top + grid.picture_height - 1), fill=MAT)
    factor = min(grid.panel_width / picture.width, grid.picture_height / picture.height)
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    fitted = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    canvas.paste(fitted, (left + (grid.panel_width - size[0]) // 2, top + (grid.picture_height - size[1]) // 2))
    down = top + grid.picture_height + PADDING
    for block in grid.cells[at]:
        _write(canvas, block, (left + PADDING, down))
        down += block.height


def _write(canvas: Image.Image, block: _Block, at: tuple[int, int]) -> None:
    for number, line in enumerate(block.lines):
        down = at[1] + number * block.lettering.line_height
        block.lettering.write(canvas, (at[0], down), line, block.ink)


def _flat(picture: Image.Image) -> Image.Image:
    """Upright, in RGB, on white."""
    upright = ImageOps.exif_transpose(picture)
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    clear = upright.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    white.alpha_composite(clear)
    return white.convert("RGB")
