"""Which pictures there are: in folders, by patterns, in lists, in stores and in tables. In an order that is always the
same, and one folder's names at a time, so that any number takes little memory."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from ..prompts.errors import PromptError
from . import stores
from .errors import CaptionError
from .found import Found, Stored, portable
from .in_tables import SUFFIX, Rows
from .stores import inside, is_url, stored

SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)
"""Files of a folder that are taken for pictures, in any case."""
TABLES = frozenset({SUFFIX})


def find(*sources: str | Path | Iterable[str | Path], column: str | None = None) -> Iterator[Found]:
    """The pictures of these sources, one after another: a folder with all that is in it (sorted by name, hidden ones
    left out, links followed, each folder once), a pattern such as `photos/**/*.png`, a file, or an iterable of files;
    each of them here or at a URL of a store, such as s3://bucket/folder. A Parquet file has a picture in each row, in
    this column; a folder without pictures has those of its Parquet files.

    Raises CaptionError for a source that is not there, when its turn comes.
    """
    alone = len(sources) == 1
    rows = Rows(column, alone=alone)
    for source in sources:
        for found in _of(source, alone):
            yield from rows.of(found) if _is_table(found) and not found.problem else (found,)


def check_sources(
    sources: Iterable[str | Path | Iterable[str | Path]], *, beside: bool, parts: str | Path | None = None
) -> None:
    """Find out before anybody is asked what is wrong with them, as far as their names tell; `beside`: the captions go
    to where the pictures are; `parts`: a folder that gets Parquet files. Lists are not looked at. Raises CaptionError,
    PromptError."""
    for source in sources:
        if not isinstance(source, str | Path):
            continue
        at = stored(str(source)) if is_url(_local(source)) else None
        if beside and (at or _has_tables(source)):
            raise PromptError(
                f"Nothing can be written beside the pictures of {at or source}; name a folder (--into), or a table, "
                "such as --jsonl FILE."
            )
        if parts and not at and _is_in(parts, _local(source)) and _has_tables(source):
            raise PromptError(
                f"{parts} lies in {source}, where all Parquet files are taken for pictures; write to another folder."
            )


def _is_in(place: str | Path, folder: str | Path) -> bool:
    return os.path.isdir(folder) and Path(place).resolve().is_relative_to(Path(folder).resolve())


def _has_tables(source: str | Path) -> bool:
    """Whether its pictures are rows. Raises CaptionError."""
    return _is_table(next((found for found in _of(source, True) if not found.problem), None))


def _of(source: str | Path | Iterable[str | Path], alone: bool) -> Iterator[Found]:
    """Its pictures, or its tables."""
    if not isinstance(source, str | Path):
        return map(_listed, source)
    source = _local(source)
    if is_url(source):
        return _at(str(source), alone)
    if os.path.isdir(source):
        base = "" if alone else portable(Path(source)) + "/"
        return _first_there(_inside(Path(source), base, suffixes) for suffixes in (SUFFIXES, TABLES))
    if os.path.lexists(source):
        return iter([_listed(source)])
    if glob.has_magic(str(source)):
        return _matching(str(source))
    raise CaptionError(f"There is no {source}; give a folder, a picture, or a pattern such as 'photos/**/*.png'.")


def _first_there(choices: Iterable[Iterator[Found]]) -> Iterator[Found]:
    """The first of these that has any; what cannot be read is none of them, and told all the same."""
    before: list[Found] = []
    for choice in choices:
        before = []
        for found in choice:
            before.append(found)
            if not found.problem:
                return chain(before, choice)
    return iter(before)


def _listed(file: str | Path) -> Found:
    """What a name in a list stands for."""
    file = _local(file)
    if is_url(file):
        at = stored(str(file))
        return Found(Path(at.name), at.name, place=at)
    return Found(Path(file), portable(file))


def _local(source: str | Path) -> str | Path:
    """A file:// URL as the path that it is."""
    if is_url(source) and str(source).lower().startswith("file:///"):
        from urllib.request import url2pathname

        return url2pathname(str(source)[len("file://") :])
    return source


def _is_table(found: Found | None) -> bool:
    return found is not None and os.path.splitext(found.name)[1].lower() in TABLES


def _at(url: str, alone: bool) -> Iterator[Found]:
    """What is at a URL: as `_of`. Raises CaptionError."""
    at = stored(url)
    parts = at.key.split("/")
    fixed = next((index for index, part in enumerate(parts) if glob.has_magic(part)), None)
    if fixed is not None and not stores.is_there(at):
        return _matching_at(url, Stored(at.store, "/".join(parts[:fixed])), parts[fixed:])
    if not stores.is_folder(at):
        return iter([Found(Path(at.name), at.name, place=at)])
    base = "" if alone else at.name.rstrip("/") + "/"
    return _first_there(
        (_in_store(at, base, name, problem) for name, problem in inside(at, suffixes))
        for suffixes in (SUFFIXES, TABLES)
    )


def _matching_at(url: str, folder: Stored, wanted: Sequence[str]) -> Iterator[Found]:
    suffixes = SUFFIXES | {os.path.splitext(wanted[-1])[1].lower()}
    base = folder.name.rstrip("/") + "/"
    listed = inside(folder, suffixes, None if "**" in wanted else len(wanted) - 1)
    return _some(
        (_in_store(folder, base, name, why) for name, why in listed if why or _fits(name.split("/"), wanted)), url
    )


def _in_store(folder: Stored, base: str, name: str, problem: str) -> Found:
    key = f"{folder.key}/{name}" if folder.key else name
    return Found(Path(base + name), base + name, problem, Stored(folder.store, key))


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
    return _some(matched, pattern)


def _some(matched: Iterator[Found], pattern: str) -> Iterator[Found]:
    """The same. Raises CaptionError where there are none."""
    first = next(matched, None)
    if first is None:
        raise CaptionError(f"No picture matches {pattern}; check the pattern (in quotes, so that the shell leaves it).")
    return chain([first], matched)


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
