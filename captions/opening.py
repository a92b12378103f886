"""A picture as it is read, wherever it lies: when its turn comes, by whoever asks about it."""

from __future__ import annotations

import io
import os
from pathlib import Path

from ..prompts.errors import PictureError
from . import in_tables, stores
from .found import Found, Stored


class Content(io.BytesIO):
    """A file in memory that messages can name."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def opened(found: Found) -> Path | Content:
    """Its file, or what is in it. Raises PictureError and CaptionError, StoreError among these."""
    place = found.place
    if place is None:
        if os.path.exists(found.path) and not os.path.isfile(found.path):  # a named pipe would be waited for
            raise PictureError(f"{found.path} is not a file; leave it out.")
        return found.path
    return Content(stores.content(place) if isinstance(place, Stored) else in_tables.picture(place), str(place))


def again(file: Path | Content) -> Path | Content:
    """The same, to be read from its beginning."""
    if isinstance(file, Content):
        file.seek(0)
    return file
