"""`img2prompt caption --ray`: who looks at the pictures, and tables that Ray writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..prompts.errors import PromptError

if TYPE_CHECKING:
    from ..captions.on_ray import OnRay
    from ..captions.outputs import Output
    from ..engine import Engine


def captioner(ray: str, workers: int, endpoints: Sequence[str], max_in_flight: int) -> Engine | OnRay:
    """A Ray cluster at this address, or where none is named an engine of this process. Raises CaptionError, EngineError
    and PromptError."""
    if ray:
        from ..captions.on_ray import OnRay

        return OnRay(ray, workers=workers, endpoints=endpoints, max_in_flight=max_in_flight)
    if workers:
        raise PromptError("--workers are Ray's; name its address, too (--ray local).")
    from ..engine.shared import bulk_engine

    return bulk_engine(endpoints, max_in_flight)


def table_at(url: str, families: Sequence[str], ray: str, overwrite: bool) -> Output:
    """Parquet files there. Raises PromptError where that cannot be."""
    if not ray:
        raise PromptError("--output is written by Ray; add --ray, or write a folder of Parquet files with --parquet.")
    if overwrite:
        raise PromptError("--overwrite removes nothing at a URL; name another in --output.")
    from ..captions.through_ray import ThroughRay

    return ThroughRay(url, families)
