"""A folder of Parquet files, which pandas, DuckDB, datasets, Ray and Spark read as one table. Needs pyarrow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .done import Names
from .errors import CaptionError
from .find import Found
from .locks import lock, nothing
from .outputs import probe, told, write_whole
from .tables import COLUMNS
from .task import Row

if TYPE_CHECKING:
    import pyarrow

PART_ROWS = 2000
"""Rows of one file: so many captions at most are asked for again after a kill, of the cache where that is on."""
PART = "part-{number:06d}.parquet"
IS_PART = re.compile(r"part-\d{6,}\.parquet")
NUMBERS = ("tokens", "token_budget")


class Parts:
    """What outputs have in common that gather rows and write them in parts, each whole."""

    def __init__(self, families: Sequence[str], part_rows: int) -> None:
        self._families = families
        self._part_rows = part_rows
        self._names = Names()
        self._rows: list[Row] = []
        self.lost: frozenset[str] = frozenset()

    def has(self, found: Found) -> bool:
        return all(f"{family} {found.name}" in self._names for family in self._families)

    def claim(self, found: Found) -> str:
        return ""

    def write(self, found: Found, rows: Sequence[Row]) -> None:
        self._rows += [row for row in rows if f"{row.family} {found.name}" not in self._names]
        self._names.update(f"{row.family} {found.name}" for row in rows)
        if len(self._rows) >= self._part_rows:
            self._end_part()

    def close(self) -> None:
        """Write what is left. Raises CaptionError."""
        try:
            if self._rows:
                self._end_part()
        finally:
            self._names.close()

    def _end_part(self) -> None:
        self.lost = frozenset(row.file_name for row in self._rows)  # until they are written
        self._flush()
        self.lost = frozenset()

    def _flush(self) -> None:
        """Write the rows, and have none."""
        raise NotImplementedError

    def _there(self, keys: Any) -> None:
        """Note the rows that are there, of Arrow's columns `family` and `file_name`."""
        pairs = zip(keys["family"].to_pylist(), keys["file_name"].to_pylist(), strict=True)
        self._names.update(f"{family} {name}" for family, name in pairs)


class Parquet(Parts):
    """A table in parts, each written whole; the analysis is a column of JSON."""

    def __init__(
        self, folder: Path, families: Sequence[str], *, overwrite: bool = False, part_rows: int = PART_ROWS
    ) -> None:
        super().__init__(families, part_rows)
        self._folder = folder
        self._overwrite = overwrite
        self._next = 0
        self._unlock: Callable[[], None] = nothing

    def look(self) -> None:
        parquet = _parquet()
        for part in [] if self._overwrite else self._parts():
            with told(part):
                try:
                    read = parquet.read_table(part, columns=["family", "file_name"])
                except (*pyarrow_errors(), OSError) as error:
                    raise CaptionError(f"{part} is no part of captions ({error}); write to another folder.") from error
            self._there(read)
            self._next = int(part.stem.removeprefix("part-")) + 1

    def open(self) -> None:
        _parquet()
        with told(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            probe(self._folder)
            self._unlock = lock(self._folder)
        self.look()

    def _parts(self) -> list[Path]:
        """The files that are there, in their order."""
        if not self._folder.is_dir():
            return []
        return sorted(file for file in self._folder.iterdir() if IS_PART.fullmatch(file.name))

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._unlock()

    def _flush(self) -> None:
        import pyarrow

        if self._overwrite and not self._next:  # now that there is something to replace them with
            for old in self._parts():
                with told(old):
                    old.unlink()
        part = self._folder / PART.format(number=self._next)
        content = pyarrow.BufferOutputStream()
        _parquet().write_table(as_table(self._rows), content, compression="zstd")
        with told(part):
            write_whole(part, content.getvalue().to_pybytes(), overwrite=False)
        self._rows, self._next = [], self._next + 1


def as_table(rows: Sequence[Row]) -> pyarrow.Table:
    """The rows as Arrow has them: COLUMNS, then `analysis` as JSON, null where nobody has looked."""
    import pyarrow

    columns: dict[str, list[Any]] = {name: [_written(getattr(row, name)) for row in rows] for name in COLUMNS}
    columns["analysis"] = [row.analysis and json.dumps(row.analysis, ensure_ascii=False) for row in rows]
    kinds = {name: pyarrow.int32() if name in NUMBERS else pyarrow.string() for name in columns}
    return pyarrow.table(columns, schema=pyarrow.schema(kinds.items()))


def _written(value: object) -> object:
    """A text without what UTF-8 cannot hold."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _parquet() -> Any:
    """pyarrow's module. Raises CaptionError where it is not installed."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise CaptionError("Parquet needs pyarrow; install it (pip install pyarrow), or write JSONL.") from error
    return parquet


def pyarrow_errors() -> tuple[type[Exception], ...]:
    """What pyarrow raises on a file that is no Parquet, or has other columns."""
    import pyarrow

    return pyarrow.ArrowException, KeyError
