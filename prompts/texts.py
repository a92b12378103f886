"""Free text about a picture, in a language and by a preset: how it is asked for, and how what comes is made fit to pass
on. Knows no engine. What it gives is for people: unlike a prompt, nothing in it is escaped for ComfyUI.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from .analysis import Part
from .errors import NothingToSay
from .presets import DEFAULT_LANGUAGE, DEFAULT_TEXT_PRESET, load_preset, load_text_preset
from .questions import named, users_words
from .request import Request, Sampling

if TYPE_CHECKING:
    from PIL import Image

MAX_TEXT_CHARACTERS = 4000

SAMPLING = Sampling(temperature=0.7, presence_penalty=0.5, max_tokens=4096)
"""Qwen's own temperature for the Instruct models, since this is writing and no report, and room for 4,000 Chinese
characters, the densest text there is at up to a token each.

Their presence_penalty of 1.5 for prose is not taken over, though JSON with one string has no quotes and commas to
repeat: at this temperature it makes each token that was there before 9 times unlikelier, and in one string these are
the line breaks, bullets and hashtags that a preset asks for. Qwen's model cards also warn that a high one mixes
languages, which here would spoil the result. 0.5 halves the odds; loops end by the schema's bound and vLLM's
repetition_detection. Not tuned with weights.
"""


class ImageText(Part):
    """A text about one picture."""

    text: Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]


def text_request(
    picture: Image.Image,
    *,
    preset: str = DEFAULT_TEXT_PRESET,
    language: str = DEFAULT_LANGUAGE,
    extra: str = "",
    seed: int = 0,
) -> Request[ImageText]:
    """The request for a text about one picture. Parameters and errors as in `text_requests`."""
    return next(text_requests([picture], preset=preset, language=language, extra=extra, seed=seed))


def text_requests(
    pictures: Iterable[Image.Image],
    *,
    preset: str = DEFAULT_TEXT_PRESET,
    language: str = DEFAULT_LANGUAGE,
    extra: str = "",
    seed: int = 0,
) -> Iterator[Request[ImageText]]:
    """The requests for a text about each picture, made as they are taken; what is asked is settled at once.

    `language` in any words ("" = English), `extra` the user's own instruction. Raises PresetError for a preset that
    cannot be used, PromptError for a language or an instruction that is too long.
    """
    instruction = text_instruction(preset, language, extra)
    sampling = replace(SAMPLING, seed=seed)
    return (Request((picture,), instruction, ImageText, sampling) for picture in pictures)


def text_instruction(preset: str, language: str, extra: str) -> str:
    """What the model is told: the preset, with the language and the user's words in their places, else after it."""
    chosen = load_text_preset(preset)
    language = named(language, "language", "Deutsch") or DEFAULT_LANGUAGE
    words = users_words(extra, "in the same text")
    wanted = chosen.placeholders()
    values = {"language": language, "extra": words}
    task = [chosen.fill(**{name: values[name] for name in wanted}).strip()]
    task += [] if "language" in wanted else [f"Write in {language}."]
    task += [words] if words and "extra" not in wanted else []
    return load_preset("image_text").fill(task="\n\n".join(task))


def finished_texts(answers: Sequence[ImageText], names: Sequence[str]) -> list[str]:
    """The text of each answer. Raises as `finished_text`, with the picture's name in front."""
    texts = []
    for name, answer in zip(names, answers, strict=True):
        try:
            texts.append(finished_text(answer))
        except NothingToSay as error:
            raise NothingToSay(f"{name}: {error}") from error
    return texts


def finished_text(answer: ImageText) -> str:
    """The answer's text, never empty: without control characters, and without the broken end of one that hit the bound.

    Line breaks and emoji stay. Raises NothingToSay for a text without a single letter, digit or sign.
    """
    text = answer.text
    if len(text) >= MAX_TEXT_CHARACTERS:
        text = _whole_sentences(text)
    text = _readable(text)
    if not any(unicodedata.category(character)[0] in "LNS" for character in text):
        raise NothingToSay("The model wrote no text about this picture; choose another seed or another preset.")
    return text


# East Asian full stops need no space after them; \u2026 is an ellipsis, \u0964 Hindi's, \u06d4 and \u061f Urdu's and
# Arabic's, the rest closing quotes and brackets
_SENTENCE_END = re.compile(
    r"[.!?\u2026\u0964\u06d4\u061f][\"'\u201d\u2019\u00bb)\]]*(?=\s|$)"
    r"|[\u3002\uff01\uff1f\uff61][\u201d\u2019\u300d\u300f\uff09]*|(?<=\S)(?=\s*\n)"
)
_JOINERS = frozenset("\u200c\u200d\u200e\u200f")
"""Invisible, and needed: they hold together emoji and Persian words, and give right-to-left text its direction."""


def _whole_sentences(text: str) -> str:
    """A text that was cut off, up to the last end of a sentence or line; without any, up to the last whole word."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    if ends:
        return text[: ends[-1]]
    words = text.rsplit(maxsplit=1)
    return words[0] if len(words) > 1 else text


def _readable(text: str) -> str:
    """Without control and invisible characters, spaces before line breaks, and more than one empty line in a row."""
    lines = ["".join(map(_visible, line)).rstrip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _visible(character: str) -> str:
    """The character, a space for a control character such as a tab, "" for an invisible one that nothing needs."""
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category in {"Cf", "Cs"} and character not in _JOINERS else character
