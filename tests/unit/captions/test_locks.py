"""Locks of tables where Python has msvcrt instead of fcntl, with one that does what Windows is documented to do."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from img2prompt.captions import CaptionError, locks
from img2prompt.captions.outputs import Output
from img2prompt.captions.parquet import Parquet
from img2prompt.captions.tables import Csv, JsonLines

Kind = Callable[[Path, list[str]], Output]


class Windows:
    """Locks a byte of a file for the descriptor that asks, until that is closed."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self._locked: dict[int, int] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count, os.lseek(descriptor, 0, os.SEEK_CUR)) == (self.LK_NBLCK, 1, 0)
        here = os.fstat(descriptor).st_ino
        self._locked.pop(descriptor, None)  # it was closed since
        if any(file == here and _is_open(other, file) for other, file in self._locked.items()):
            raise PermissionError(13, "Permission denied")
        self._locked[descriptor] = here


def _is_open(descriptor: int, file: int) -> bool:
    try:
        return os.fstat(descriptor).st_ino == file
    except OSError:
        return False


@pytest.mark.parametrize("kind", [JsonLines, Csv, Parquet])
def test_a_second_run_is_refused_as_long_as_the_first_lasts(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "msvcrt", Windows())
    with closing(kind(tmp_path / "a", ["sdxl"])) as first, closing(kind(tmp_path / "b", ["sdxl"])) as other:
        first.open()
        other.open()
        with closing(kind(tmp_path / "a", ["sdxl"])) as second, pytest.raises(CaptionError, match="Another run is"):
            second.open()
    with closing(kind(tmp_path / "a", ["sdxl"])) as later:
        later.open()
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "temporary"]
