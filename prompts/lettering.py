"""Text in a picture, with the font that Pillow carries in itself, so that it is the same on every machine.

That font (a subset of Aileron) draws ASCII and a few signs more. Accents are drawn over and under its letters here,
which gives the languages of Europe that are written in Latin; what it has no letters for is told from what it has
(`lettered`), so that nobody ever sees the box of a missing character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFont

Ink = tuple[int, int, int]
PROBE_SIZE = 24
NOT_A_CHARACTER = "\uffff"
STAND_INS = str.maketrans(
    {
        **{"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D"},
        **{"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "\u0131": "i", "ħ": "h", "Ħ": "H"},
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **{"„": "“", "\u201a": "'", "\u00d7": "x", "•": "·", "€": "EUR "},
    }
)
"""Characters that the font lacks and others that can be read in their place."""

Stroke = tuple[tuple[float, float], ...]
_ACUTE, _GRAVE = ((-0.05, 0.0), (0.07, -0.13)), ((0.05, 0.0), (-0.07, -0.13))
ACCENTS: dict[str, tuple[Stroke, ...]] = {
    "\u0300": (_GRAVE,),
    "\u0301": (_ACUTE,),
    "\u0302": (((-0.11, 0.0), (0.0, -0.12), (0.11, 0.0)),),
    "\u0303": (((-0.13, -0.02), (-0.06, -0.08), (0.06, -0.02), (0.13, -0.08)),),
    "\u0304": (((-0.12, -0.05), (0.12, -0.05)),),
    "\u0306": (((-0.11, -0.11), (-0.06, -0.02), (0.06, -0.02), (0.11, -0.11)),),
    "\u0307": (((0.0, -0.05), (0.0, -0.055)),),
    "\u0308": (((-0.1, -0.05), (-0.1, -0.055)), ((0.1, -0.05), (0.1, -0.055))),
    "\u030a": (((0.0, 0.02), (0.08, -0.06), (0.0, -0.14), (-0.08, -0.06), (0.0, 0.02)),),
    "\u030b": (((-0.1, 0.0), (0.0, -0.13)), ((0.05, 0.0), (0.15, -0.13))),
    "\u030c": (((-0.11, -0.12), (0.0, 0.0), (0.11, -0.12)),),
    "\u0323": (((0.0, 0.1), (0.0, 0.105)),),
    "\u0327": (((0.0, 0.0), (0.03, 0.09), (-0.06, 0.13)),),
    "\u0328": (((0.06, 0.0), (-0.02, 0.08), (0.09, 0.12)),),
}
"""Combining marks as strokes, in ems: x from the letter's middle, y from its top (those in BELOW: foot)."""
BELOW = {"\u0323", "\u0327", "\u0328"}
DOTTED = re.compile(r"([ij][\u0300-\u030c]+)")
"""Letters whose dot gives way to an accent."""
STROKE_EM = 0.08
SMOOTH = 4
"""Strokes are drawn so many times as large, and scaled down."""


@cache
def has_glyph(character: str) -> bool:
    """Whether the font itself draws this character."""
    return _drawn(character) != _drawn(NOT_A_CHARACTER)


def lettered(text: str) -> str:
    """`text` on one line as it can be drawn; "" where letters of it cannot, which would leave something else to read.

    Signs and emoji that cannot be drawn are left out. The result is in NFD: letters, each followed by its accents.
    """
    kept = ""
    for character in unicodedata.normalize("NFD", text.translate(STAND_INS)):
        if character.isspace():
            kept += " "
        elif has_glyph(character) or character in ACCENTS:
            kept += character
        elif character.isalnum() or unicodedata.category(character) in ("Mc", "Mn"):
            return ""
    return " ".join(kept.split())


def _drawn(character: str) -> bytes:
    picture = Image.new("L", (2 * PROBE_SIZE, 2 * PROBE_SIZE))
    ImageDraw.Draw(picture).text((0, 0), character, fill=255, font=_font(PROBE_SIZE))
    return picture.tobytes()


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # what Pillow does without FreeType, which all its wheels have
        raise RuntimeError("Pillow was built without FreeType; install one of its wheels.")
    return font


@dataclass(frozen=True, slots=True)
class Lettering:
    """One size of text, in pixels."""

    size: int

    @property
    def line_height(self) -> int:
        return round(self.size * 1.4)

    def width(self, line: str) -> float:
        """Of a lettered line, in pixels: its words and the spaces between them."""
        words = line.split(" ")
        return sum(_length(self.size, word) for word in words) + _length(self.size, " ") * (len(words) - 1)

    def wrapped(self, text: str, width: int, most: int) -> list[str]:
        """Lettered text as lines that fit, `most` at most; "…" where that leaves something out."""
        lines = list(self._lines(text, width))
        if len(lines) <= most:
            return lines
        last = lines[most - 1]
        while last and self.width(last + "…") > width:
            last = last[:-1]
        return [*lines[: most - 1], last.rstrip(" ,.;:") + "…"]

    def _lines(self, text: str, width: int) -> Iterator[str]:
        line = ""
        for word in text.split():
            if line and self.width(f"{line} {word}") > width:
                yield line
                line = ""
            line = f"{line} {word}".strip()
            while self.width(line) > width and len(line) > 1:  # a word that is longer than a line
                fits = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or self.width(line[:n]) <= width)
                yield line[:fits]
                line = line[fits:]
        if line:
            yield line

    def write(self, picture: Image.Image, at: tuple[int, int], line: str, ink: Ink) -> None:
        """Draw a lettered line on a picture; `at` is its upper left corner."""
        draw, font, left = ImageDraw.Draw(picture), _font(self.size), float(at[0])
        for part in DOTTED.split(line):
            if DOTTED.fullmatch(part):
                self._dotless(draw, (round(left), at[1]), part[0], ink)
            else:
                draw.text((left, at[1]), _letters(part), fill=ink, font=font)
            self._accents(draw, (left, at[1]), part, ink)
            left += font.getlength(_letters(part))

    def _dotless(self, draw: ImageDraw.ImageDraw, at: tuple[int, int], letter: str, ink: Ink) -> None:
        """An i or j without its dot, which the font has not: what is above the height of an x is cut off."""
        font = _font(self.size)
        mask = Image.new("L", (2 * self.size, 2 * self.size))
        ImageDraw.Draw(mask).text((self.size // 2, 0), letter, fill=255, font=font)
        mask.paste(0, (0, 0, mask.width, int(font.getbbox("x")[1])))
        draw.bitmap((at[0] - self.size // 2, at[1]), mask, fill=ink)

    def _accents(self, draw: ImageDraw.ImageDraw, at: tuple[float, float], part: str, ink: Ink) -> None:
        """The accents of a run of text that begins at `at`."""
        font, letters, raised = _font(self.size), "", 0.0
        for character in part:
            if character not in ACCENTS:
                letters, raised = letters + character, 0.0
                continue
            letter = letters[-1:] or "o"
            left, top, right, bottom = font.getbbox(letter)
            if DOTTED.match(letter + character):
                top = font.getbbox("x")[1]
            middle = at[0] + font.getlength(letters) - font.getlength(letter) + (left + right) / 2
            edge = bottom if character in BELOW else top - self.size * (0.06 + raised)
            self._accent(draw, (middle, at[1] + edge), character, ink)
            raised += 0 if character in BELOW else 0.14

    def _accent(self, draw: ImageDraw.ImageDraw, at: tuple[float, float], accent: str, ink: Ink) -> None:
        side = self.size
        mask = Image.new("L", (side * SMOOTH, side * SMOOTH))
        pen, thick = ImageDraw.Draw(mask), self.size * STROKE_EM * SMOOTH
        # the fractions of a pixel are in the mask, so that accents stand where their letters do
        middle = [(place % 1 + side // 2) * SMOOTH for place in at]
        for stroke in ACCENTS[accent]:
            points = [(middle[0] + x * side * SMOOTH, middle[1] + y * side * SMOOTH) for x, y in stroke]
            pen.line(points, fill=255, width=round(thick))
            for x, y in points:
                pen.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
        small = mask.resize((side, side), Image.Resampling.BOX)
        draw.bitmap((int(at[0]) - side // 2, int(at[1]) - side // 2), small, fill=ink)


@lru_cache(maxsize=4096)
def _length(size: int, word: str) -> float:
    return _font(size).getlength(_letters(word))


def _letters(line: str) -> str:
    return "".join(character for character in line if character not in ACCENTS)
