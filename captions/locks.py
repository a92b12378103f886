"""Who keeps other runs away from a table, as long as its process lives."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .errors import CaptionError

try:
    import fcntl
except ImportError:
    fcntl = None
msvcrt: Any = import_module("msvcrt") if find_spec("msvcrt") else None
"""Windows has it instead."""
BUSY = "Another run is writing {path}; wait for it, or write to another place."


def lock(path: Path) -> Callable[[], None]:
    """Keep other runs away from a file or folder that is there; what ends that. Raises CaptionError where one writes it
    now, and OSError."""
    if msvcrt is not None:
        return _lock_beside(path)
    if fcntl is None:
        return nothing
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # NFS locks what is open for writing
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CaptionError(BUSY.format(path=path)) from None
    except OSError:  # a file system without locks
        pass
    return lambda: os.close(descriptor)


def _lock_beside(path: Path) -> Callable[[], None]:
    """Windows lets nobody read what is locked, and opens no folder: so the lock is on a file of its own, among the
    temporary ones, and keeps away the runs of this user on this machine."""
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    descriptor = os.open(Path(tempfile.gettempdir(), f"img2prompt-{name}.lock"), os.O_RDWR | os.O_CREAT)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        os.close(descriptor)
        raise CaptionError(BUSY.format(path=path)) from None
    return lambda: os.close(descriptor)


def nothing() -> None:
    """What ends nothing."""
