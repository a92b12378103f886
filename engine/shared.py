"""The one engine of this process, made from the settings, and made anew when they change."""

from __future__ import annotations

import atexit
import threading

from .backend import Backend
from .engine import Engine
from .errors import NoEngine
from .settings import Settings

DEFAULT_MODEL = "Qwen/Qwen3-VL-8B-Instruct-FP8"
"""What a managed vLLM serves where no model is set: 9.9 GiB of weights, Qwen's own, https://huggingface.co/Qwen."""

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
    atexit.register(new.close)
    if old is not None:
        old.close()
        atexit.unregister(old.close)
    return new


def sketch_engine() -> Engine:
    """An engine that needs no model and sees no subjects; whoever uses it says so."""
    from .sketch import SketchBackend

    return Engine(SketchBackend(), Settings.load())


def choose_backend(settings: Settings) -> Backend:
    """What answers with these settings. Raises NoEngine or SettingsError."""
    if settings.engine == "sketch":
        from .sketch import SketchBackend

        return SketchBackend()
    if settings.engine == "endpoint" or (settings.engine == "auto" and settings.endpoint):
        return _endpoint(settings)
    if settings.engine == "managed" or _can_manage(settings):
        from .server.managed import ManagedBackend

        return ManagedBackend(settings.model_copy(update={"model": settings.model or DEFAULT_MODEL}))
    raise NoEngine(
        "No engine is set up; set IMG2PROMPT_ENDPOINT to the URL of a server with a vision model, or IMG2PROMPT_MODEL "
        "to a checkpoint with vLLM installed, or IMG2PROMPT_ENGINE=sketch for colours and light without a model."
    )


def _endpoint(settings: Settings) -> Backend:
    from .client import ChatClient

    if not settings.endpoint:
        raise NoEngine("The setting engine is endpoint, but no endpoint is set; set IMG2PROMPT_ENDPOINT to a base URL.")
    return ChatClient(settings, settings.endpoint, settings.api_key.get_secret_value())


def _can_manage(settings: Settings) -> bool:
    """Whether a vLLM of our own can be started unasked: it is there, and a model is set or a GPU can hold ours."""
    from .server.command import find_device, find_vllm

    return find_vllm(settings) is not None and bool(settings.model or find_device().kind == "gpu")
