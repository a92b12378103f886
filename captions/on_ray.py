"""Captions from workers on Ray, on this machine or on many: each asks servers as `caption` does on one machine.

The driver finds the pictures, leaves out those that are there already, and writes; the workers open them, ask, and make
the rows, as the same `Task` says. So the outputs are those of a run without Ray, byte for byte. Needs ray[data].

The API key never goes through Ray: a worker reads it from the settings of the machine it runs on.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import groupby, islice
from pathlib import Path
from threading import Semaphore
from typing import Any

from ..engine.errors import EngineError
from .errors import CaptionError
from .found import Found, InTable
from .on_engine import OnEngine
from .task import Outcome, Task

LOCAL = "local"
"""The address that stands for a Ray of this machine alone."""
BATCH = 64
"""Pictures that a worker gets at one time, and that are looked at again where one dies."""
BATCHES_AT_ONCE = 4
"""Of one worker, so that the server has always enough to do while one ends."""
MOST_OF_GROUP = 1000
"""Pictures that a worker gets at one time of one row group of a Parquet file, which it reads as a whole."""
GROUPS_AT_ONCE = 2
"""Of one worker: each may be 2 GB."""
SEGMENT = 100_000
"""Pictures whose names are with Ray at one time: what bounds the driver's memory."""
SHAPING = (
    *("model", "precision", "temperature", "max_pixels", "png_as_it_is", "max_model_len"),
    *("connect_timeout_s", "answer_timeout_s"),
)
"""Settings that the driver's machine sets for all, where it sets them. The others, the API key and the places on disk
among them, are each machine's own."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a worker needs to know. It holds no secret: Ray keeps it in its store."""

    task: Task
    endpoints: tuple[str, ...]
    """Servers, as the workers reach them; none: what each worker's machine is set to."""
    max_in_flight: int
    settings: tuple[tuple[str, str], ...]
    """Environment variables: the driver's SHAPING."""


class Worker:
    """A process of Ray's with an engine of its own; called from several threads with a batch each."""

    def __init__(self, asked: Asked) -> None:
        from ..engine.shared import bulk_engine

        os.environ.update(asked.settings)
        self._task = asked.task
        self._problem: EngineError | None = None
        self._groups = Semaphore(GROUPS_AT_ONCE)
        try:
            self._on_engine = OnEngine(bulk_engine(asked.endpoints, asked.max_in_flight))
        except EngineError as error:  # raised here, Ray would only start it again
            self._problem = error

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """`picture`: pickled (Found, why it can have no caption); `outcome`: pickled (Outcome, the model's name)."""
        pictures: list[tuple[Found, str]] = [pickle.loads(one) for one in batch["picture"]]
        with self._groups if any(_group(found) for found, _ in pictures) else nullcontext():
            return {"outcome": [pickle.dumps(outcome) for outcome in self._outcomes(pictures)]}

    def _outcomes(self, pictures: Sequence[tuple[Found, str]]) -> Iterator[tuple[Outcome, str]]:
        try:
            if self._problem is not None:
                raise self._problem
            with closing(self._on_engine.outcomes(self._task, iter(pictures))) as outcomes:
                given = [outcome for _, outcome in outcomes]
        except EngineError as error:
            given = [error] * len(pictures)
        model = "" if self._problem is not None else self._on_engine.model
        yield from ((outcome, model) for outcome in given)


class OnRay:
    """A Captioner (run.py) of a Ray cluster. `close` lets go of it."""

    def __init__(
        self, address: str = LOCAL, *, workers: int = 0, endpoints: Sequence[str] = (), max_in_flight: int = 0
    ) -> None:
        """`address`: of a running cluster, such as auto or head:6379; LOCAL: a Ray of this machine alone, which is
        started and ended. `workers` 0: one for each machine of the cluster. Raises CaptionError."""
        self._endpoints = tuple(endpoints)
        self._max_in_flight = max_in_flight
        self._began = _begin(address, workers or 1)
        self._workers = workers or _machines()
        self.model = ""

    def close(self) -> None:
        """End a Ray that was started here, and leave another's."""
        if self._began:
            load_ray().shutdown()

    def outcomes(self, task: Task, pictures: Iterator[tuple[Found, str]]) -> Generator[tuple[Found, Outcome]]:
        """Have them captioned, a segment after the other. Raises CaptionError where Ray fails."""
        while segment := list(islice(pictures, SEGMENT)):
            answered = self.dataset(task, segment)
            rows = _told(answered.iter_rows())
            try:
                for (found, _), row in zip(segment, rows, strict=True):
                    outcome, model = pickle.loads(row["outcome"])
                    self.model = self.model or model
                    yield found, outcome
            finally:
                rows.close()

    def dataset(self, task: Task, pictures: Sequence[tuple[Found, str]]) -> Any:
        """Ray's Dataset with rows of one column, `outcome`, in the pictures' order; nothing has begun yet."""
        import pyarrow

        ray = load_ray()
        blocks = [
            pyarrow.table({"picture": [pickle.dumps((_whole(found), why)) for found, why in batch]})
            for batch in in_batches(pictures)
        ]
        workers = min(self._workers, len(blocks))
        return ray.data.from_arrow(blocks).map_batches(
            Worker,
            fn_constructor_args=(self._asked(task),),
            batch_size=None,
            compute=ray.data.ActorPoolStrategy(
                size=workers,
                max_tasks_in_flight_per_actor=2 * BATCHES_AT_ONCE,
                max_concurrent_calls_per_actor=BATCHES_AT_ONCE,
                enable_true_multi_threading=True,
            ),
            num_cpus=0,
        )

    def _asked(self, task: Task) -> Asked:
        from ..engine.settings import Settings

        settings = Settings.load()
        endpoints = self._endpoints
        if not endpoints and settings.engine in ("auto", "endpoint") and settings.endpoint:
            endpoints = (settings.endpoint, *settings.endpoints)
        shaping = {
            f"IMG2PROMPT_{name.upper()}": str(getattr(settings, name)) for name in _set(settings.model_fields_set)
        }
        if settings.engine == "sketch":
            shaping["IMG2PROMPT_ENGINE"] = "sketch"
        return Asked(task, endpoints, self._max_in_flight, tuple(shaping.items()))


def _set(names: Iterable[str]) -> list[str]:
    return [name for name in SHAPING if name in names]


def _whole(found: Found) -> Found:
    """With a path that leads to the picture from any folder."""
    return found if found.place else replace(found, path=Path(os.path.abspath(found.path)))


def in_batches(pictures: Sequence[tuple[Found, str]]) -> Iterator[Sequence[tuple[Found, str]]]:
    """BATCH of them, or those of a table's row group, each time: so that one worker reads it, and once. Small
    row groups are put together: a worker has few batches at one time."""
    batch: list[tuple[Found, str]] = []
    for group, those in groupby(pictures, lambda picture: _group(picture[0])):
        while part := list(islice(those, BATCH if group is None else MOST_OF_GROUP)):
            if batch and len(batch) + len(part) > BATCH:
                yield batch
                batch = []
            batch += part
    if batch:
        yield batch


def _group(found: Found) -> tuple[object, int] | None:
    return (found.place.file, found.place.group) if isinstance(found.place, InTable) else None


def _begin(address: str, workers: int) -> bool:
    """Join the cluster or start one; whether that was done here. Raises CaptionError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told about whoever starts one here
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it speaks of itself on stderr, where progress is shown
    ray = load_ray()
    if began := not ray.is_initialized():
        here: dict[str, Any] = {"num_cpus": workers + 1, "include_dashboard": False} if address == LOCAL else {}
        try:
            ray.init(address, log_to_driver=False, logging_level="ERROR", **here)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise CaptionError(f"Ray does not answer at {address} ({error}); `ray status` there tells more.") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context.execution_options.preserve_order = True
    return began


def _machines() -> int:
    return max(1, sum(node["Alive"] for node in load_ray().nodes()))


def _told(rows: Iterable[dict[str, Any]]) -> Generator[dict[str, Any]]:
    """The same; what Ray raises, as our error."""
    try:
        yield from rows
    except load_ray().exceptions.RayError as error:
        raise CaptionError(
            f"Ray could not go on ({last_line(error)}); what is written stays, run the same again."
        ) from error


def load_ray() -> Any:
    """Ray with Ray Data, which the linter's environment has not. Raises CaptionError where it is not installed."""
    try:
        import_module("ray.data")
    except ImportError as error:
        raise CaptionError("--ray needs Ray; install it (pip install 'comfyui-img2prompt[ray]').") from error
    return import_module("ray")


def last_line(error: Exception) -> str:
    """What an error of Ray's comes down to: before it stands the trace of another process."""
    return str(error).strip().rpartition("\n")[2]
