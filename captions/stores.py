"""Object stores (S3, Google's, Azure's, and what else pyarrow knows): what is in them. Needs pyarrow.

Keys come from where the store's own tools look for them: the environment, a profile, the machine's role. A URL that
carries one is refused, so that none is in a message, a row, or Ray's store.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from os.path import splitext
from typing import TYPE_CHECKING, Any

from .errors import CaptionError, StoreError
from .found import Stored

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import FileInfo, FileSystem

MOST_BYTES = 2**29
"""Of one object: it is held in memory."""
MOST_WHY = 200
"""Characters of what a store says."""
NAMELESS = ("", ".", "..")
"""Parts of keys that stand for another object as soon as they are asked for."""
ODD = "has a name with an empty part, '.' or '..' in it; give it another."
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<host>[^/?]*)/*(?P<key>[^?]*)(?P<settings>\?.*)?", re.DOTALL
)
_SECRET = re.compile(r"[?&;][^=&]*(key|secret|token|password|credential|sig|sas)[^=&]*=", re.IGNORECASE)
_COLON = re.compile(r":(?!\d+$)")
"""But for a port's. A key may have a slash in it, and what is taken for the host ends there."""
_AWS = re.compile(r"AWS Error (\w+)(?: during \w+ operation)?(?:: (?!No response body)([^(]*))?")


def is_url(source: object) -> bool:
    """Whether this names something in a store, and no file."""
    return isinstance(source, str) and _URL.fullmatch(source) is not None


def stored(url: str) -> Stored:
    """What a URL names. Raises CaptionError for one that has a secret in it; the message has it not."""
    match = _URL.fullmatch(url)
    if match is None:
        raise CaptionError("That is no URL; give one such as s3://bucket/folder.")
    scheme, host = match["scheme"].lower(), match["host"]
    if scheme == "file":
        raise CaptionError("A file of this machine is named by its path, without file://.")
    has_key = _COLON.search(host) or (scheme.startswith("s3") and "@" in host)
    if has_key or _SECRET.search(match["settings"] or ""):
        raise CaptionError(
            f"The {scheme}:// URL carries a key; leave it out, and put it where the store's own tools look for it (for "
            "S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment)."
        )
    return Stored(f"{scheme}://{host}{match['settings'] or ''}", match["key"].rstrip("/"))


def inside(folder: Stored, suffixes: frozenset[str], depth: int | None = None) -> Iterator[tuple[str, str]]:
    """The objects in it and below it (so many folders down, None: all) with such an ending, as a folder on a disk is
    read: each one's name from the folder on, and "" or why it cannot be read. Raises CaptionError where the folder
    itself cannot be."""
    waiting = [""]
    while waiting:
        place = waiting.pop()
        try:
            listed = sorted(_entries(_below(folder, place)))
        except CaptionError as error:
            if not place:
                raise
            yield place, str(error)
            continue
        for name, is_folder in listed:
            if name in NAMELESS:
                yield f"{place}/{name}", f"An object there {ODD}"
            elif not is_folder and splitext(name)[1].lower() in suffixes:
                yield _joined(place, name), ""
        folders = [name for name, is_folder in reversed(listed) if is_folder and name not in NAMELESS]
        if depth is None or place.count("/") + bool(place) < depth:
            waiting += [_joined(place, name) for name in folders]


def is_there(at: Stored) -> bool:
    """Whether it is an object or a folder. Raises CaptionError."""
    system, path = _opened(at)
    from pyarrow.fs import FileType

    with told(at):
        return system.get_file_info(path).type != FileType.NotFound


def is_folder(at: Stored) -> bool:
    """Whether it is one, and no object. Raises CaptionError where there is neither."""
    system, path = _opened(at)
    from pyarrow.fs import FileType

    with told(at):
        kind = system.get_file_info(path).type if at.key else FileType.Directory
    if kind == FileType.NotFound:
        raise CaptionError(f"There is no {at}; check the URL.")
    return kind == FileType.Directory


def content(at: Stored) -> bytes:
    """A whole object. Raises CaptionError, StoreError where all others might fail, too."""
    with told(at), opened(at) as file:
        if file.size() > MOST_BYTES:
            raise CaptionError(f"{at} is larger than {MOST_BYTES >> 20} MB; scale it down first.")
        return file.read()


def opened(at: Stored) -> NativeFile:
    """An object, to be read at any place. Raises CaptionError, and as pyarrow does: see `told`."""
    system, path = _opened(at)
    with told(at):
        return system.open_input_file(path)


@contextmanager
def told(at: Stored) -> Iterator[None]:
    """What goes wrong with a store, as our error."""
    load_fs()
    from pyarrow import ArrowException

    try:
        yield
    except FileNotFoundError as error:
        raise CaptionError(f"There is no {at} any more; run the same again when it is back.") from error
    except (OSError, ArrowException) as error:
        raise StoreError(
            f"{at} cannot be read ({why(error)}); check the URL, and the keys that this machine has for the store."
        ) from error


def why(error: Exception) -> str:
    """What a store has said, in short."""
    text = str(error)
    if found := _AWS.search(text):
        return ": ".join(part.strip(" .") for part in found.groups() if part)
    return text.strip().partition("\n")[0][:MOST_WHY]


def _entries(folder: Stored) -> Iterator[tuple[str, bool]]:
    """Names in a folder, hidden ones left out, and which are folders. Raises StoreError."""
    system, path = _opened(folder)
    from pyarrow.fs import FileSelector, FileType

    with told(folder):
        infos: list[FileInfo] = system.get_file_info(FileSelector(path))
    for info in infos:
        above, _, name = info.path.rstrip("/").rpartition("/")
        name = name if above == path and not info.path.endswith("/") else ""  # "" is a key such as folder//x.png
        if name in NAMELESS or name[0] != ".":
            yield name, info.type == FileType.Directory


def _opened(at: Stored) -> tuple[FileSystem, str]:
    """Raises CaptionError."""
    if at.key and any(part in NAMELESS for part in at.key.split("/")):
        raise CaptionError(f"{at} {ODD}")
    system, bucket = _system(at.store)
    return system, "/".join(filter(None, (bucket, at.key)))


@lru_cache(maxsize=16)
def _system(store: str) -> tuple[FileSystem, str]:
    """Who reads the store, and what it calls the bucket. Raises CaptionError."""
    fs = load_fs()
    scheme = store.partition(":")[0]
    try:
        system, bucket = fs.FileSystem.from_uri(store)
    except (ValueError, OSError) as error:  # pyarrow's own are ValueErrors
        raise CaptionError(
            f"{store.partition('?')[0]} cannot be read ({why(error)}); pyarrow knows no such {scheme}:// store."
        ) from error
    return system, bucket.strip("/")


def load_fs() -> Any:
    """pyarrow's module. Raises CaptionError where it is not installed."""
    try:
        from pyarrow import fs
    except ImportError as error:
        raise CaptionError(
            "Object stores and Parquet need pyarrow; install it (pip install 'comfyui-img2prompt[parquet]')."
        ) from error
    return fs


def _below(folder: Stored, place: str) -> Stored:
    return Stored(folder.store, _joined(folder.key, place))


def _joined(*parts: str) -> str:
    return "/".join(filter(None, parts))
