"""What a picture file carries beside its pixels, before anybody knows what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["PNG", "JPEG", "WebP", "other"]


@dataclass(frozen=True, slots=True)
class Field:
    """One text in a file."""

    place: str
    """"PNG text", "PNG comf", "EXIF", "XMP", "JPEG comment" or "pixels" (stealth)."""
    key: str
    """The PNG keyword; the EXIF tag's name ("UserComment", "Make", "Model", "ImageDescription", "Software", …); for
    XMP the property as "exif:UserComment", "dc:description"; for pixels "alpha" or "rgb"; "" for a JPEG comment."""
    text: str
    """Decoded, without byte order mark and NUL at its end; lone surrogates replaced."""

    @property
    def source(self) -> str:
        """As a person reads it: "PNG text 'parameters'", "EXIF UserComment"."""
        if self.place == "PNG text":
            return f"{self.place} {self.key!r}"
        return f"{self.place} {self.key}".strip()


@dataclass(frozen=True, slots=True)
class Carried:
    """All of it, in the file's order; a JPEG's EXIF, which may stand in several pieces, last."""

    kind: Kind
    width: int | None
    """Of the picture as the file's header tells, in pixels."""
    height: int | None
    fields: tuple[Field, ...] = ()
    credentials: str | None = None
    """As in `Recovered`."""
    problems: tuple[str, ...] = ()
    """What could not be read, as sentences that name the cause: a forged length, a text over its limit, a file that
    breaks off. They are told only where nothing else is found."""

    def first(self, *keys: str, place: str | None = None) -> Field | None:
        """The first field with one of these keys (in the order of the keys), in that place if one is named."""
        for key in keys:
            for field in self.fields:
                if field.key == key and place in (None, field.place):
                    return field
        return None
