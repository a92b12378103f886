"""The settings that a person may change in a dialog: read as `Settings` reads them, written to the settings file.

All else in the file, its comments too, stays as it is. What an environment variable sets cannot be changed here: the
variable would win. An API key is for the server that it was given for, and is told to nobody: where the endpoint moves
to another server, the kept key is dropped.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from .address import normalized, sendable
from .choice import SECRETIVE
from .errors import SettingsError
from .settings import RELEASES, Settings, settings_file

CHANGEABLE = ("endpoint", "api_key", "max_pixels", "release")
NO_ENDPOINT = (
    "The endpoint must be a base URL such as http://127.0.0.1:8000/v1, without user, key or query; put the key in its "
    "own field."
)
PORTS = {"http": 80, "https": 443}

_writing = threading.Lock()


def view() -> dict[str, dict[str, Any]]:
    """Each of CHANGEABLE: its value, and in `fixed_by` the environment variable that forbids a change, or "".

    Of the API key only whether one is set. Raises SettingsError.
    """
    settings = Settings.load()
    least, most = _limits()
    return {
        "endpoint": {"value": _shown(settings.endpoint), "fixed_by": _fixed_by("endpoint")},
        "api_key": {"is_set": bool(settings.api_key.get_secret_value()), "fixed_by": _fixed_by("api_key")},
        "max_pixels": {
            **{"value": settings.max_pixels, "fixed_by": _fixed_by("max_pixels")},
            **{"least": least, "most": most},
        },
        "release": {"value": settings.release, "fixed_by": _fixed_by("release"), "choices": list(RELEASES)},
    }


def change(changes: Mapping[str, Any]) -> bool:
    """Write these of CHANGEABLE into the settings file, all or none; whether the kept API key was dropped, because it
    belonged to another server. Raises SettingsError, and then nothing has changed."""
    for name in changes:
        if name not in CHANGEABLE:
            raise SettingsError(f"The setting {name!r} cannot be changed here; write it into {settings_file()}.")
        _check(name, changes[name])
        if variable := _fixed_by(name):
            raise SettingsError(f"{variable} is set, so {name} cannot be changed here; take the variable away first.")
    with _writing:
        wanted = dict(changes)
        drops_key = "api_key" not in changes and _moves(changes)
        if drops_key:
            wanted["api_key"] = ""
        valid = Settings.load(**wanted)
        _write({name: _plain(name, getattr(valid, name)) for name in wanted})
        return drops_key


def _check(name: str, value: object) -> None:
    """Raises SettingsError in words for who typed the value, and has seen neither a file nor a variable."""
    least, most = _limits()
    if name == "max_pixels" and not (type(value) is int and least <= value <= most):
        raise SettingsError(f"The pixel budget (max_pixels) must be a whole number from {least:,} to {most:,}.")
    if name == "endpoint" and isinstance(value, str) and value.strip() and not _shown(value):
        raise SettingsError(NO_ENDPOINT)


def _moves(changes: Mapping[str, Any]) -> bool:
    """Whether the endpoint goes to another server than the one that a kept key was given for."""
    if "endpoint" not in changes:
        return False
    now = Settings.load(**{name: value for name, value in changes.items() if name != "endpoint"})
    if not (now.endpoint and now.api_key.get_secret_value()):  # a key typed before any endpoint is for the first
        return False
    return _server(now.endpoint) != _server(str(changes["endpoint"]))


def _server(endpoint: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; the same for all that is no URL."""
    try:
        parts = urlsplit(normalized(endpoint))
    except SettingsError:
        return "", "", None
    return parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme]


def _plain(name: str, value: Any) -> str | int:
    """A valid value as TOML has it. Raises SettingsError where the engine could not use it."""
    if isinstance(value, SecretStr):
        return sendable(value.get_secret_value()).get_secret_value()
    if name == "endpoint" and (value := value.strip()):
        if any(mark in value for mark in SECRETIVE):
            raise SettingsError(NO_ENDPOINT)
        return normalized(value)
    return value


def _shown(endpoint: str) -> str:
    """The endpoint as it was set; "" where it is no base URL, since it may hold a password."""
    try:
        return normalized(endpoint)
    except SettingsError:
        return ""


def _fixed_by(name: str) -> str:
    """The environment variable that forbids to change a setting here, or "".

    A key from the environment was given for the endpoint of now: nobody moves that from here.
    """
    for one in (name, "api_key") if name == "endpoint" else (name,):
        variable = f"IMG2PROMPT_{one.upper()}"
        if variable in (other.upper() for other in os.environ):  # as pydantic-settings reads them, in any case
            return variable
    return ""


def _limits() -> tuple[int, int]:
    """The least and the most that max_pixels may be."""
    schema = Settings.model_json_schema()["properties"]["max_pixels"]
    return schema["minimum"], schema["maximum"]


def _write(values: Mapping[str, str | int]) -> None:
    """Put them into the file, in one step for whoever reads it meanwhile; "" takes a setting out of it. It is the
    user's alone to read, as it may hold a key. Raises SettingsError."""
    import tomlkit

    file = settings_file()
    try:
        file = file.resolve()  # a link stays one
        document = tomlkit.parse(file.read_bytes().decode() if file.exists() else "")
        for name, value in values.items():
            for other in [key for key in document if key.lower() == name and key != name]:
                del document[other]  # pydantic-settings reads names in any case
            if value != "":
                document[name] = value
            elif name in document:
                del document[name]
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, tomlkit.dumps(document).encode())
    except OSError as error:
        raise SettingsError(
            f"The settings cannot be written to {file} ({error.strerror}); make it writable, or set environment "
            "variables instead."
        ) from error


def _replace(file: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # for its owner alone
    try:
        with os.fdopen(handle, "wb") as fresh:
            fresh.write(content)
            fresh.flush()
            os.fsync(fresh.fileno())
        os.replace(name, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
