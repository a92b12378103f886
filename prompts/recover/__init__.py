"""The prompt that a picture file already carries, whoever wrote it. Nothing is executed, fetched or decoded to pixels.

`files.py` finds the texts in a file, one module per generator knows what they mean, `limits.py` has the bounds. Light
to import: all of it is loaded on first use.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from .recovered import Recovered

__all__ = ["recover"]


def recover(file: str | Path | IO[bytes], *, stealth: bool = False) -> Recovered | None:
    """What a PNG, JPEG or WebP file says of how it was made; None where it says nothing, and for other pictures.

    Only headers are read, unless `stealth`: then, where they tell nothing, the pixels are decoded and searched for a
    prompt hidden in their lowest bits, if there are not too many (limits.py). An open file must be seekable; it is left
    open, its position changed.

    Raises RecoverError for a file that cannot be opened, is no picture, or is damaged where its prompt would be. No
    file takes more than 300 MB of memory and 2 s.
    """
    from .reading import read

    return read(file, stealth=stealth)
