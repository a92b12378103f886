"""One picture file with a generator's text, and what must be read of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from img2prompt.tests.unit.prompts.recover.containers import exif, jpeg, webp


@dataclass(frozen=True)
class Variant:
    """One file, and what must be read of it."""

    name: str
    file: bytes
    generator: str
    positive: str
    negative: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of `Parameters`; of `other` only what is named."""
    hidden: bool = False
    """Whether the pixels must be searched."""
    second: bool = False
    """Whether sd-parsers 0.6 reads both texts rightly."""


FOX, HEN = "a red fox, (snow:1.2), 🦊 ünï", "blurry, hen"
ENCODINGS = ("utf-16-be", "utf-16-le", "utf-8")


def in_files(text: str) -> list[tuple[str, bytes]]:
    """A text in the UserComment of JPEG and WebP, in every encoding."""
    found = []
    for encoding in ENCODINGS:
        found.append((f"JPEG {encoding}", jpeg(exif=exif(user_comment=text, encoding=encoding))))
        found.append((f"WebP {encoding}", webp(exif=exif(user_comment=text, encoding=encoding, byte_order="II"))))
    found.append(("JPEG without header", jpeg(exif=exif(user_comment=text, encoding="utf-8", header=b""))))
    found.append(("animated WebP", webp(exif=exif(user_comment=text), animated=True, exif_header=True)))
    return found
