"""What is asked about a picture: the requests that nodes and commands send to an engine."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from .analysis import ImageAnalysis
from .errors import PromptError
from .options import LookAt
from .presets import load_preset
from .request import Request, Sampling

if TYPE_CHECKING:
    from PIL import Image

MAX_EXTRA_CHARACTERS = 2000

FOCUS: dict[LookAt, str] = {
    "everything": "Give every part of the picture the attention that it takes up.",
    "subject": "Look above all at the subjects: who or what they are, how they look, what they wear and do.",
    "style": "Look above all at how the picture was made: medium, movement, technique, texture, light, palette, mood.",
    "composition": "Look above all at how the picture is built: shot, angle, lens, focus, arrangement, setting.",
}


CLOSED = (
    "In appearance, clothing, action, setting, composition and tags only tags of Danbooru can be written: "
    "choose those that fit, and none where none fits."
)


def analysis_request(
    picture: Image.Image,
    *,
    look_at: LookAt = "everything",
    extra: str = "",
    seed: int = 0,
    closed_vocabulary: bool = False,
) -> Request[ImageAnalysis]:
    """The request for one look at one picture. `extra` is the user's own instruction, in any words;
    `closed_vocabulary` lets the model write tags of Danbooru only (see `closed.py`).

    Raises PromptError for an `extra` of more than `MAX_EXTRA_CHARACTERS` or a `look_at` that is none.
    """
    if look_at not in FOCUS:
        raise PromptError(f"Cannot look at {look_at!r}; choose one of {', '.join(FOCUS)}.")
    words = users_words(extra, "in the same fields")
    focus, answer = FOCUS[look_at], ImageAnalysis
    if closed_vocabulary:
        from .closed import closed_analysis

        focus, answer = f"{focus}\n\n{CLOSED}", closed_analysis()
    instruction = load_preset("image_analysis").fill(focus=focus, extra=words).strip()
    return Request((picture,), instruction, answer, Sampling(seed=seed))


def users_words(extra: str, where: str) -> str:
    """The user's instruction, marked as such; "" for none. `where` says into what of the answer it goes.

    Raises PromptError for more than `MAX_EXTRA_CHARACTERS`.
    """
    words = without_marks(extra)
    if len(words) > MAX_EXTRA_CHARACTERS:
        raise PromptError(
            f"The extra instruction has {len(words):,} characters; shorten it to {MAX_EXTRA_CHARACTERS:,} or fewer."
        )
    return f"The user also asks you this, about the same picture and {where}:\n{words}" if words else ""


def without_marks(text: str) -> str:
    """What a user typed, without invisible characters and without the marks that a chat template acts on."""
    visible = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    return re.sub(r"<\||\|>", " ", visible).strip()
