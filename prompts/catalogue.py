"""Which model families there are: names only, so that ComfyUI can list them at its start without loading pydantic."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FAMILIES = Path(__file__).with_name("families")


@cache
def family_names() -> tuple[str, ...]:
    """The names of the families that come with this package, sorted."""
    return tuple(sorted(path.stem for path in FAMILIES.glob("*.toml")))
