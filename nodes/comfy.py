"""The ComfyUI API shim: the only file that imports ComfyUI.

It knows the V3 node API, the progress bar, how ComfyUI's Cancel reaches a node, its folders of pictures, its memory
manager and its HTTP server. It knows nothing of prompts or engines. Everything but the node API is imported on first
use, so that node schemas can be built without a server.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from comfy_api.latest import ComfyAPI, ComfyExtension, io

__all__ = [
    "ComfyExtension",
    "Handler",
    "Progress",
    "WorkStopped",
    "free_memory",
    "free_vram",
    "gpu",
    "in_thread",
    "input_pictures",
    "io",
    "load_image",
    "load_models_gpu",
    "metadata_disabled",
    "output_path",
    "picture_path",
    "save_place",
    "schema",
    "serve",
    "stop_if_interrupted",
    "wait",
]

POLL_S = 0.05
"""How often a waiting node looks for Cancel and moves its progress bar."""
LASTING_S = 1.0
"""A text is shown on the node when it has held so long: the front end never takes one away again."""

Result = TypeVar("Result")
Handler = Callable[[Mapping[str, str]], Awaitable[tuple[int, object]]]
"""Takes a request's headers (their names in any case), gives an HTTP status and what becomes its JSON."""

_waiting: dict[concurrent.futures.Future[Any], bool] = {}
"""What nodes wait for now, and whether Cancel has reached it."""


class WorkStopped(Exception):
    """What a node waited for was stopped, and not by ComfyUI's Cancel."""


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


def input_pictures() -> list[str]:
    """The pictures of ComfyUI's input folder, as its own Load Image lists them."""
    import folder_paths

    with os.scandir(folder_paths.get_input_directory()) as entries:
        files = [entry.name for entry in entries if entry.is_file()]
    return sorted(folder_paths.filter_files_content_types(files, ["image"]))


def picture_path(name: str) -> Path | None:
    """The file that a name such as "a.png", "folder/a.png" or "a.png [output]" stands for, there or not; None where it
    leads out of its folder."""
    import folder_paths

    bare, folder = folder_paths.annotated_filepath(name)
    return _within(folder or folder_paths.get_input_directory(), bare)


def output_path(prefix: str) -> Path | None:
    """Where pictures of that file name prefix are saved, without their number; None outside of the output folder."""
    import folder_paths

    return _within(folder_paths.get_output_directory(), prefix)


def _within(folder: str, name: str) -> Path | None:
    """By the names alone, as ComfyUI checks them: a link in the folder may lead elsewhere, its owner put it there."""
    path = Path(os.path.abspath(os.path.join(folder, name)))
    return path if path.is_relative_to(os.path.abspath(folder)) else None


def load_image(name: str) -> tuple[Any, Any]:
    """The IMAGE and MASK that ComfyUI's own Load Image makes of a file, named as in `picture_path`."""
    image, mask = import_module("nodes").LoadImage().load_image(name)  # ComfyUI's nodes, not this folder
    return image, mask


def save_place(prefix: str, width: int, height: int) -> tuple[Path, str, int, str]:
    """Where ComfyUI's own Save Image would save: folder, file name before its number, number, subfolder for the UI."""
    import folder_paths

    output = folder_paths.get_output_directory()
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(prefix, output, width, height)
    return Path(folder), name, number, subfolder


def metadata_disabled() -> bool:
    """Whether ComfyUI was started with --disable-metadata."""
    from comfy.cli_args import args

    return bool(args.disable_metadata)


def gpu() -> Any | None:
    """The torch device that ComfyUI computes on; None when that is the CPU."""
    import comfy.model_management

    device = comfy.model_management.get_torch_device()
    return None if device.type == "cpu" else device


def load_models_gpu(patcher: object) -> None:
    """Let the memory manager load what is, to it, one more model: it evicts others until there is room for it.

    Raises TypeError or AttributeError where this ComfyUI's manager wants more of a model than `patcher` has.
    """
    import comfy.model_management

    comfy.model_management.load_models_gpu([patcher])  # pyright: ignore[reportArgumentType]


def free_memory(wanted_bytes: int, device: Any) -> None:
    """Evict models until so much of the device's memory is free, or nothing is left to evict."""
    import comfy.model_management

    comfy.model_management.free_memory(wanted_bytes, device)
    comfy.model_management.soft_empty_cache()


def free_vram(device: Any) -> int:
    """What is free on the device now, in bytes, whoever uses the rest."""
    import comfy.model_management

    free: Any = comfy.model_management.get_free_memory(device)
    return int(free)


def serve(routes: Mapping[tuple[str, str], Handler]) -> None:
    """Add routes, (method, path) to handler, to ComfyUI's server; those that are there stay as they are.

    Nothing where no server runs: a program may list our nodes without one. It must come before the server starts.
    """
    server = sys.modules.get("server")
    running = getattr(getattr(server, "PromptServer", None), "instance", None)
    if server is None or running is None:
        return
    there = {(getattr(route, "method", ""), getattr(route, "path", "")) for route in running.routes}
    for (method, path), handler in routes.items():
        if (method, path) not in there:
            running.routes.route(method, path)(_answering(handler, server.web))


def _answering(handler: Handler, web: Any) -> Callable[[Any], Awaitable[Any]]:
    """`handler` as aiohttp, which is `web`, calls it."""

    async def answer(request: Any) -> Any:
        status, body = await handler(request.headers)
        return web.json_response(body, status=status)

    return answer
