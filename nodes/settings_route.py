"""The settings of the engine for ComfyUI's settings dialog: a view onto the settings file, over HTTP.

Nothing of ours is kept in the browser or among ComfyUI's own settings, and the API key is told to nobody.

Whoever reaches ComfyUI over a network may run workflows, but may not decide where everybody's pictures are sent: the
settings are changed from this machine alone, without a proxy between, and by a page that calls it localhost (another
name may be a web page's own that points here). An SSH tunnel ends on this machine, so it passes. There is no switch to
allow more: the file itself can be edited wherever one may log in.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from .askers import Told, elsewhere, refused
from .comfy import Asked

MOST_BYTES = 2**16
"""Of a POST: a URL, a key and two choices."""


async def read(asked: Asked) -> Told:
    """The settings, and why they cannot be changed from where this comes, if so."""
    if refusal := refused(asked):
        return refusal
    return await asyncio.to_thread(_view, elsewhere(asked))


async def write(asked: Asked) -> Told:
    """Change some settings, all or none, and tell how they are then."""
    if refusal := refused(asked, post=True):
        return refusal
    if elsewhere(asked):
        return 403, {"error": _only_here()}
    length = asked.headers.get("Content-Length", "")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        return 413, {"error": f"Send at most {MOST_BYTES} bytes, and say in Content-Length how many."}
    try:
        changes = json.loads(await asked.body())
    except ValueError:
        changes = None
    if not isinstance(changes, dict):
        return 400, {"error": 'Send a JSON object such as {"max_pixels": 1048576}.'}
    return await asyncio.to_thread(_change, changes)


def _view(from_elsewhere: bool, **more: object) -> Told:
    from ..engine import EngineError
    from ..engine.settings import settings_file
    from ..engine.settings_file import view

    try:
        settings = view()
    except EngineError as error:
        return 422, {"error": str(error)}
    told = {"settings": settings, "file": str(settings_file()), **more}
    return 200, {**told, "read_only": _only_here()} if from_elsewhere else told


def _change(changes: Mapping[str, Any]) -> Told:
    from ..engine import EngineError
    from ..engine.settings_file import change

    try:
        dropped_key = change(changes)
    except EngineError as error:
        return 422, {"error": str(error)}
    return _view(False, dropped_key=dropped_key)


def _only_here() -> str:
    from ..engine.settings import settings_file

    return (
        "These settings can be changed only on the machine that ComfyUI runs on, at http://127.0.0.1 or "
        f"http://localhost; or edit {settings_file()} there."
    )
