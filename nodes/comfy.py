"""The ComfyUI API shim: the only file that imports ComfyUI.

It knows the V3 node API, the progress bar, and how ComfyUI's Cancel reaches a node. It knows nothing of prompts or
engines. Everything but the node API is imported on first use, so that node schemas can be built without a server.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
import time
from typing import Any, TypeVar

from comfy_api.latest import ComfyAPI, ComfyExtension, io

__all__ = ["ComfyExtension", "Progress", "io", "schema", "wait"]

POLL_S = 0.05
"""How often a waiting node looks for Cancel and moves its progress bar."""
LASTING_S = 1.0
"""A text is shown on the node when it has held so long: the front end never takes one away again."""

Result = TypeVar("Result")

_waiting: set[concurrent.futures.Future[Any]] = set()


def schema(**fields: Any) -> io.Schema:
    """An `io.Schema` from those fields that this ComfyUI knows.

    Newer releases add fields (`search_aliases`, for one) and 0.3.75 raises TypeError on an unknown one.
    """
    known = inspect.signature(io.Schema).parameters
    return io.Schema(**{name: value for name, value in fields.items() if name in known})


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


async def wait(future: concurrent.futures.Future[Result], progress: Progress) -> Result:
    """The future's result, while ComfyUI's Cancel is heeded and the progress bar moves.

    Cancel stops the work of every node that waits here, because ComfyUI tells only the first that asks, and runs one
    workflow at a time. Raises ComfyUI's InterruptProcessingException then. A ComfyUI that stops waiting for other
    reasons (another node failed) cancels the future too.
    """
    _waiting.add(future)
    waited = asyncio.wrap_future(future)
    shown: tuple[int, str] = (-1, "")
    try:
        while True:
            _stop_if_interrupted()
            if (now := progress.read()) != shown:
                await _show(progress, now, shown)
                shown = now
            if waited.done():
                return waited.result()
            await asyncio.wait([waited], timeout=POLL_S)
    except asyncio.CancelledError:
        if not future.cancelled():
            raise  # ComfyUI itself stops waiting
        # another waiting node was cancelled and took this one along; ComfyUI's worker does not survive a CancelledError
        raise _interruption() from None
    finally:
        _waiting.discard(future)
        waited.cancel()


def _interruption() -> Exception:
    import comfy.model_management

    return comfy.model_management.InterruptProcessingException()


def _stop_if_interrupted() -> None:
    import comfy.model_management

    try:
        comfy.model_management.throw_exception_if_processing_interrupted()
    except comfy.model_management.InterruptProcessingException:
        for future in list(_waiting):
            future.cancel()
        raise


async def _show(progress: Progress, now: tuple[int, str], before: tuple[int, str]) -> None:
    done, text = now
    if done != before[0]:
        await ComfyAPI.Execution().set_progress(done, progress.total)
    if text and text != before[1] and progress.node_id is not None:
        from server import PromptServer

        PromptServer.instance.send_progress_text(text, progress.node_id)
