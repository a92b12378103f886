"""What other programs' buttons ask of the engines, on ComfyUI's HTTP server: how they stand, to sleep, to stop.

ComfyUI's own check of Origin holds for loopback only, and not with --enable-cors-header. Here a page of another origin
is always refused: by Origin, by Sec-Fetch-Site, and because browsers ask first before they send JSON, which a POST must
be. A page that has its own name point to this machine (DNS rebinding) passes, as it does with all of ComfyUI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from . import vram
from .comfy import Handler, serve

if TYPE_CHECKING:
    from ..engine import Engine

Headers = Mapping[str, str]
Told = tuple[int, object]
JSON = "application/json"
SHOWN = ("engine", "model", "phase", "detail", "endpoint", "cache_hits", "cache_misses")
"""Of an engine's Status; none of it is secret."""


def add() -> None:
    """Add them to ComfyUI's server, once."""
    serve(
        {
            ("GET", "/img2prompt/status"): _status,
            ("POST", "/img2prompt/sleep"): _acting(vram.put_to_sleep),
            ("POST", "/img2prompt/stop"): _acting(vram.stop),
        }
    )


async def _status(headers: Headers) -> Told:
    if refusal := foreign(headers):
        return 403, {"error": refusal}
    return 200, await asyncio.to_thread(_engines)


def _acting(act: Callable[[Engine], None]) -> Handler:
    """The handler that does this to every engine, and tells how they stand then."""

    async def handle(headers: Headers) -> Told:
        if refusal := foreign(headers):
            return 403, {"error": refusal}
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != JSON:
            return 415, {"error": f"Send it as Content-Type: {JSON}."}
        return await asyncio.to_thread(_act, act)

    return handle


def _act(act: Callable[[Engine], None]) -> Told:
    from ..engine import EngineError
    from ..engine.shared import engines

    try:
        for engine in engines():
            act(engine)
    except EngineError as error:
        return 500, {"error": str(error), **_engines()}
    return 200, _engines()


def _engines() -> dict[str, list[dict[str, object]]]:
    """How they stand; asks nobody and makes none."""
    from ..engine.shared import engines

    stands = [engine.status() for engine in engines()]
    return {"engines": [{name: getattr(status, name) for name in SHOWN} for status in stands]}


def foreign(headers: Headers) -> str:
    """Why a request is not one of ComfyUI's own pages or of a program, or ""."""
    origin, host = headers.get("Origin"), headers.get("Host", "")
    if origin is not None and (not host or origin.lower().partition("://")[2] != host.lower()):
        return "A page of another origin may not ask this."
    if headers.get("Sec-Fetch-Site", "same-origin").lower() not in ("same-origin", "none"):
        return "A page of another site may not ask this."
    return ""
