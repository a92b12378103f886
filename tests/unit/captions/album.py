"""A folder of drawn pictures, and what its captions must be."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from img2prompt.tests.seeing import COLORS, draw

NAMES = [name for name in COLORS if name != "white"]


@dataclass
class Album:
    """`colors` has the colour in the middle of each picture, by its name from the folder on."""

    folder: Path
    colors: dict[str, str] = field(default_factory=dict)

    def add(self, *names: str, color: str = "") -> Album:
        """Draw pictures, each in another colour; the ending says in which format."""
        for name in names:
            self.colors[name] = color or NAMES[len(self.colors) % len(NAMES)]
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            draw(self.colors[name]).save(self.folder / name)
        return self

    def numbered(self, count: int, folders: int = 7) -> Album:
        """So many, in some folders; equal pictures are one file with several names, which are quick to make."""
        first: dict[str, Path] = {}
        for number in range(count):
            name = f"part {number * folders // count}/{number:05d}.png"
            color = NAMES[number % len(NAMES)]
            if color not in first:
                self.add(name, color=color)
                first[color] = self.folder / name
            else:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.link(first[color], self.folder / name)
                self.colors[name] = color
        return self

    def wrong(self, found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of names and captions, those that are not of that picture."""
        return [(name, text) for name, text in found if f"{self.colors[name]} center" not in text]

    def beside(self, suffix: str = ".txt") -> dict[str, str]:
        """The sidecars that are there, by the picture's name."""
        paths = {name: self.folder / name for name in self.colors}
        sidecars = {name: path.with_name(path.stem + suffix) for name, path in paths.items()}
        return {name: sidecar.read_text() for name, sidecar in sidecars.items() if sidecar.exists()}

    def others(self) -> list[str]:
        """Files in the folder that are neither pictures of it nor their sidecars."""
        known = {*self.colors, *(str(Path(name).with_suffix(".txt")) for name in self.colors)}
        files = (file.relative_to(self.folder) for file in self.folder.rglob("*") if not file.is_dir())
        return sorted(str(file) for file in files if str(file) not in known)


def drawn(color: str) -> bytes:
    """A PNG file."""
    file = io.BytesIO()
    draw(color).save(file, "PNG")
    return file.getvalue()


def table(file: Path, numbers: Sequence[int] = (), columns: dict[str, Any] | None = None, group: int = 4) -> Path:
    """A Parquet file with these pictures, as Hugging Face has them, or with these columns."""
    import pyarrow
    from pyarrow import parquet

    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    rows = [{"bytes": drawn(NAMES[number % len(NAMES)]), "path": f"{number:03d}.png"} for number in numbers]
    columns = columns or {"image": pyarrow.array(rows, image), "label": list(numbers)}
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), file, row_group_size=group)
    return file


def json_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def csv_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def parquet_rows(folder: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return [row for part in sorted(folder.iterdir()) for row in parquet.read_table(part).to_pylist()]
