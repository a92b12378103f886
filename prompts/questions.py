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


def analysis_request(
    picture: Image.Image, *, look_at: LookAt = "everything", extra: str = "", seed: int = 0
) -> Request[ImageAnalysis]:
    """The request for one look at one picture. `extra` is the user's own instruction, in any words.

    Raises PromptError for an `extra` of more than `MAX_EXTRA_CHARACTERS` or a `look_at` that is none.
    """
    if look_at not in FOCUS:
        raise PromptError(f"Cannot look at {look_at!r}; choose one of {', '.join(FOCUS)}.")
    instruction = load_preset("image_analysis").fill(focus=FOCUS[look_at], extra=_users_words(extra)).strip()
    return Request((picture,), instruction, ImageAnalysis, Sampling(seed=seed))


def _users_words(extra: str) -> str:
    """The user's instruction, marked as such; "" for none. Marks that a chat template acts on are taken out."""
    visible = "".join(c for c in extra if c == "\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    words = re.sub(r"<\||\|>", " ", visible).strip()
    if len(words) > MAX_EXTRA_CHARACTERS:
        raise PromptError(
            f"The extra instruction has {len(words):,} characters; shorten it to {MAX_EXTRA_CHARACTERS:,} or fewer."
        )
    if not words:
        return ""
    return f"The user also asks you this, about the same picture and in the same fields:\n{words}"
