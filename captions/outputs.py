"""Where captions go, and how a killed run is gone on with.

Each output knows itself which pictures it has, so that each picture is in each output exactly once, whenever a run was
killed. What is there is never changed, unless `overwrite` says so.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from ..prompts.errors import PromptError
from .done import Names
from .errors import CaptionError
from .find import SUFFIXES, Found, portable
from .task import Row

try:
    import fcntl
except ImportError:  # Windows: two runs into the same sidecars are not kept apart there
    fcntl = None
FULL = (errno.ENOSPC, errno.EDQUOT)
FOLDERS_KNOWN = 100
"""Of which it is kept whether files can be written there."""
MOST_RUNS = 100
"""That write one file at one time, and are waited for."""


class Output(Protocol):
    """One place that captions are written to."""

    @property
    def lost(self) -> frozenset[str]:
        """Names of pictures that it was given and could not write; known when it is closed."""
        ...

    def look(self) -> None:
        """Find out what is there, and change nothing. Raises CaptionError."""
        ...

    def open(self) -> None:
        """The same, and make ready to write. Raises CaptionError."""
        ...

    def has(self, found: Found) -> bool:
        """Whether the picture is in it."""
        ...

    def claim(self, found: Found) -> str:
        """Take the picture's place in it; why that cannot be, or "". Raises CaptionError where the disk is full."""
        ...

    def write(self, found: Found, rows: Sequence[Row]) -> None:
        """Put a picture's rows in, whole or not at all. Raises CaptionError."""
        ...

    def close(self) -> None:
        """Finish it. Raises CaptionError."""
        ...


class Sidecars:
    """A text file beside each picture, as tools for training want it: `cat.txt` for `cat.png`; where there are several
    families `cat.flux1.txt` and so on."""

    lost: frozenset[str] = frozenset()

    def __init__(
        self, families: Sequence[str], *, into: Path | None = None, suffix: str = ".txt", overwrite: bool = False
    ) -> None:
        """`into`: a folder that gets the files instead, under the pictures' names."""
        self._families = families
        self._into = into
        self._suffix = suffix
        self._overwrite = overwrite
        self._claimed = Names()
        self._why_not = lru_cache(FOLDERS_KNOWN)(_why_not)

    def look(self) -> None:
        """Each file is looked for when its picture comes."""

    def open(self) -> None:
        if self._into is not None:
            with told(self._into):
                self._into.mkdir(parents=True, exist_ok=True)
                probe(self._into)

    def path(self, found: Found, family: str) -> Path:
        """The file for a picture and a family."""
        place = found.path if self._into is None else self._into.joinpath(*_below(found.name))
        middle = f".{family}" if len(self._families) > 1 else ""
        return place.with_name(place.stem + middle + self._suffix)

    def claim(self, found: Found) -> str:
        """Another picture of this run may have the same file, such as cat.jpg beside cat.png; or nothing can be written
        into that folder."""
        if found.place and self._into is None:
            return "It lies in no folder here that its caption could go to; name another (--into), or a table."
        try:
            paths = [self.path(found, family) for family in self._families]
            if too_long := next(filter(_is_too_long, paths), None):
                return f"The name of its caption would be too long ({portable(too_long.name)}); give it a shorter one."
        except ValueError:
            return "It has a name that no file can have; correct the list."
        return self._in_the_way(found, paths) or ("" if self.has(found) else self._why_not(paths[0].parent))

    def _in_the_way(self, found: Found, paths: list[Path]) -> str:
        """What has the caption's place, in a sentence, or ""."""
        if found.path in paths:
            return f"Its caption would replace it; choose another ending than {self._suffix}."
        for path in paths:
            if os.path.lexists(path) and not os.path.isfile(path):
                return f"There is something called {portable(path.name)} that is no file; take it away."
        if self._claimed.add(os.fsdecode(paths[0])):
            return ""
        return (
            f"Its caption would go to {portable(paths[0].name)}, as that of another picture does; rename one of them."
        )

    def has(self, found: Found) -> bool:
        return not self._overwrite and all(os.path.lexists(self.path(found, family)) for family in self._families)

    def write(self, found: Found, rows: Sequence[Row]) -> None:
        for row in rows:
            path = self.path(found, row.family)
            with told(path):
                if self._into is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, (row.text + "\n").encode("utf-8", "backslashreplace"), overwrite=self._overwrite)

    def close(self) -> None:
        self._claimed.close()


def check_suffix(suffix: str) -> None:
    """Raises PromptError for an ending that would make no text file."""
    if not suffix.startswith(".") or "/" in suffix or os.sep in suffix or "\0" in suffix or suffix.lower() in SUFFIXES:
        raise PromptError(f"Captions cannot end in {suffix!r}; name an ending such as .txt or .caption.")


def _is_too_long(path: Path) -> bool:
    try:
        path.lstat()
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def _below(name: str) -> list[str]:
    """The parts of a name as they are put below a folder: nothing leads out of it."""
    return [part for part in os.path.splitdrive(name)[1].split("/") if part not in ("", ".", "..")]


def write_whole(path: Path, content: bytes, *, overwrite: bool) -> None:
    """Make the file, at once and whole, whoever else does the same now. One that is there stays as it is without
    `overwrite`. Raises OSError."""
    # short, and the same for the same file: what a killed run leaves, the next one takes
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    part = path.with_name(f".img2prompt-{digest}")
    if os.path.lexists(path) and not overwrite:
        return
    with _held(part):
        if overwrite or not os.path.lexists(path):
            part.write_bytes(content)
            part.replace(path)
        else:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(part: Path) -> Iterator[None]:
    """The file is there, and no other run's as long as that. It is gone where that fails, or Ctrl-C comes."""
    try:
        with contextlib.ExitStack() as stack:
            if fcntl is not None:
                for _ in range(MOST_RUNS):
                    file = stack.enter_context(open(part, "ab"))
                    with contextlib.suppress(OSError):  # a file system without locks
                        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
                    if _is_at(file.fileno(), part):
                        break  # else another run has made the caption of it, and it is that now
            yield
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(part)
        raise


def _remove(part: Path) -> None:
    """Unless another run is at it now, which is told by an OSError."""
    if fcntl is None:
        part.unlink()
        return
    with open(part, "rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # a file system without locks
        part.unlink()


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether this open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def probe(folder: Path) -> None:
    """Raises OSError where nothing can be written into the folder."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def _why_not(folder: Path) -> str:
    """Why nothing can be written into a folder, or into the one that it would be made in; "" where it can. It is tried:
    rights alone do not tell. Raises CaptionError where the disk is full."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        with told(folder):
            probe(folder)
    except CaptionError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL:
            raise
        return str(error)
    return ""


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """What goes wrong with writing, as our error."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            message = (
                f"The disk is full at {path}; make room, and run the same again, without --overwrite: it goes on where "
                "it stopped."
            )
        else:
            message = (
                f"{path} cannot be written ({error.strerror or error}); check its rights, or write elsewhere (--into)."
            )
        raise CaptionError(message) from error
