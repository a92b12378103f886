"""Which model families and text presets there are: names and files only, so that ComfyUI can list them at its start
without loading pydantic. The user's own go before those of the same name that come with this package."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import platformdirs

HERE = Path(__file__).parent
FAMILIES = HERE / "families"


def user_folder() -> Path:
    """Where the user's own settings, `families/` and `presets/` are; it need not exist.

    The folder of the settings file where `IMG2PROMPT_SETTINGS` names one, else the system's folder for such things.
    """
    named = os.environ.get("IMG2PROMPT_SETTINGS")
    return Path(named).parent if named else _system_folder(*map(os.environ.get, ("XDG_CONFIG_HOME", "HOME", "APPDATA")))


@lru_cache(maxsize=8)
def _system_folder(*_environment: str | None) -> Path:
    """The system's folder, found once for each environment: it is asked for several times a prompt."""
    return Path(platformdirs.user_config_dir("img2prompt", appauthor=False))


def family_names() -> tuple[str, ...]:
    """The names of all families, sorted. A user's file is listed even if it is broken: using it tells what is wrong."""
    return names_in(FAMILIES, user_folder() / "families", ending=".toml")


def family_file(name: str) -> Path | None:
    """The file of a family, or None for a name that is none."""
    return file_of(name, user_folder() / "families", FAMILIES, ending=".toml")


def family_version(name: str) -> str:
    """What changes when the user edits the file of a family; "" for a name that is none."""
    path = family_file(name)
    return f"{path} {path.stat().st_mtime_ns}" if path else ""


def vocabulary_files() -> tuple[tuple[Path, int], ...]:
    """The user's own vocabulary files, sorted, with when each was written to, in nanoseconds."""
    files = sorted(_files_in(user_folder() / "vocabulary", ".csv"))
    return tuple((file, file.stat().st_mtime_ns) for file in files)


def names_in(*folders: Path, ending: str) -> tuple[str, ...]:
    """The names, without the ending, of the files in these folders, sorted."""
    return tuple(sorted({path.stem for folder in folders for path in _files_in(folder, ending)}))


def file_of(name: str, *folders: Path, ending: str) -> Path | None:
    """The file of that name in the first folder that has one."""
    if name != Path(name).name or name.startswith("."):
        return None  # no way out of the folder
    return next((path for folder in folders if _is_file(path := folder / (name + ending))), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _files_in(folder: Path, ending: str) -> list[Path]:
    """The files with that ending, without hidden ones and dead links; [] where there is no such folder."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.suffix == ending and path.name[0] != "." and path.is_file()]
