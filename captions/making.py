"""Which outputs a run has, of what is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..prompts.errors import PromptError
from .find import check_sources
from .outputs import Output, Sidecars, check_suffix
from .task import Task


def make_outputs(
    task: Task,
    sources: Sequence[str | Path | Iterable[str | Path]] = (),
    *,
    sidecars: bool | None = None,
    into: str | Path | None = None,
    suffix: str = ".txt",
    jsonl: str | Path | None = None,
    csv: str | Path | None = None,
    parquet: str | Path | None = None,
    overwrite: bool = False,
) -> list[Output]:
    """The outputs that are told, none open yet. Parameters as in `caption`. Raises PromptError where there are none,
    and for the sources as `check_sources`."""
    from .parquet import Parquet
    from .tables import Csv, JsonLines

    if sidecars is None:
        sidecars = into is not None or not (jsonl or csv or parquet)
    check_suffix(suffix)
    check_sources(sources, beside=sidecars and not into, parts=parquet)
    made: list[Output] = []
    if jsonl:
        made.append(JsonLines(Path(jsonl), task.families, overwrite=overwrite))
    if csv:
        made.append(Csv(Path(csv), task.families, overwrite=overwrite))
    if parquet:
        made.append(Parquet(Path(parquet), task.families, overwrite=overwrite))
    if sidecars:
        made.append(Sidecars(task.families, into=Path(into) if into else None, suffix=suffix, overwrite=overwrite))
    if not made:
        raise PromptError("Nothing would be written; leave out --no-sidecars, or name a table such as --jsonl FILE.")
    return made
