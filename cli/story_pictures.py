"""Which pictures a story is told with: files and folders as given, thinned out where they are a video's frames."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from ..prompts.errors import PictureError
from ..prompts.options import FEWEST_PICTURES, MOST_PICTURES

SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What counts as a picture in a folder. A file that is named itself may be called anything."""


def story_files(given: list[Path], every: int, pick: int) -> list[Path]:
    """The picture files in their order; a folder stands for its pictures.

    `every`: every n-th of all, 1 for all. `pick`: so many, evenly spread, the first and the last among them, 0 for all.
    Raises typer.BadParameter for what no story can be told with, PictureError for a folder that cannot be read.
    """
    if every > 1 and pick:
        raise typer.BadParameter("it and --every exclude each other; use one of them.", param_hint="--pick")
    found = [file for path in given for file in (_pictures_in(path) if path.is_dir() else [path])]
    if pick == 1:
        raise typer.BadParameter("one picture makes no story; pick 2 to 16, or 0 for all.", param_hint="--pick")
    if pick > len(found):
        raise typer.BadParameter(f"there are {len(found)} pictures; pick as many or fewer.", param_hint="--pick")
    chosen = evenly(found, pick) if pick else found[::every]
    if len(chosen) < FEWEST_PICTURES:
        raise typer.BadParameter(
            f"A story takes {FEWEST_PICTURES} to {MOST_PICTURES} pictures, and there is {len(chosen) or 'none'}; "
            "use `img2prompt prompt` for one.",
            param_hint="IMAGES",
        )
    if len(chosen) > MOST_PICTURES:
        raise typer.BadParameter(
            f"A story takes {FEWEST_PICTURES} to {MOST_PICTURES} pictures, and there are {len(chosen)}; "
            f"--pick {MOST_PICTURES} takes so many, evenly spread.",
            param_hint="IMAGES",
        )
    return chosen


def evenly(files: list[Path], count: int) -> list[Path]:
    """`count` of them (2 to all), as evenly spread as it goes, the first and the last among them."""
    gaps = count - 1
    # in whole numbers: round() would take the even neighbour of a half
    return [files[(2 * step * (len(files) - 1) + gaps) // (2 * gaps)] for step in range(count)]


def natural(name: str) -> tuple[list[tuple[str, int]], str]:
    """A key that sorts names as people count: frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name.casefold())
    numbers = [int(number) for number in parts[1::2]] + [-1]
    return list(zip(parts[::2], numbers, strict=True)), name


def shown(file: Path | str) -> str:
    """A file's name as text that can be written anywhere: bytes that are no text are shown as question marks."""
    return str(file).encode("utf-8", "replace").decode()


def _pictures_in(folder: Path) -> list[Path]:
    """The pictures that lie in a folder itself, by natural order of their names. Raises PictureError."""
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.name[0] != "."]
    except OSError as error:
        raise PictureError(f"The folder {folder} cannot be read ({error.strerror}); check its permissions.") from error
    pictures = sorted((file for file in files if file.is_file()), key=lambda file: natural(file.name))
    if not pictures:
        raise PictureError(f"The folder {folder} holds no pictures; name one that does, or the files themselves.")
    return pictures
