"""The engine without a model: an analysis made of what pixels reliably tell (`prompts.look`), of the writing that a
reader finds where one is installed (`ocr`), and of nothing else.

It never names a subject, a place or a medium, and it is only ever chosen by name. That it is a sketch is said in its
status, never in a prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..prompts.analysis import Color, ImageAnalysis
from ..prompts.confidence import Probabilities
from ..prompts.request import Answer, Request
from .backend import UNWATCHED, Report, Status, Watch
from .errors import Refused
from .ocr import INSTALL
from .room import Room

if TYPE_CHECKING:
    from ..prompts.analysis import VisibleText
    from ..prompts.look import Look
    from .ocr import TextReader

MAIN_COLOR_SHARE = 0.1
"""The caption calls a picture "mostly" of the colours that cover at least this much of it."""
MAIN_COLORS = 3
PALETTE_SIZE = 5  # as in ImageAnalysis
AT_HAND = 8
"""Requests: each is measured in a thread, of which there are a handful."""


class SketchBackend:
    """Answers requests for one picture's ImageAnalysis by measuring it, in about 0.1 s a picture; to read the writing
    in it takes a second or more."""

    name = "sketch"
    gpu_bytes = 0

    def __init__(self, reader: TextReader | None = None) -> None:
        """`reader` reads the writing in pictures; None: no writing is reported."""
        self.room = Room()
        self._reader = reader

    async def ready(self, report: Report) -> None:
        """Nothing needs to start."""

    async def wake(self, report: Report) -> None:
        """There is no model to wake."""

    async def answer(self, request: Request[Answer], report: Report, watch: Watch = UNWATCHED) -> Answer:
        """Measure the request's picture; its instruction and sampling change nothing.

        Raises Refused, PictureError, and OcrFailed where the reader does not work."""
        if request.answer is not ImageAnalysis or len(request.pictures) != 1:
            raise Refused(_refusal(request.answer))
        from ..prompts.look import measure

        (picture,) = request.pictures
        look = await asyncio.to_thread(measure, picture)
        texts = await asyncio.to_thread(self._reader.read, picture) if self._reader else ()
        return request.answer.model_validate(sketch(look, texts))

    def pixels_each(self, request: Request[Any]) -> int:
        """All that they have: no model's context must hold them."""
        return max((picture.width * picture.height for picture in request.pictures), default=0)

    def wanted(self) -> int:
        return AT_HAND

    def identity(self) -> str:
        """The sketch's own version, raised when its words change, and the reader's."""
        return f"sketch 1, {self._reader.identity}" if self._reader else "sketch 1"

    def status(self) -> Status:
        """Always ready; the detail says what it cannot do."""
        if self._reader:
            does = "names colours, darkness and symmetry, reads writing, and sees no subjects"
        else:
            does = f"names colours, darkness and symmetry, and sees no subjects; `{INSTALL}` lets it read writing"
        return Status(
            engine=self.name,
            model="",
            endpoint="",
            detail=f"The sketch engine uses no model: it {does}; "
            "set IMG2PROMPT_ENDPOINT, or IMG2PROMPT_MODEL with vLLM, for a full analysis.",
        )

    async def sleep(self) -> None:
        """Nothing to give back."""

    async def stop(self) -> None:
        """Nothing to end."""

    async def close(self) -> None:
        """Nothing is open."""


def _refusal(answer: type[BaseModel]) -> str:
    if answer is Probabilities:
        return (
            "The sketch engine has no model that could say how sure it is; set the least confidence to 0, or set an "
            "endpoint or a model, and IMG2PROMPT_ENGINE=auto."
        )
    if answer is not ImageAnalysis and issubclass(answer, ImageAnalysis):
        return (
            "The sketch engine does not write in Danbooru's tags; turn closed_vocabulary off, or set an endpoint or a "
            "model, and IMG2PROMPT_ENGINE=auto."
        )
    return (
        "The sketch engine measures colours and light in one picture at a time and can write nothing else; set an "
        "endpoint or a model, and IMG2PROMPT_ENGINE=auto, for that."
    )


def sketch(look: Look, texts: Sequence[VisibleText] = ()) -> ImageAnalysis:
    """The analysis that a Look and the writing that was read support; each field that pixels do not tell says "nothing"
    in the schema's own word."""
    return ImageAnalysis.model_validate(
        {
            "caption": _caption(look),
            "medium": "other",
            "subjects": [],
            "setting": [],
            "shot": "not applicable",
            "angle": "eye level",  # the schema has no "unknown" here
            "view": "not applicable",
            "lens": "unknown",
            "focus": "unknown",
            "composition": ["symmetrical composition"] if look.symmetrical else [],
            "light": "unknown",
            "light_direction": "unknown",
            "contrast": "low key" if look.low_key else "balanced",
            "palette": _palette(look),
            "style": {
                "movement": "",
                "influences": [],
                "technique": [],
                "texture": [],
                "mood": [],
                "era": "unknown",
                "confidence": "low",
            },
            "visible_text": list(texts),
            "flaws": {"items": []},
            "rating": "general",
            "tags": _tags(look),
            "confidence": "low",
        }
    )


def _caption(look: Look) -> str:
    """One sentence: "Mostly navy and gold; cool colors, low-key light; strongly symmetrical; wide format."."""
    main = [color.name for color in look.palette if color.share >= MAIN_COLOR_SHARE][:MAIN_COLORS]
    colors = _listed(main or [look.palette[0].name])
    accent = f" with an accent of {look.accent}" if look.accent else ""
    start = f"Monochrome, {colors}" if look.monochrome else f"Mostly {colors}{accent}"
    feel = [f"{look.temperature} colors"] if look.temperature in ("warm", "cool") else []
    feel += ["low-key light"] if look.low_key else []
    parts = [start, ", ".join(feel), "strongly symmetrical" if look.symmetrical else "", _format(look)]
    return "; ".join(part for part in parts if part) + "."


def _listed(words: list[str]) -> str:
    """ "navy", "navy and gold", "navy, gold and red"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _format(look: Look) -> str:
    """The shape in words that name no subject, which "landscape" and "portrait" do in a prompt."""
    if look.aspect == "square":
        return "square format"
    return "wide format" if look.width > look.height else "tall format"


def _palette(look: Look) -> list[Color]:
    """The colours with their roles: the largest is dominant, a small vivid one is the accent."""
    room = PALETTE_SIZE - bool(look.accent)
    named = [
        Color(name=color.name, role="secondary" if index else "dominant")
        for index, color in enumerate(look.palette[:room])
    ]
    return [*named, Color(name=look.accent, role="accent")] if look.accent else named


def _tags(look: Look) -> list[str]:
    """The few tags that pixels support."""
    if look.monochrome:
        return ["monochrome"]
    return [f"{look.temperature} colors"] if look.temperature in ("warm", "cool") else []
