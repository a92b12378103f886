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

MAX_ANSWERS = 20_000
"""About 40 MB of analyses; the ones not used for longest go first."""
PRUNE_EVERY = 100
USED_AGAIN_S = 3600
"""The last use is noted at most this often, so that reading seldom writes."""
BUSY_TIMEOUT_S = 10.0

TABLE = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used);
"""
PRUNE = "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used DESC LIMIT -1 OFFSET ?)"


def answer_key(identity: str, question: str) -> str:
    """The key for what `identity` answers to `question`: SHA-256, in hex."""
    return hashlib.sha256(f"{identity}\0{question}".encode("utf-8", "surrogatepass")).hexdigest()


class AnswerCache:
    """The answers in one file, made on first use. Safe from any thread and from several processes."""

    def __init__(self, path: Path, max_answers: int = MAX_ANSWERS) -> None:
        self._path = path
        self._max_answers = max_answers
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None
        self._puts = 0

    def get(self, key: str, answer: type[Answer]) -> Answer | None:
        """The answer under `key`, or None. Raises CacheError."""
        with self._database() as database:
            row = database.execute("SELECT answer, used FROM answers WHERE key = ?", (key,)).fetchone()
            now = int(time.time())
            if row is not None and now - row[1] > USED_AGAIN_S:
                database.execute("UPDATE answers SET used = ? WHERE key = ?", (now, key))
        try:
            return None if row is None else answer.model_validate_json(row[0])
        except ValidationError:  # from a version whose answers had other rules; put() will replace it
            return None

    def put(self, key: str, answer: BaseModel) -> None:
        """Keep `answer` under `key`. Raises CacheError."""
        with self._database() as database:
            row = (key, answer.model_dump_json(), int(time.time()))
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", row)
            self._puts += 1
            if self._puts % PRUNE_EVERY == 1:
                database.execute(PRUNE, (self._max_answers,))

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
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(TABLE)
        except sqlite3.Error:
            database.close()
            raise
        return database
