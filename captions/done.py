"""Names that are looked up, any number of them, in little memory: a private SQLite file that nobody else sees, which is
gone when its process is."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator

from .errors import CaptionError


class Names:
    """A set of texts. Safe from any thread. Raises CaptionError where the disk for temporary files is full."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("CREATE TABLE names (name BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, name: str) -> bool:
        """Put it in; whether it is new."""
        with self._used() as database:
            return database.execute("INSERT OR IGNORE INTO names VALUES (?)", (_key(name),)).rowcount == 1

    def update(self, names: Iterable[str]) -> None:
        """Put them all in."""
        with self._used() as database:
            database.execute("BEGIN")
            try:
                database.executemany("INSERT OR IGNORE INTO names VALUES (?)", ((_key(name),) for name in names))
            finally:
                database.execute("COMMIT")

    def __contains__(self, name: str) -> bool:
        with self._used() as database:
            return database.execute("SELECT 1 FROM names WHERE name = ?", (_key(name),)).fetchone() is not None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    @contextlib.contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.OperationalError as error:
                raise CaptionError(
                    f"The pictures' names cannot be kept ({error}); make room where temporary files go (TMPDIR)."
                ) from error


def _key(name: str) -> bytes:
    """As bytes, since a file's name need not be text."""
    return name.encode("utf-8", "surrogatepass")
