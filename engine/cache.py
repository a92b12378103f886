"""Answers on disk, by content: the same question about the same pictures is asked once, whatever the files are called.

One SQLite file that several processes share. It holds answers only, no pictures; keys tell nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from ..prompts.request import Answer
from .errors import CacheError

MAX_BYTES = 256 * 2**20
JOURNAL_BYTES = 2**18
"""SQLite writes ahead into a second file, and empties it into the first after the write that reaches this size."""
RESERVED_BYTES = 2**20
"""For that second file, with the largest write, out of what the cache may take."""
DROPPED_AT_ONCE = 50
"""Answers that go in one step when there are too many: more than came, so that it is not done at each put."""
USED_AGAIN_NS = 3600 * 10**9
"""The last use is noted at most this often, so that reading seldom writes."""
BUSY_TIMEOUT_S = 30.0
"""The longest wait for other processes; a write takes some ms."""
INCREMENTAL = 2
"""SQLite's number for the auto_vacuum mode in which the file shrinks when we say so."""

TABLE = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used);
"""
DROP = "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used LIMIT ?)"


def answer_key(identity: str, question: str) -> str:
    """The key for what `identity` answers to `question`: SHA-256, in hex."""
    return hashlib.sha256(f"{identity}\0{question}".encode("utf-8", "surrogatepass")).hexdigest()


class AnswerCache:
    """The answers in one file, made on first use. Safe from any thread and from several processes."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        """`max_bytes`: the most that its files may take on disk; the answers not used for longest go first."""
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def get(self, key: str, answer: type[Answer]) -> Answer | None:
        """The answer under `key`, or None. Raises CacheError."""
        with self._database() as database:
            row = database.execute("SELECT answer, used FROM answers WHERE key = ?", (key,)).fetchone()
            now = time.time_ns()
            if row is not None and now - row[1] > USED_AGAIN_NS:
                database.execute("UPDATE answers SET used = ? WHERE key = ?", (now, key))
        try:
            return None if row is None else answer.model_validate_json(row[0])
        except ValidationError:  # from a version whose answers had other rules; put() will replace it
            return None

    def put(self, key: str, answer: BaseModel) -> None:
        """Keep `answer` under `key`. Raises CacheError."""
        with self._database() as database:
            row = (key, answer.model_dump_json(), time.time_ns())
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", row)
            self._shrink(database)

    def _shrink(self, database: sqlite3.Connection) -> None:
        """Drop answers until the files fit, and give their pages back to the disk."""
        page_bytes = _number(database, "page_size")
        most = (self._max_bytes - min(RESERVED_BYTES, self._max_bytes // 2)) // page_bytes
        while _number(database, "page_count") - _number(database, "freelist_count") > most:
            if not database.execute(DROP, (DROPPED_AT_ONCE,)).rowcount:
                break
        for _ in range(_number(database, "page_count") - most):
            database.execute("PRAGMA incremental_vacuum(1)")  # Python runs one step of it, whatever number it is given

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                opened.close()

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._opened is None:
                    self._opened = self._open()
                with self._opened:
                    yield self._opened
            except (sqlite3.Error, OSError) as error:
                raise CacheError(
                    f"The answers kept in {self._path} cannot be read or written ({error}); delete that file, or turn "
                    "keeping answers off with IMG2PROMPT_CACHE=false."
                ) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite would make it readable for all; its own further files take the rights of this one
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        try:
            _set_up(database)
        except sqlite3.Error:
            database.close()
            raise
        return database


def _set_up(database: sqlite3.Connection) -> None:
    """The modes of this connection and of the file, and its table. Raises sqlite3.Error."""
    database.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")  # counts in a new file only
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    page_bytes = _number(database, "page_size")
    database.execute(f"PRAGMA wal_autocheckpoint = {JOURNAL_BYTES // page_bytes}")
    database.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
    if _number(database, "auto_vacuum") != INCREMENTAL:  # made by an older version
        database.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        database.execute("VACUUM")
    database.executescript(TABLE)


def _number(database: sqlite3.Connection, pragma: str) -> int:
    """The number that a PRAGMA tells."""
    (number,) = database.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)
