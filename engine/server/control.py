"""What is said to an engine besides requests: sleep, wake, stop. For any process of its user; all of it blocks."""

from __future__ import annotations

import http.client
import json
import logging
import time
from typing import Any

from ..errors import StartFailed, Unreachable
from .folder import EngineFolder, State
from .sleeping import sleep_level

SLEEP_TIMEOUT_S = 120.0
"""Putting 16 GiB of weights into pinned memory takes seconds; a level-2 wake reads them from the disk again."""
STOP_TIMEOUT_S = 12.0
"""The supervisor's grace and sweep, and some more."""
RELOAD = {"method": "reload_weights"}


def give_back(folder: EngineFolder) -> None:
    """Have the engine give the GPU's memory back: it sleeps, or ends where it cannot sleep or has only begun to start.

    Requests in flight are kept and go on after the wake. A sleeping engine is told, too: another process may be about
    to wake it, and the guard takes one after the other. Level 1 keeps the weights in pinned RAM; where there is too
    little RAM, level 2 drops them. Nothing where nothing runs. Raises StartFailed when it will not end.
    """
    state = folder.now()
    if state.phase not in ("starting", "ready", "stopping"):
        return
    level = sleep_level(float(state.about.get("weights_gib", 0)), offloaded=bool(state.about.get("offloaded")))
    if state.phase == "ready" and level:
        try:
            call(state, "POST", f"/sleep?level={level}&mode=keep")
        except Unreachable as error:
            logging.getLogger(__name__).warning("%s It is stopped instead, so that the GPU is free.", error)
        else:
            return
    stop(folder)


def stop(folder: EngineFolder) -> bool:
    """End the server for everybody; whether there was one. Raises StartFailed when it will not end."""
    run = folder.state().run
    if not folder.ask_to_stop():
        return False
    end = time.monotonic() + STOP_TIMEOUT_S
    while folder.supervised() and folder.state().run == run:
        if time.monotonic() > end:
            raise StartFailed(
                f"The engine has not ended in {STOP_TIMEOUT_S:g} s; end the process {folder.state().pid} yourself, and "
                f"see what its log tells: {folder.log_file}."
            )
        time.sleep(0.05)
    return True


def wake(state: State, level: int) -> None:
    """Wake the server from a sleep of that level. Raises Unreachable.

    From level 2 in the order that loads the weights before anything uses them; a bare wake would answer from empty
    ones.
    """
    if level < 2:
        call(state, "POST", "/wake_up")
        return
    call(state, "POST", "/wake_up?tags=weights")
    call(state, "POST", "/collective_rpc", RELOAD)
    call(state, "POST", "/wake_up?tags=kv_cache")


def call(state: State, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    """The server's reply of status 200. Raises Unreachable."""
    connection = http.client.HTTPConnection("127.0.0.1", state.port, timeout=SLEEP_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {state.token}"}
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    try:
        connection.request(method, path, body=data, headers=headers)
        reply = connection.getresponse()
        text = reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"The engine does not answer {path} ({error}); see `img2prompt engine logs`.") from error
    finally:
        connection.close()
    if reply.status != http.client.OK:
        failed = Unreachable(f"The engine refused {path} ({reply.status}); see `img2prompt engine logs`.")
        failed.status = reply.status
        raise failed
    return text
