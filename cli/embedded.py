"""The prompts that picture files carry themselves, for commands that would otherwise ask a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..prompts.errors import NothingToSay, PromptError, RecoverError
from ..prompts.options import RenderOptions
from .console import say

if TYPE_CHECKING:
    from ..prompts import ImageAnalysis, Prompt, Recovered

BUT = "--ignore-embedded asks the model"


def carried_by(images: Sequence[Path]) -> list[Recovered | None]:
    """What each file says of the prompt that drew it; None where it holds none, or where that cannot be read, which is
    told. Where headers tell nothing the pixels are searched, since a model would have to decode them, too. That there
    is no such file is for whoever opens the picture to say."""
    from ..prompts import recover

    found: list[Recovered | None] = []
    for image in images:
        try:
            one = recover(image, stealth=True) if image.is_file() else None
        except RecoverError as error:
            say(f"{safe(str(error))} The model is asked instead.")
            one = None
        found.append(one if one and one.positive else None)
    return found


def tell_of(images: Sequence[Path], carried: Sequence[Recovered | None], *, used: bool) -> None:
    """Say for which pictures the file's own prompt counts: `used` as it is, or told to the model."""
    sources = [(image, found.generator) for image, found in zip(images, carried, strict=True) if found]
    done = "the prompt that it carries" if used else "the model is told the prompt that it carries"
    if len(sources) == 1:
        image, generator = sources[0]
        say(safe(f"{image}: {done} ({generator}); {BUT}."))
    elif sources:
        counts = Counter(generator for _, generator in sources)
        of = ", ".join(f"{count} {generator}" for generator, count in counts.most_common())
        done = "the prompts that they carry" if used else "the model is told the prompts that they carry"
        say(safe(f"{len(sources)} of {len(images)} files: {done} ({of}); {BUT}."))


def render_one(
    image: Path, found: Recovered | None, analysis: ImageAnalysis | None, family: str, options: RenderOptions
) -> Prompt:
    """The prompt for one picture: of what its file carries, of what a model saw, or of both. Raises as `render`, with
    the file's name before what concerns it alone."""
    from ..prompts import render
    from ..prompts.known import render_known

    known = found.positive if found else ""
    try:
        if analysis is None:
            return render_known(known, family, options, found.negative if found else "")
        return render(analysis, family, options, known)
    except PromptError as error:
        if known or isinstance(error, NothingToSay):
            raise type(error)(safe(f"{image}: {error}")) from error
        raise


def as_json(value: object) -> object:
    """A `Recovered`, or any part of it, as JSON has it: every field by its name, None as null."""
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value


def safe(text: str) -> str:
    """A text that may hold a file's name, without what a terminal acts on or cannot be written."""
    from ..prompts.recover.values import as_text

    return as_text(text.encode("utf-8", "replace").decode("utf-8"))
