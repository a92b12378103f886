"""The ComfyUI API shim: with its part comfy_progress.py the only file that imports ComfyUI.

It knows the V3 node API, ComfyUI's folders of pictures, its memory manager and its HTTP server; of comfy_progress.py
are the progress bar, messages to the browser and how Cancel reaches a node. Others import all of it from here. It knows
nothing of prompts or engines. Everything but the node API is imported on first use, so that node schemas can be built
without a server.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from comfy_api.latest import ComfyExtension, io

from .comfy_progress import (
    Progress,
    WorkStopped,
    in_thread,
    listener,
    running_server,
    stop_if_interrupted,
    tell,
    wait,
)

__all__ = [
    "Asked",
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
    "listener",
    "load_image",
    "load_models_gpu",
    "metadata_disabled",
    "output_path",
    "picture_path",
    "save_place",
    "schema",
    "serve",
    "stop_if_interrupted",
    "tell",
    "wait",
]


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request to ComfyUI's server."""

    headers: Mapping[str, str]
    """Their names in any case."""
    query: Mapping[str, str]
    peer: str
    """The address that the connection comes from."""
    body: Callable[[], Awaitable[bytes]]
    gone: Callable[[], bool]
    """Whether nobody waits for the answer any more: aiohttp does not end a handler then."""


Handler = Callable[[Asked], Awaitable[tuple[int, object]]]
"""Gives an HTTP status and what becomes the answer's JSON."""


def schema(**fields: Any) -> io.Schema:
    """An `io.Schema` from those fields that this ComfyUI knows.

    Newer releases add fields (`search_aliases`, for one) and 0.3.75 raises TypeError on an unknown one.
    """
    known = inspect.signature(io.Schema).parameters
    return io.Schema(**{name: value for name, value in fields.items() if name in known})


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
    if (running := running_server()) is None:
        return
    web = sys.modules["server"].web  # aiohttp's
    there = {(getattr(route, "method", ""), getattr(route, "path", "")) for route in running.routes}
    for (method, path), handler in routes.items():
        if (method, path) not in there:
            running.routes.route(method, path)(_answering(handler, web))


def _answering(handler: Handler, web: Any) -> Callable[[Any], Awaitable[Any]]:
    """`handler` as aiohttp, which is `web`, calls it."""

    async def answer(request: Any) -> Any:
        gone = lambda: request.transport is None or request.transport.is_closing()  # noqa: E731
        asked = Asked(request.headers, request.query, request.remote or "", request.read, gone)
        status, body = await handler(asked)
        return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})

    return answer
