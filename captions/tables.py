"""Tables that grow line by line: JSONL and CSV. A torn last line, which a killed run may leave, is cut off."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import IO

from .done import Names
from .errors import CaptionError
from .find import Found
from .locks import lock, nothing
from .outputs import told
from .task import SOURCES, Row

COLUMNS = tuple(field.name for field in fields(Row) if field.name != "analysis")
"""Of a CSV; JSONL and Parquet have `analysis`, too."""
MOST_TORN = 2**20
"""Bytes: what a killed run may leave of the rows of one picture."""
MOST_FIELD = 2**24
"""Characters; a prompt that a file carries may be longer than the 131,072 that Python's csv reads."""
NONE_OF_OURS = "{path} is no table of captions ({why}); write to another file, or replace it with --overwrite."


class Table:
    """A file with a row for each picture and family, in the pictures' order."""

    line_end = b"\n"
    lost: frozenset[str] = frozenset()

    def __init__(self, path: Path, families: Sequence[str], *, overwrite: bool = False) -> None:
        self._path = path
        self._families = families
        self._overwrite = overwrite
        self._names = Names()
        self._file: IO[bytes] | None = None
        self._end = 0
        self._unlock: Callable[[], None] = nothing

    def look(self) -> None:
        if not self._overwrite and self._path.exists():
            with told(self._path):
                self._names.update(self._keys())

    def open(self) -> None:
        """Read which rows are there, and cut off a torn one. Raises CaptionError for a file that is none of ours."""
        with told(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "a+b", buffering=0)  # noqa: SIM115 - closed in close()
            self._unlock = lock(self._path)
            self.look()
            if not self._overwrite:
                self._cut()
                self._begin()

    def _begin(self) -> None:
        """Begin the file where nothing is in it yet."""
        if not self._end:
            self._append(self.head())

    def has(self, found: Found) -> bool:
        return all(_key(found.name, family) in self._names for family in self._families)

    def claim(self, found: Found) -> str:
        return ""

    def write(self, found: Found, rows: Sequence[Row]) -> None:
        wanted = [row for row in rows if _key(found.name, row.family) not in self._names]
        with told(self._path):
            if self._overwrite and not self._end:  # now that there is something to replace it with
                assert self._file is not None
                self._file.truncate(0)
                self._begin()
            self._append(b"".join(map(self.line, wanted)))
        for row in wanted:
            self._names.add(_key(found.name, row.family))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._unlock()
        self._names.close()

    def _append(self, content: bytes) -> None:
        """Write it, or leave the file as it was."""
        assert self._file is not None
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError:
            self._file.truncate(self._end)
            raise
        self._end += len(content)

    def _keys(self) -> Iterator[str]:
        """The keys of the rows that are there; `_end` is after the last whole one then."""
        with open(self._path, "rb") as file:
            for row, end in self.rows_in(file):
                name, family = row.get("file_name"), row.get("family")
                if not isinstance(name, str) or not isinstance(family, str):
                    raise CaptionError(NONE_OF_OURS.format(path=self._path, why="a row has no file_name and family"))
                self._end = end
                yield _key(name, family)
            file.seek(self._end)
            torn = file.read(MOST_TORN + 1)
            if torn and (len(torn) > MOST_TORN or not self.may_be_torn(torn)):
                raise CaptionError(NONE_OF_OURS.format(path=self._path, why="its end is not a whole row"))

    def _cut(self) -> None:
        """Take off what a killed run has left of its last rows: they are made again."""
        assert self._file is not None
        self._file.truncate(self._end)
        if self._end:
            self._file.seek(-1, io.SEEK_END)
            last = self._file.read(1)
            if last != b"\n":  # as an editor may leave it
                self._append(self.line_end.removeprefix(last))

    def head(self) -> bytes:
        """What comes before all rows."""
        return b""

    def may_be_torn(self, end: bytes) -> bool:
        """Whether this, after the last whole row, can be what is left of one of ours."""
        raise NotImplementedError

    def line(self, row: Row) -> bytes:
        """A row as it is written."""
        raise NotImplementedError

    def rows_in(self, file: IO[bytes]) -> Iterator[tuple[dict[str, object], int]]:
        """The whole rows in the file, each with the place after it. The last one may lack the end of its line."""
        raise NotImplementedError


class JsonLines(Table):
    """One JSON object a line, the analysis with it."""

    def line(self, row: Row) -> bytes:
        return json.dumps(row.as_dict(), ensure_ascii=False).encode("utf-8", "backslashreplace") + self.line_end

    def may_be_torn(self, end: bytes) -> bool:
        begin = f'{{"{COLUMNS[0]}": "'.encode()
        return end[: len(begin)] == begin[: len(end)]

    def rows_in(self, file: IO[bytes]) -> Iterator[tuple[dict[str, object], int]]:
        end = 0
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                row = None
                if not line.endswith(b"\n"):
                    return
            end += len(line)
            yield row if isinstance(row, dict) else {}, end


class Csv(Table):
    """Comma-separated values with a line of column names (RFC 4180), without the analysis."""

    line_end = b"\r\n"

    def head(self) -> bytes:
        return _csv_line(COLUMNS)

    def line(self, row: Row) -> bytes:
        values = row.as_dict()
        return _csv_line([values[column] for column in COLUMNS])

    def may_be_torn(self, end: bytes) -> bool:
        # more than one line of a table is no torn row, but a quote too much somewhere
        return self.line_end not in end if self._end else self.head().startswith(end)

    def rows_in(self, file: IO[bytes]) -> Iterator[tuple[dict[str, object], int]]:
        end, quotes, lines = 0, 0, []
        columns: list[str] = []
        for line in file:
            lines.append(line)
            quotes += line.count(b'"')
            if quotes % 2:
                continue  # a field goes on in the next line
            whole = b"".join(lines)
            values = _csv_values(whole)
            if not line.endswith(b"\n") and (len(values) < len(COLUMNS) or values[-1] not in SOURCES):
                return
            end, quotes, lines = end + len(whole), 0, []
            if columns:
                yield dict(zip(columns, values, strict=False)), end
            else:
                columns, self._end = values, end
                if tuple(columns) != COLUMNS:
                    yield {}, end


def _csv_line(values: Sequence[object]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator=Csv.line_end.decode()).writerow(values)
    return line.getvalue().encode("utf-8", "backslashreplace")


def _csv_values(line: bytes) -> list[str]:
    """The fields of a line; none where it is no CSV."""
    csv.field_size_limit(max(csv.field_size_limit(), MOST_FIELD))
    try:
        return next(csv.reader(io.StringIO(line.decode("utf-8", "replace"), newline="")), [])
    except csv.Error:
        return []


def _key(name: str, family: str) -> str:
    return f"{family} {name}"
