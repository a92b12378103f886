"""The engines of this process: one for each way to be asked that the settings, and what a workflow chose, come to."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from .address import normalized
from .backend import Backend
from .choice import EngineChoice
from .engine import Engine
from .errors import NoEngine
from .settings import Settings

NO_CHOICE = EngineChoice()
MOST_IN_FLIGHT = 256
"""Of requests to one server, where nobody says otherwise and thousands are to be asked; vLLM's default batch."""


@dataclass
class _Made:
    """What there is. Replaced, never changed, so that `engines()` waits for nobody."""

    engines: tuple[Engine, ...] = ()
    settings: Settings | None = None
    """All of them were made from these."""


_lock = threading.Lock()
_made = _Made()


def shared_engine(choice: EngineChoice = NO_CHOICE) -> Engine:
    """The engine that all of this process share who choose alike. Raises NoEngine or SettingsError.

    Where the settings have changed since the last call, the engines of the old ones are closed.
    """
    settings = Settings.load()
    if _made.settings != settings:
        _begin(settings)
    chosen = choice.applied_to(settings)
    with _lock:
        for engine in _made.engines:
            if engine.settings == chosen:
                return engine
        made = Engine(choose_backend(chosen), chosen)
        atexit.register(made.close)
        _made.engines = (*_made.engines, made)
        return made


def engines() -> list[Engine]:
    """Those that somebody has asked for, under the settings of now; quick, and it makes none."""
    return list(_made.engines)


def made_from() -> Settings | None:
    """The settings that `engines()` were made from; None where nobody has asked for one."""
    return _made.settings


def close_engines() -> None:
    """Close them all; the next `shared_engine()` makes another."""
    _begin(None)


def _begin(settings: Settings | None) -> None:
    """Close what was made from other settings."""
    with _lock:
        outdated = () if _made.settings == settings else _made.engines
        _made.engines, _made.settings = () if outdated else _made.engines, settings
    for engine in outdated:
        engine.close()
        atexit.unregister(engine.close)


def bulk_engine(endpoints: Sequence[str] = (), max_in_flight: int = 0) -> Engine:
    """An engine of its own for thousands of requests, for the caller to close: an endpoint gets as many at one time as
    it serves best. `endpoints` are asked instead of those of the settings; the API key goes only to those that the
    settings name, too. `max_in_flight` 0: as the settings say, else any number that pays. Raises NoEngine or
    SettingsError."""
    settings = Settings.load()
    own = {normalized(url) for url in (settings.endpoint, *settings.endpoints) if url}
    changes: dict[str, object] = {}
    if endpoints:
        changes |= {"engine": "endpoint", "endpoint": endpoints[0], "endpoints": tuple(endpoints[1:])}
    chosen = settings.model_copy(update=changes)
    if max_in_flight or (_asks_endpoints(chosen) and "max_in_flight" not in settings.model_fields_set):
        chosen = chosen.model_copy(update={"max_in_flight": max_in_flight or MOST_IN_FLIGHT})
    if not endpoints:
        return Engine(choose_backend(chosen), chosen)
    from .pool import Pool

    servers = [(url, chosen.api_key if normalized(url) in own else SecretStr("")) for url in endpoints]
    return Engine(Pool(chosen, servers), chosen)


def _asks_endpoints(settings: Settings) -> bool:
    return settings.engine == "endpoint" or (settings.engine == "auto" and bool(settings.endpoint))


def sketch_engine() -> Engine:
    """An engine that needs no model and sees no subjects; whoever uses it says so."""
    return Engine(_sketch(), Settings.load())


def choose_backend(settings: Settings) -> Backend:
    """What answers with these settings. Raises NoEngine or SettingsError."""
    if settings.engine == "sketch":
        return _sketch()
    if _asks_endpoints(settings):
        return _endpoint(settings)
    if settings.engine == "managed" or _can_manage(settings):
        from .server.managed import ManagedBackend

        return ManagedBackend(settings)
    raise NoEngine(
        "No engine is set up; run `img2prompt engine install` on Linux with an NVIDIA GPU, or set IMG2PROMPT_ENDPOINT "
        "to the URL of a server with a vision model, or IMG2PROMPT_ENGINE=sketch for colours and light without a model."
    )


def _sketch() -> Backend:
    from .ocr import installed_reader
    from .sketch import SketchBackend

    return SketchBackend(installed_reader())


def _endpoint(settings: Settings) -> Backend:
    from .client import ChatClient

    if not settings.endpoint:
        raise NoEngine("The setting engine is endpoint, but no endpoint is set; set IMG2PROMPT_ENDPOINT to a base URL.")
    if settings.endpoints:
        from .pool import Pool

        return Pool(settings, [(url, settings.api_key) for url in (settings.endpoint, *settings.endpoints)])
    return ChatClient(settings, settings.endpoint, settings.api_key.get_secret_value())


def _can_manage(settings: Settings) -> bool:
    """Whether a vLLM of our own can be started unasked: it is there, and a model is set or a GPU can hold ours."""
    from .server.command import find_vllm
    from .server.device import find_device

    return find_vllm(settings) is not None and bool(settings.model or find_device().kind == "gpu")
