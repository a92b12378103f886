"""The one engine of this process, made from the settings, and made anew when they change."""

from __future__ import annotations

import atexit
import shutil
import threading

from .backend import Backend
from .engine import Engine
from .errors import NoEngine
from .settings import Settings

_lock = threading.Lock()
_engine: Engine | None = None


def shared_engine() -> Engine:
    """The engine that all nodes and commands of this process share. Raises NoEngine or SettingsError."""
    global _engine
    settings = Settings.load()
    with _lock:
        if _engine is not None and _engine.settings == settings:
            return _engine
        old, _engine = _engine, Engine(choose_backend(settings), settings)
        new = _engine
    atexit.register(new.stop)
    if old is not None:
        old.stop()
        atexit.unregister(old.stop)
    return new


def choose_backend(settings: Settings) -> Backend:
    """What answers with these settings. Raises NoEngine or SettingsError."""
    match settings.engine:
        case "sketch":
            from .sketch import SketchBackend

            return SketchBackend()
        case "endpoint" if not settings.endpoint:
            raise NoEngine(
                "The setting engine is endpoint, but no endpoint is set; set IMG2PROMPT_ENDPOINT to a base URL."
            )
        case "managed" if not settings.model:
            raise NoEngine(
                "The setting engine is managed, but no model is set; set IMG2PROMPT_MODEL to a checkpoint, such as "
                "Qwen/Qwen3-VL-8B-Instruct-FP8."
            )
    if settings.engine == "endpoint" or (settings.engine == "auto" and settings.endpoint):
        from .client import ChatClient

        return ChatClient(settings, settings.endpoint, settings.api_key.get_secret_value())
    if settings.engine == "managed" or (settings.model and shutil.which(settings.vllm or "vllm")):
        from .server.managed import ManagedBackend

        return ManagedBackend(settings)
    raise NoEngine(
        "No engine is set up; set IMG2PROMPT_ENDPOINT to the URL of a server with a vision model, or IMG2PROMPT_MODEL "
        "to a checkpoint with vLLM installed, or IMG2PROMPT_ENGINE=sketch for colours and light without a model."
    )
