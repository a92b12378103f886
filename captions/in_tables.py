"""Pictures that are rows of Parquet files: which there are, and what is in them. Needs pyarrow.

Whoever lists them reads names alone; whoever opens one reads its row group's pictures once for all of them.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, Any

from .errors import CaptionError, StoreError
from .found import Found, InTable, Stored, portable
from .stores import is_folder, is_url, load_fs, opened, stored, why

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import FileMetaData, ParquetFile

SUFFIX = ".parquet"
MOST_GROUP_BYTES = 2**31 - 1
"""Of one row group's pictures: what one column of Arrow's holds."""
KEPT_BYTES = 2**28
LEAST_BYTES = 2**20
"""What a small row group, or one that cannot be read, counts as: so some hundred are kept at most."""
KEPT_GROUPS = 2
"""So many row groups are kept, whatever their size: two are in use where one ends."""
FILE_NAME = "file_name"
"""The column with the pictures' names, as in the metadata files of Hugging Face's ImageFolder."""
ROWS_AT_ONCE = 16
BUFFER_BYTES = 2**24
"""Asked of a disk or a store at one time."""
NO_TABLE = "{file} cannot be read as Parquet ({why}); check the file, or copy it again."


class Rows:
    """The pictures of tables, one table after another."""

    def __init__(self, column: str | None, *, alone: bool) -> None:
        """`column`: theirs; None: the only one that can be it. `alone`: their names need not say which table."""
        self._column = column
        self._alone = alone
        self._any = False

    def of(self, table: Found) -> Iterator[Found]:
        """A table's rows. One that cannot be read is a find with that problem; the first one raises CaptionError: what
        is wrong with it may be so with all."""
        try:
            for found in self._rows(table):
                self._any = True
                yield found
        except CaptionError as error:
            if not self._any:
                raise
            yield Found(table.path, table.name, str(error))

    def _rows(self, table: Found) -> Iterator[Found]:
        file = table.place if isinstance(table.place, Stored) else os.path.abspath(table.path)
        with closing(_open(file)) as parquet, _read(file):
            column, is_text = chosen(parquet.schema_arrow, self._column, file)
            _check_groups(parquet.metadata, column, file)
            number = 0
            for group in range(parquet.num_row_groups):
                names = self._names(parquet, group, column, is_text)
                for row, told in enumerate(names):
                    if is_text:
                        yield _named(file, told, f"{table.name}/{number}")
                    else:
                        name = self._called(table.name, told, number)
                        yield Found(Path(name), name, place=InTable(file, column, group, row, number))
                    number += 1

    def _called(self, table: str, name: str, number: int) -> str:
        if not any(part not in ("", ".", "..") for part in name.split("/")):
            return f"{table}/{number}"
        return name if self._alone else f"{table}/{name}"

    @staticmethod
    def _names(parquet: ParquetFile, group: int, column: str, is_text: bool) -> Iterator[str]:
        """What each row of a group is called, "" where nothing says."""
        schema = parquet.schema_arrow
        inner = [f"{column}.path"] if _is_image(schema.field(column).type) else []
        wanted = [column] if is_text else [*inner]
        if FILE_NAME in schema.names and column != FILE_NAME and _is_text(schema.field(FILE_NAME).type):
            wanted.append(FILE_NAME)
        if not wanted:
            yield from [""] * parquet.metadata.row_group(group).num_rows
            return
        read = parquet.read_row_group(group, columns=wanted)
        texts = [_texts(read[column if name in inner else name]) for name in wanted]
        for given in zip(*texts, strict=True):
            yield next(filter(None, given), "").replace(os.sep, "/")


def chosen(schema: pyarrow.Schema, wanted: str | None, file: str | Stored) -> tuple[str, bool]:
    """The column with the pictures, and whether it has their paths. Raises CaptionError."""
    names = ", ".join(schema.names)
    if wanted is not None:
        if schema.names.count(wanted) != 1:
            raise CaptionError(f"{file} has no column {wanted}; name one of its own with --column ({names}).")
        kind = schema.field(wanted).type
        if not (_is_image(kind) or _is_binary(kind) or _is_text(kind)):
            raise CaptionError(f"The column {wanted} of {file} holds {kind} and no pictures; name another ({names}).")
        return wanted, _is_text(kind)
    fits = [field.name for field in schema if _is_image(field.type)]
    fits = fits or [field.name for field in schema if _is_binary(field.type)]
    if len(fits) == 1:
        return fits[0], False
    if fits:
        raise CaptionError(f"{file} has several columns of pictures ({', '.join(fits)}); name one with --column.")
    raise CaptionError(
        f"{file} has no column of pictures; name the one that has their paths or URLs with --column ({names})."
    )


def picture(place: InTable) -> bytes:
    """A row's picture. Raises CaptionError."""
    pictures = _GROUPS.get(place)
    if place.row >= len(pictures):
        raise CaptionError(f"{place}, is there no more; the file was changed, so run the same again.")
    value = pictures[place.row].as_buffer()
    if value is None:
        raise CaptionError(f"{place}, has no picture; leave it out, or put one in.")
    return value.to_pybytes()


class _Groups:
    """The pictures of the row groups that were read last. Safe from any thread: each is read by one of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._one = threading.Lock()  # one reads at a time, since it takes three times a group's size
        self._kept: OrderedDict[tuple[object, ...], Future[pyarrow.ChunkedArray]] = OrderedDict()

    def get(self, place: InTable) -> pyarrow.ChunkedArray:
        """Raises CaptionError."""
        key = (place.file, place.column, place.group)
        with self._lock:
            reading = self._kept.get(key)
            is_new = reading is None
            reading = reading or self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
        if is_new:
            self._let_go()
            try:
                with self._one:
                    reading.set_result(_read_group(place))
            except BaseException as error:  # noqa: BLE001 - others wait for it, too
                reading.set_exception(error)
                if isinstance(error, StoreError) or not isinstance(error, CaptionError):
                    with self._lock:  # it may be there again for the next
                        self._kept.pop(key, None)
            self._let_go()
        return reading.result()

    def _let_go(self) -> None:
        """Of those that were used longest ago."""
        with self._lock:
            sizes = {key: _size(reading) for key, reading in self._kept.items()}
            total = sum(sizes.values())
            for key in list(self._kept)[:-KEPT_GROUPS]:
                if total > KEPT_BYTES and sizes[key]:
                    total -= sizes[key]
                    del self._kept[key]


_GROUPS = _Groups()


def _size(reading: Future[pyarrow.ChunkedArray]) -> int:
    """0 for one that is being read."""
    if not reading.done():
        return 0
    return LEAST_BYTES if reading.exception() else max(LEAST_BYTES, reading.result().nbytes)


def _read_group(place: InTable) -> pyarrow.ChunkedArray:
    import pyarrow

    with closing(_open(place.file)) as parquet, _read(place.file):
        kind = parquet.schema_arrow.field(place.column).type
        names = [f"{place.column}.bytes" if _is_image(kind) else place.column]
        # read in pieces: as a whole it takes twice the memory, and keeps it
        read = parquet.iter_batches(ROWS_AT_ONCE, row_groups=[place.group], columns=names, use_threads=False)
        parts = [batch.column(0).flatten()[0] if _is_image(kind) else batch.column(0) for batch in read]
    pyarrow.default_memory_pool().release_unused()
    return pyarrow.chunked_array(parts, kind.field("bytes").type if _is_image(kind) else kind)


def _open(file: str | Stored) -> ParquetFile:
    """Raises CaptionError."""
    load_fs()
    from pyarrow.parquet import ParquetFile

    if isinstance(file, str) and os.path.exists(file) and not os.path.isfile(file):  # a named pipe would be waited for
        raise CaptionError(NO_TABLE.format(file=file, why="not a file"))
    with _read(file):
        place = opened(file) if isinstance(file, Stored) else file
        return ParquetFile(place, pre_buffer=False, buffer_size=BUFFER_BYTES)


@contextmanager
def _read(file: str | Stored) -> Iterator[None]:
    """What goes wrong with reading a table, as our error."""
    from pyarrow import ArrowException

    try:
        yield
    except FileNotFoundError as error:
        raise CaptionError(f"There is no {file}; check the path.") from error
    except (ArrowException, OSError, KeyError) as error:
        if isinstance(file, Stored):
            is_folder(file)  # raises where it is the store that fails, and not the table
        raise CaptionError(NO_TABLE.format(file=file, why=why(error))) from error


def _check_groups(metadata: FileMetaData, column: str, file: str | Stored) -> None:
    """Raises CaptionError where a row group's pictures are too large together."""
    for group in range(metadata.num_row_groups):
        about = metadata.row_group(group)
        parts = (about.column(part) for part in range(about.num_columns))
        total = sum(
            part.total_uncompressed_size
            for part in parts
            if part.path_in_schema == column or part.path_in_schema.startswith(f"{column}.")
        )
        if total > MOST_GROUP_BYTES:
            raise CaptionError(
                f"{file} has {total >> 20:,} MB of pictures in one row group, more than {MOST_GROUP_BYTES >> 20:,}; "
                "write it again with fewer rows in each (row_group_size of pyarrow and pandas)."
            )


def _named(file: str | Stored, value: str, row_name: str) -> Found:
    """The picture that a row names: by a URL, or by its path from the table's folder on."""
    try:
        place = _place(file, value)
    except CaptionError as error:
        return Found(Path(row_name), row_name, str(error))
    if isinstance(place, Path):
        return Found(place, portable(value))
    name = place.name if is_url(value) else value
    return Found(Path(name), name, place=place)


def _place(file: str | Stored, value: str) -> Path | Stored:
    """Where the picture lies that a row names. Raises CaptionError."""
    if not value:
        raise CaptionError("The row names no picture; leave it out, or name one.")
    if is_url(value):
        at = stored(value)
        if "?" in at.store:  # whoever wrote the table does not say where our keys are sent
            raise CaptionError(f"The URL {at} has settings behind its '?'; leave them out.")
        store, mark, settings = file.store.partition("?") if isinstance(file, Stored) else ("", "", "")
        same = store.partition(":")[0] == at.store.partition(":")[0]
        return Stored(at.store + mark + settings, at.key) if same else at
    if isinstance(file, str):
        return Path(file).parent / value
    key = normpath(join(dirname(file.key), value))
    if value.startswith("/") or key.split("/")[0] == "..":
        raise CaptionError(f"{value} leads out of where {file} lies; write it as a URL, or from there on.")
    return Stored(file.store, key)


def _texts(column: pyarrow.ChunkedArray) -> list[str]:
    """As they are, and what is no UTF-8 shown as \\x..; "" for a null."""
    import pyarrow

    if pyarrow.types.is_struct(column.type):
        column = column.flatten()[0]
    values: list[bytes | None] = column.cast(pyarrow.binary()).to_pylist()
    return [(value or b"").decode("utf-8", "backslashreplace") for value in values]


def _is_image(kind: Any) -> bool:
    """Whether it is Hugging Face's: struct<bytes: binary, path: string>."""
    import pyarrow

    if not pyarrow.types.is_struct(kind):
        return False
    fields = {field.name: field.type for field in kind}
    return fields.keys() >= {"bytes", "path"} and _is_binary(fields["bytes"]) and _is_text(fields["path"])


def _is_binary(kind: Any) -> bool:
    import pyarrow

    return pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)


def _is_text(kind: Any) -> bool:
    import pyarrow

    return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)
