"""The one engine that all nodes and commands share. Importing this loads neither the engine nor `openai`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Engine
    from .errors import EngineError, NoEngine
    from .settings import Settings
    from .shared import choose_backend, shared_engine, sketch_engine

__all__ = ["Engine", "EngineError", "NoEngine", "Settings", "choose_backend", "shared_engine", "sketch_engine"]

_HOMES = {
    "Engine": ".engine",
    "EngineError": ".errors",
    "NoEngine": ".errors",
    "Settings": ".settings",
    "choose_backend": ".shared",
    "shared_engine": ".shared",
    "sketch_engine": ".shared",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
