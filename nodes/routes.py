"""What the engine panel and other programs ask of the engines, on ComfyUI's HTTP server: how they stand, to sleep, to
stop. Starting needs ComfyUI's own thread: the node Start Prompt Engine does it.

askers.py says who may ask; settings_route.py has the settings.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import settings_route, vram
from .askers import Told, refused
from .comfy import Asked, Handler, serve

if TYPE_CHECKING:
    from ..engine import Engine, EngineError

SHOWN = (
    *("engine", "model", "phase", "detail", "endpoint", "progress", "gpu_bytes", "running", "waiting"),
    *("tokens_per_s", "cache_hits", "cache_misses", "log_tail"),
)
"""Of an engine's Status; none of it is secret."""
EARLIEST_S, LATEST_S = 1.0, 25.0
"""How long who waits for a change waits: proxies give up at 30 s and more."""


def add() -> None:
    """Add them to ComfyUI's server, once."""
    serve(
        {
            ("GET", "/img2prompt/status"): _status,
            ("POST", "/img2prompt/sleep"): _acting(vram.put_to_sleep),
            ("POST", "/img2prompt/stop"): _acting(vram.stop),
            ("GET", "/img2prompt/settings"): settings_route.read,
            ("POST", "/img2prompt/settings"): settings_route.write,
        }
    )


async def _status(asked: Asked) -> Told:
    """How the engines stand. With ?after=VERSION, the answer comes when that version holds no more: nobody needs to
    poll."""
    if refusal := refused(asked):
        return refusal
    known, until = asked.query.get("after"), time.monotonic() + LATEST_S
    if known is not None:
        await asyncio.sleep(EARLIEST_S)
    told = await asyncio.to_thread(_engines)
    while told["version"] == known and time.monotonic() < until and not asked.gone():
        await asyncio.sleep(EARLIEST_S)
        told = await asyncio.to_thread(_engines)
    return 200, told


def _acting(act: Callable[[Engine], None]) -> Handler:
    """The handler that does this to every engine, and tells how they stand then."""

    async def handle(asked: Asked) -> Told:
        return refused(asked, post=True) or await asyncio.to_thread(_act, act)

    return handle


def _act(act: Callable[[Engine], None]) -> Told:
    from ..engine import EngineError
    from ..engine.shared import engines

    try:
        for engine in _standing()[0]:
            act(engine)
            if engine not in engines():  # made to be looked at
                engine.close()
    except EngineError as error:
        return 500, {"error": str(error), **_engines()}
    return 200, _engines()


def _standing() -> tuple[list[Engine], EngineError | None]:
    """The engines that there are, and why there is none to ask."""
    from ..engine import EngineError
    from ..engine.shared import engines
    from ..engine.standing import standing

    try:
        return standing(), None
    except EngineError as error:
        return engines(), error


def _engines() -> dict[str, Any]:
    """How they stand, and a version that changes when that does; asks nobody and starts none."""
    from ..engine import NoEngine

    standing, problem = _standing()
    stands = [engine.status() for engine in standing]
    told: dict[str, Any] = {"engines": [{name: getattr(status, name) for name in SHOWN} for status in stands]}
    if problem is not None:
        told["problem"] = str(problem)
        told["phase"] = "not installed" if isinstance(problem, NoEngine) else "failed"
    return {**told, "version": hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]}
