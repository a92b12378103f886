"""What is known of a picture that nobody has opened yet: what it is called, and where it lies. Small, and pickled for
Ray; it holds no secret."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of a store, or a folder there."""

    store: str
    """Its URL as far as the bucket, and what was set behind "?", such as an endpoint; stores.py keeps keys out."""
    key: str
    """From the bucket on, as it is: nothing in it stands for another character."""

    def __str__(self) -> str:
        """As messages call it."""
        return f"{self.store.partition('?')[0]}/{self.key}"

    @property
    def name(self) -> str:
        """The bucket and the key."""
        return str(self).partition("://")[2]


@dataclass(frozen=True, slots=True)
class InTable:
    """A row of a Parquet file."""

    file: str | Stored
    """A path that leads to it from any folder, or where it is stored."""
    column: str
    group: int
    """Which of the file's row groups, from 0."""
    row: int
    """Of the row group, from 0."""
    number: int
    """Of the file, from 0."""

    def __str__(self) -> str:
        return f"{self.file}, row {self.number}"


@dataclass(frozen=True, slots=True)
class Found:
    """A picture, which nobody has opened yet."""

    path: Path
    """Its file; where it is none of this machine, its name as a path."""
    name: str
    """What outputs call it, "/" between folders: from its folder on where one was named, else as it was named."""
    problem: str = ""
    """Why it can have no caption, where that is known already: a folder below that cannot be read."""
    place: Stored | InTable | None = None
    """Where it lies, if it is no file of this machine."""

    @property
    def key(self) -> str:
        """The same for the same picture, however often it was found."""
        return repr(self.place) if self.place else str(self.path)


def portable(name: str | Path) -> str:
    """A file's name as text that can be written: "/" between folders; what is no character is shown as \\x.."""
    return os.fsencode(name).decode("utf-8", "backslashreplace").replace(os.sep, "/")
