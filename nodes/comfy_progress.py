"""What ComfyUI's interface hears of a node while it works, and how ComfyUI's Cancel reaches it. Part of comfy.py, which
hands these names on.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from comfy_api.latest import ComfyAPI

POLL_S = 0.05
"""How often a waiting node looks for Cancel and moves its progress bar."""
LASTING_S = 1.0
"""A text is shown on the node when it has held so long: the front end never takes one away again."""

Result = TypeVar("Result")

_waiting: dict[concurrent.futures.Future[Any], bool] = {}
"""What nodes wait for now, and whether Cancel has reached it."""


class WorkStopped(Exception):
    """What a node waited for was stopped, and not by ComfyUI's Cancel."""


class Progress:
    """How far a node is: counted and told from any thread, shown by `wait` from ComfyUI's."""

    def __init__(self, total: int, node_id: str | None = None) -> None:
        self.total = total
        self.node_id = node_id
        self._lock = threading.Lock()
        self._done = 0
        self._text = ""
        self._said_at = 0.0

    def step(self) -> None:
        """One more of `total` is done."""
        with self._lock:
            self._done += 1

    def say(self, text: str) -> None:
        """What is going on now, in one line."""
        with self._lock:
            self._text, self._said_at = text, time.monotonic()

    def read(self) -> tuple[int, str]:
        """How many are done, and what was said last, if that has lasted; else ""."""
        with self._lock:
            lasts = time.monotonic() - self._said_at > LASTING_S
            return self._done, self._text if lasts else ""


def _nothing() -> None:
    """Nothing to tend to."""


async def wait(
    future: concurrent.futures.Future[Result], progress: Progress, tend: Callable[[], None] = _nothing
) -> Result:
    """The future's result, while ComfyUI's Cancel is heeded, the progress bar moves, and `tend` is called on ComfyUI's
    thread every POLL_S.

    Cancel stops the work of every node that waits here, because ComfyUI tells only the first that asks, and runs one
    workflow at a time. Raises ComfyUI's InterruptProcessingException then, and WorkStopped where somebody else
    cancelled the future. A ComfyUI that stops waiting for other reasons (another node failed) cancels it too.
    """
    _waiting[future] = False
    waited = asyncio.wrap_future(future)
    shown: tuple[int, str] = (-1, "")
    try:
        while True:
            stop_if_interrupted()
            if _waiting[future]:  # another node heard the Cancel, and this work cannot be cancelled
                raise _interruption()
            tend()
            if (now := progress.read()) != shown:
                await _show(progress, now, shown)
                shown = now
            if waited.done():
                return waited.result()
            await asyncio.wait([waited], timeout=POLL_S)
    except asyncio.CancelledError:
        if not future.cancelled():
            raise  # ComfyUI itself stops waiting
        # ComfyUI's worker does not survive a CancelledError
        if _waiting[future]:  # another waiting node heard the Cancel, and took this one along
            raise _interruption() from None
        raise WorkStopped from None
    finally:
        del _waiting[future]
        waited.cancel()


async def in_thread(work: Callable[[], Result], progress: Progress) -> Result:
    """What `work` returns, done on a thread of its own while ComfyUI stays responsive and Cancel is heeded: after one
    nobody waits for it any more."""
    pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="img2prompt-node")
    try:
        return await wait(pool.submit(work), progress)
    finally:
        pool.shutdown(wait=False)


def _interruption() -> Exception:
    import comfy.model_management

    return comfy.model_management.InterruptProcessingException()


def stop_if_interrupted() -> None:
    """Raise ComfyUI's InterruptProcessingException after a Cancel, and stop what all waiting nodes wait for."""
    import comfy.model_management

    try:
        comfy.model_management.throw_exception_if_processing_interrupted()
    except comfy.model_management.InterruptProcessingException:
        for future in list(_waiting):
            _waiting[future] = True
            future.cancel()
        raise


async def _show(progress: Progress, now: tuple[int, str], before: tuple[int, str]) -> None:
    done, text = now
    if done != before[0]:
        await ComfyAPI.Execution().set_progress(done, progress.total)
    if text and text != before[1] and progress.node_id is not None:
        from server import PromptServer

        PromptServer.instance.send_progress_text(text, progress.node_id)


def running_server() -> Any | None:
    """ComfyUI's PromptServer; None where a program has no server."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


def listener() -> str | None:
    """The client that queued the running workflow, if it is connected: a browser. From any thread."""
    if (server := running_server()) is None:
        return None
    return server.client_id if server.client_id in server.sockets else None


def tell(client: str, event: str, data: Mapping[str, Any]) -> None:
    """Send that client a message over ComfyUI's websocket."""
    if (server := running_server()) is not None:
        server.send_sync(event, dict(data), client)
