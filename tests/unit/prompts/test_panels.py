"""The storyboard as one picture: everything in its place, nothing distorted, no box in the place of a letter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from img2prompt.prompts import PictureError, PromptError, Storyboard, render_story
from img2prompt.prompts.lettering import ACCENTS, Lettering, has_glyph, lettered
from img2prompt.prompts.panels import CARD, GAP, INK, MOST_PIXELS, storyboard_grid
from img2prompt.tests.seeing import COLORS, draw
from img2prompt.tests.unit.cli.stories import as_seen, story
from PIL import Image

Box = tuple[int, int, int, int]


def board(panels: int, **texts: str) -> Storyboard:
    """So many panels, one for each picture, each with these texts."""
    made = render_story(as_seen(panels), "sdxl")
    return replace(made, panels=tuple(replace(panel, **texts) for panel in made.panels))  # type: ignore[arg-type]


def full(color: str, size: tuple[int, int] = (64, 48)) -> Image.Image:
    return draw(color, color, size)


def box_of(grid: Image.Image, color: tuple[int, int, int]) -> Box:
    """Where a colour is, all of it."""
    there = np.all(np.asarray(grid) == color, axis=2)
    found = Image.fromarray(there).getbbox()
    assert found, f"no {color} in the grid"
    return found


def test_each_panel_shows_its_picture_in_order_and_undistorted() -> None:
    pictures = [full("red", (80, 60)), full("green", (20, 60)), full("blue", (300, 60)), full("magenta", (1, 900))]
    grid = storyboard_grid(board(4), pictures, columns=2)
    boxes = [box_of(grid, COLORS[color]) for color in ("red", "green", "blue", "magenta")]
    red, green, blue, magenta = boxes
    assert red[2] < green[0] and blue[2] < magenta[0] and red[3] < blue[1] and green[3] < magenta[1]
    for (left, top, right, bottom), picture in zip(boxes[:3], pictures, strict=False):
        assert (right - left) / (bottom - top) == pytest.approx(picture.width / picture.height, rel=0.03)
    assert grid.mode == "RGB"


def test_a_panel_rests_on_the_picture_that_it_names() -> None:
    pictures = [full("red"), full("green"), full("blue")]
    grid = storyboard_grid(render_story(story(), "sdxl"), pictures, columns=1)  # four beats: 1, 2, 2, 3
    middle = grid.width // 2
    column = [grid.getpixel((middle, y)) for y in range(grid.height)]
    solid = [pixel for pixel in column if pixel in (COLORS["red"], COLORS["green"], COLORS["blue"])]
    order = [pixel for pixel, before in zip(solid, [None, *solid], strict=False) if pixel != before]
    assert order == [COLORS["red"], COLORS["green"], COLORS["blue"]]
    assert solid.count(COLORS["green"]) == 2 * solid.count(COLORS["red"])


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (30, 200), (200, 30)])
@pytest.mark.parametrize("columns", [0, 1, 4, 16])
def test_sixteen_panels_stay_within_bounds(size: tuple[int, int], columns: int) -> None:
    long = "An unusually wordy sentence that goes on. " * 8
    grid = storyboard_grid(board(16, title=long[:60], happens=long, prompt=long), [full("red", size)] * 16, columns)
    assert grid.width * grid.height <= MOST_PIXELS
    assert min(grid.size) > 200


@pytest.mark.parametrize("count", range(1, 17))
def test_a_chosen_grid_leaves_little_empty(count: int) -> None:
    grid = storyboard_grid(replace(board(16), panels=board(16).panels[:count]), [full("red")] * 16)
    cards = sum(grid.getpixel((x, grid.height - GAP - 2)) == CARD for x in range(grid.width)) / grid.width
    assert cards > 0.2, "the last row has at least one panel in four"
    assert grid.width / grid.height < 5


def test_it_is_the_same_each_time() -> None:
    pictures = [full("red"), full("green"), full("blue")]
    told = render_story(story(), "sdxl")
    assert storyboard_grid(told, pictures).tobytes() == storyboard_grid(told, pictures).tobytes()


def test_transparency_and_orientation() -> None:
    clear = Image.new("RGBA", (60, 40))
    turned = full("blue", (90, 30))
    turned.getexif()[0x0112] = 6
    grid = storyboard_grid(board(2), [clear, turned])
    assert box_of(grid, (255, 255, 255))[2] < grid.width / 2
    left, top, right, bottom = box_of(grid, COLORS["blue"])
    assert bottom - top > 2 * (right - left)


def test_what_cannot_be_drawn_gives_way_to_english() -> None:
    def drawn(**texts: str) -> bytes:
        return storyboard_grid(board(2, seen="A red square.", **texts), [full("red")] * 2).tobytes()

    assert drawn(title="最后的照片", happens="Она уехала.") == drawn(title="", happens="A red square.")
    assert drawn(title="Fin 🎉", happens="Bye\u202e!") == drawn(title="Fin", happens="Bye!")
    assert drawn(title="Fin", prompt="1girl, 花, hat") == drawn(title="Fin", prompt="1girl, hat")
    assert drawn(title="Fin") != drawn(title="Finis")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain, text!", "plain, text!"),
        ("Grüße", "Gru\u0308sse"),
        ("a – b\u00a0c\n d", "a - b c d"),
        ("Łódź", "Lo\u0301dz\u0301"),
        ("中 and English", ""),
        ("שלום", ""),
        ("हिन्दी", ""),
        ("🎉", ""),
    ],
)
def test_lettered(text: str, kept: str) -> None:
    assert lettered(text) == kept


def test_every_character_that_is_kept_is_drawn() -> None:
    for character in map(chr, [*range(0x20, 0x500), *range(0x1E00, 0x2200), *range(0x3000, 0x3100)]):
        for letter in lettered(character):
            assert letter == " " or letter in ACCENTS or has_glyph(letter), hex(ord(character))
    assert all(has_glyph(character) for character in map(chr, range(0x21, 0x7F)))
    assert not has_glyph("ü") and not has_glyph("中")


def ink_of(line: str, size: int = 40) -> Image.Image:
    picture = Image.new("RGB", (240, 80), CARD)
    Lettering(size).write(picture, (20, 20), lettered(line), INK)
    return picture


@pytest.mark.parametrize(("with_accent", "without"), [("ü", "u"), ("É", "E"), ("ç", "c"), ("ő", "o"), ("ñ", "n")])
def test_accents_add_to_a_letter_and_take_nothing(with_accent: str, without: str) -> None:
    plain, accented = ink_of(without).convert("L"), ink_of(with_accent).convert("L")
    darker = sum(a > b for a, b in zip(plain.tobytes(), accented.tobytes(), strict=True))
    lighter = sum(a < b for a, b in zip(plain.tobytes(), accented.tobytes(), strict=True))
    assert darker > 10 and lighter == 0


def test_an_accent_takes_the_place_of_a_dot_and_leaves_the_neighbours() -> None:
    dotless, dotted = ink_of("lïl"), ink_of("lil")
    assert dotless.tobytes() != dotted.tobytes()
    stem = Lettering(40).width("l")
    around = (20, 0, 20 + int(stem) - 2, 80)
    assert dotless.crop(around).tobytes() == dotted.crop(around).tobytes()


def test_lines_are_wrapped_and_cut() -> None:
    lettering = Lettering(16)
    lines = lettering.wrapped("one two three " * 20, 200, 3)
    assert len(lines) == 3 and lines[-1].endswith("…")
    assert all(lettering.width(line) <= 200 for line in lines)
    long_word = lettering.wrapped("x" * 100, 100, 50)
    assert "".join(long_word) == "x" * 100 and all(lettering.width(line) <= 100 for line in long_word)
    assert lettering.wrapped("", 100, 3) == []


@pytest.mark.parametrize("columns", [-1, 17])
def test_columns_that_cannot_be(columns: int) -> None:
    with pytest.raises(PromptError, match="columns"):
        storyboard_grid(board(2), [full("red")] * 2, columns)


def test_a_picture_that_is_not_there() -> None:
    with pytest.raises(PictureError, match="Beat 2 rests on picture 2, and there are 1"):
        storyboard_grid(board(2), [full("red")])
