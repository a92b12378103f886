"""What a workflow may say about the engine, and what it may not.

A workflow may come from anywhere, so it names models from a short list only, and an endpoint on this machine or one
that the settings allow; the API key goes to the settings' own endpoint and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import SettingsError

if TYPE_CHECKING:
    from .settings import Settings

MODELS = ("Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-2B-Instruct")
"""The only ones that a workflow may name: a free text would let it fetch and run any checkpoint."""
OWN_NAMES: dict[str, str] = dict(zip(MODELS, ("8B", "4B", "2B"), strict=True))
"""What the memory plan calls them: of a size it chooses the precision that fits, of a checkpoint it takes that one."""
PRECISIONS = ("auto", "bf16", "fp8", "w4a16")
SECRETIVE = "@?#"
"""Where a URL carries passwords and keys."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What a workflow wants of the engine; "" leaves it to the settings."""

    model: str = ""
    """One of MODELS."""
    precision: str = ""
    """One of PRECISIONS; of no account to an endpoint."""
    endpoint: str = ""
    """A base URL; an engine of our own is not used then."""

    def applied_to(self, settings: Settings) -> Settings:
        """The settings with this choice in them; the very same where it says nothing. Raises SettingsError."""
        _check("model", self.model, MODELS)
        _check("precision", self.precision, PRECISIONS)
        changes: dict[str, object] = _for_endpoint(self.endpoint, settings) if self.endpoint.strip() else {}
        if self.model or self.precision:
            if changes.get("engine", settings.engine) == "sketch":
                raise SettingsError(
                    "The settings choose the sketch engine, which has no model to choose; take out "
                    'engine = "sketch" (IMG2PROMPT_ENGINE), or leave model and precision to the settings.'
                )
            engine = changes.get("engine", settings.engine)
            elsewhere = engine == "endpoint" or (engine == "auto" and settings.endpoint)
            changes |= {"model": self.model if elsewhere else OWN_NAMES[self.model]} if self.model else {}
            changes |= {"precision": self.precision} if self.precision else {}
        return settings.model_copy(update=changes) if changes else settings


def _check(what: str, wanted: str, known: tuple[str, ...]) -> None:
    if wanted and wanted not in known:
        raise SettingsError(f"A workflow cannot choose the {what} {wanted!r}; it may choose {', '.join(known)}.")


def _for_endpoint(endpoint: str, settings: Settings) -> dict[str, object]:
    """What to change in the settings to ask this endpoint. Raises SettingsError where a workflow may not name it."""
    from pydantic import SecretStr

    from .address import normalized

    url = _plain(endpoint)
    own = normalized(settings.endpoint) if settings.endpoint else ""
    if url == own:
        return {"engine": "endpoint"} if settings.engine in ("managed", "sketch") else {}
    _check_allowed(url, settings)
    # the settings' model and key are those of the settings' own engine
    return {"engine": "endpoint", "endpoint": url, "endpoints": (), "api_key": SecretStr(""), "model": ""}


def _plain(endpoint: str) -> str:
    """The base URL as it is asked. Raises SettingsError, which does not repeat it: it may hold a password."""
    from .address import normalized

    if any(mark in endpoint for mark in SECRETIVE):
        raise SettingsError(
            "The endpoint of a workflow must be a base URL such as http://127.0.0.1:8000/v1, with no user, password or "
            "key in it, because workflows are passed on; put the key in the settings (IMG2PROMPT_API_KEY)."
        )
    try:
        return normalized(endpoint)
    except SettingsError:
        raise SettingsError(
            "The endpoint of a workflow must be a base URL such as http://127.0.0.1:8000/v1; correct it in Prompt "
            "Engine, or leave it empty."
        ) from None


def _check_allowed(url: str, settings: Settings) -> None:
    from .address import is_here, normalized
    from .settings import settings_file

    if is_here(url):
        return
    try:
        allowed = {normalized(other) for other in settings.allowed_endpoints}
    except SettingsError:
        raise SettingsError(
            "The setting allowed_endpoints has an entry that is no base URL such as http://127.0.0.1:8000/v1; correct "
            f"IMG2PROMPT_ALLOWED_ENDPOINTS or {settings_file()}."
        ) from None
    if url not in allowed:
        raise SettingsError(
            f"The workflow would send pictures to {url}, which the settings do not allow; if you trust it, put "
            f'allowed_endpoints = ["{url}"] into {settings_file()} (or set IMG2PROMPT_ALLOWED_ENDPOINTS).'
        )
