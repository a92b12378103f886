"""The engines that there are to look at, put to sleep and stop: those of this process, and before anybody asked one the
one that the settings would choose.

That one may run already: the command line or another ComfyUI has started it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

from .engine import Engine
from .errors import EngineError
from .settings import Settings
from .shared import choose_backend, engines, made_from

TRY_AGAIN_S = 10.0
"""Finding out that no engine can be chosen asks the GPU's driver: so long it holds."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the settings choose: an engine, or the reason why there is none."""

    settings: Settings
    engine: Engine | None
    problem: EngineError | None
    found_s: float


_lock = threading.Lock()
_last: _Choice | None = None


def standing() -> list[Engine]:
    """The engines that have been asked under the settings of now, and busy ones of earlier settings; where nobody has
    asked any, the one that the settings choose.

    Starts nothing, keeps nothing that runs. May block for a second. Raises NoEngine, SettingsError or StartFailed.
    """
    settings, asked = Settings.load(), engines()
    if asked and made_from() in (None, settings):
        return asked
    return [*(engine for engine in asked if _busy(engine)), _chosen(settings)]


def _busy(engine: Engine) -> bool:
    status = engine.status()
    return bool(status.running or status.waiting or status.phase in ("starting", "awake"))


def _chosen(settings: Settings) -> Engine:
    global _last  # noqa: PLW0603 - one answer, kept for as long as it holds
    with _lock:
        known = _last
        if known is None or known.settings != settings or _outdated(known):
            engine, problem = None, None
            try:
                engine = _look(settings)
            except EngineError as error:
                problem = error
            known = _last = _Choice(settings, engine, problem, time.monotonic())
    if known.engine is None:
        assert known.problem is not None
        raise known.problem
    return known.engine


def _outdated(choice: _Choice) -> bool:
    return choice.problem is not None and time.monotonic() - choice.found_s > TRY_AGAIN_S


def _look(settings: Settings) -> Engine:
    backend = choose_backend(settings)
    if backend.name == "managed":  # it plans, and so finds what runs already; an endpoint would ask the network
        asyncio.run(backend.ready(lambda line: None))
    return Engine(backend, settings)
