"""The pictures that are measured on, and what is known of each: a JSONL file, a line for each picture.

    {"image": "photos/1.jpg", "tags": ["1girl", "solo"] or "1girl, solo", "prompt": "…", "caption": "…"}

`image` is relative to the file; one at least of the others is there; other keys are ignored. Hugging Face's ImageFolder
(https://huggingface.co/docs/datasets/image_dataset, metadata.jsonl) is understood, too: `file_name`, and `text`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from .errors import EvaluationError

TextIs = Literal["caption", "prompt", "tags"]
TEXT_IS: tuple[str, ...] = get_args(TextIs)
"""What a line's `text` may be read as."""
METADATA = "metadata.jsonl"
"""ImageFolder's name for the file."""
WORDS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Reference:
    """One picture and what is known of it; "" or () for what is not."""

    name: str
    """The picture as the file names it."""
    image: Path
    tags: tuple[str, ...] = ()
    """As written, each may still be several, separated by commas."""
    prompt: str = ""
    caption: str = ""
    digest: str = field(default="", compare=False)
    """SHA-256 of the file, in hex, by which a picture is known again; "" where it cannot be read."""


def read_references(path: Path, text_is: TextIs = "caption", limit: int = 0) -> list[Reference]:
    """All references of a file, or of the metadata.jsonl in a folder; the first `limit` of them, 0 for all.

    Raises EvaluationError, which names the line.
    """
    file = path / METADATA if path.is_dir() else path
    found: list[Reference] = []
    for place, line in _lines(file):
        found.append(_reference(line, place, file.parent, text_is))
        if len(found) == limit:
            break
    if not found:
        raise EvaluationError(f'{file} has no lines; write one for each picture: {{"image": "1.png", "tags": "a, b"}}.')
    return found


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """The lines that are not empty, each with its place for messages."""
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{file}, line {number}", line
    except OSError as error:
        raise EvaluationError(f"{file} cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{file} is not UTF-8 text ({error.reason}); save it as UTF-8.") from error


def _reference(line: str, place: str, folder: Path, text_is: TextIs) -> Reference:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{place} is not JSON ({error}); write one JSON object to a line.") from error
    if not isinstance(document, dict):
        raise EvaluationError(f'{place} is JSON but no object; write {{"image": "…", "tags": "a, b"}}.')
    name = _text(document, "image", place) or _text(document, "file_name", place)
    if not name:
        raise EvaluationError(f"{place} names no picture; give its path as image (or file_name).")
    told = {kind: _text(document, kind, place) for kind in ("prompt", "caption")}
    tags = _tags(document.get("tags"), place)
    if text := _text(document, "text", place):
        tags = tags or ((text,) if text_is == "tags" else ())
        told |= {text_is: told[text_is] or text} if text_is in told else {}
    if not (tags or told["prompt"] or told["caption"]):
        raise EvaluationError(f"{place} says nothing of {_short(name)}; give tags, prompt or caption (or text).")
    image = folder / name
    if not _is_file(image):
        raise EvaluationError(f"{place}: there is no file {image}; paths are relative to {folder}.")
    reference = Reference(name, image, tags, **told, digest=_digest(image))
    _check_brackets(reference, place)
    return reference


def _digest(image: Path) -> str:
    try:
        with image.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # whoever is asked about it tells why
        return ""


def _text(document: dict[str, object], key: str, place: str) -> str:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise EvaluationError(f"{place}: {key} is no text ({_short(value)}); put it in quotation marks.")
    return (value or "").strip()


def _tags(value: object, place: str) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value or ""]
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise EvaluationError(
            f"{place}: tags are neither a list of texts nor one text ({_short(value)}); correct them."
        )
    return tuple(text for text in texts if text.strip())


def _check_brackets(reference: Reference, place: str) -> None:
    from ..prompts.errors import PromptError
    from ..prompts.syntax import parse

    try:
        for text in (*reference.tags, reference.prompt):
            parse(text)
    except PromptError as error:
        raise EvaluationError(f"{place}: {error}") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= WORDS_SHOWN else text[:WORDS_SHOWN] + "…"
