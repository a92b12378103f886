"""A table at a URL, written by Ray Data: an object store, or a disk that all machines see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import CaptionError
from .on_ray import last_line, load_ray
from .parquet import Parts, as_table
from .stores import is_url, load_fs, stored, why

if TYPE_CHECKING:
    import pyarrow.fs

PART_ROWS = 20_000
"""Rows of one file: object stores want few files and large ones."""


class ThroughRay(Parts):
    """An Output (outputs.py): Parquet files at `url` with the columns of parquet.py. Begun after Ray is."""

    def __init__(self, url: str, families: Sequence[str], *, part_rows: int = PART_ROWS) -> None:
        super().__init__(families, part_rows)
        self._url = url
        self._place = stored(url) if is_url(url) and not url.startswith("file:") else url
        """As messages call it: without what is set behind its "?"."""

    def look(self) -> None:
        """Read which captions are there. Raises CaptionError."""
        fs = load_fs()
        import pyarrow
        from pyarrow import dataset

        try:
            system, path = fs.FileSystem.from_uri(self._url)
            files = system.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=True))
            parts = [file.path for file in files if _is_part(file)]
            for part in parts:
                for batch in dataset.dataset(part, filesystem=system).to_batches(columns=["family", "file_name"]):
                    self._there(batch)
        except (pyarrow.ArrowException, OSError, KeyError) as error:
            raise CaptionError(
                f"The captions at {self._place} cannot be read ({why(error)}); write to another URL."
            ) from error

    def open(self) -> None:
        self.look()

    def _flush(self) -> None:
        import pyarrow

        ray = load_ray()
        table, self._rows = as_table(self._rows), []
        try:
            ray.data.from_arrow(table).write_parquet(self._url, compression="zstd")
        except (ray.exceptions.RayError, pyarrow.ArrowException, OSError) as error:
            raise CaptionError(
                f"Ray cannot write to {self._place} ({last_line(error)}); check the URL and its rights."
            ) from error


def _is_part(file: pyarrow.fs.FileInfo) -> Any:
    return file.is_file and file.path.endswith(".parquet") and file.size
