"""Which pictures there are: in folders, by patterns, in lists. In an order that is always the same, and one folder's
names at a time, so that any number takes little memory."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import CaptionError

SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)
"""Files of a folder that are taken for pictures, in any case."""


@dataclass(frozen=True, slots=True)
class Found:
    """A picture file, which nobody has opened yet."""

    path: Path
    name: str
    """What outputs call it, "/" between folders: from its folder on where one was named, else as it was named."""
    problem: str = ""
    """Why it can have no caption, where that is known already: a folder below that cannot be read."""


def find(*sources: str | Path | Iterable[str | Path]) -> Iterator[Found]:
    """The pictures of these sources, one after another: a folder with all that is in it (sorted by name, hidden ones
    left out, links followed, each folder once), a pattern such as `photos/**/*.png`, a file, or an iterable of files.

    Raises CaptionError for a source that is not there, when its turn comes.
    """
    alone = len(sources) == 1
    for source in sources:
        if not isinstance(source, str | Path):
            yield from (Found(Path(file), portable(file)) for file in source)
        elif os.path.isdir(source):
            yield from _inside(Path(source), "" if alone else portable(Path(source)) + "/", SUFFIXES)
        elif os.path.lexists(source):
            yield Found(Path(source), portable(Path(source)))
        elif glob.has_magic(str(source)):
            yield from _matching(str(source))
        else:
            raise CaptionError(
                f"There is no {source}; give a folder, a picture, or a pattern such as 'photos/**/*.png'."
            )


def _matching(pattern: str) -> Iterator[Found]:
    """The pictures of a pattern; files of another ending where it names that. Raises CaptionError where there are none.

    Python's own `**` would follow a link that leads back again and again.
    """
    suffixes = SUFFIXES | {os.path.splitext(pattern)[1].lower()}
    parts = Path(pattern).parts
    if "**" in parts:
        fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
        folder = Path(*parts[:fixed])
        base = portable(folder / "x").removesuffix("x")
        matched = (
            found
            for found in (_inside(folder, base, suffixes) if folder.is_dir() else ())
            if found.problem or _fits(found.path.relative_to(folder).parts, parts[fixed:])
        )
    else:
        names = (name for name in sorted(glob.iglob(pattern)) if _is_picture(name, suffixes))
        matched = (Found(Path(name), portable(Path(name))) for name in names if not os.path.isdir(name))
    first = next(matched, None)
    if first is None:
        raise CaptionError(f"No picture matches {pattern}; check the pattern (in quotes, so that the shell leaves it).")
    yield first
    yield from matched


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a path is one of a pattern's, in which `**` stands for any number of folders."""
    if not wanted or not parts:
        return not parts and all(one == "**" for one in wanted)
    if wanted[0] == "**":
        return _fits(parts, wanted[1:]) or _fits(parts[1:], wanted)
    return fnmatch.fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _inside(folder: Path, base: str, suffixes: frozenset[str]) -> Iterator[Found]:
    """The pictures in it and below it, `base` before their names. Raises CaptionError where it cannot be read itself;
    one below that cannot is a find with that problem."""
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        place = waiting.pop()
        try:
            about = os.stat(folder / place)
            if (about.st_dev, about.st_ino) in seen:
                continue  # a link that leads back, or twice to one folder
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(folder / place) as entries:
                listed = sorted((entry.name, _is_folder(entry)) for entry in entries if entry.name[0] != ".")
        except OSError as error:
            problem = f"The folder {folder / place} cannot be read ({error.strerror}); check its rights."
            if not place:
                raise CaptionError(problem) from error
            yield Found(folder / place, base + portable(place), problem)
            continue
        for name in (name for name, is_folder in listed if not is_folder and _is_picture(name, suffixes)):
            inside = os.path.join(place, name)
            yield Found(folder / inside, base + portable(inside))
        waiting += [os.path.join(place, name) for name, is_folder in reversed(listed) if is_folder]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(name: str, suffixes: frozenset[str]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes


def portable(name: str | Path) -> str:
    """A file's name as text that can be written: "/" between folders; what is no character is shown as \\x.."""
    return os.fsencode(name).decode("utf-8", "backslashreplace").replace(os.sep, "/")
