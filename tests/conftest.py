"""Servers and programs that tests of several folders share, each started once a run and only when a test asks.

Nothing heavy is imported here: tests/unit runs without torch, ComfyUI, vLLM and a browser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from img2prompt.tests.comfyui.server import ComfyServer
    from img2prompt.tests.vllm.server import VllmServer

HERE = Path(__file__).parent
ORDER = ("unit", "comfyui", "vllm", "browser")
"""The folders' order in a run: the quick ones first. All but the first are markers, too."""

StartComfyUI = Callable[[Mapping[str, str]], "ComfyServer"]


def folder(item: pytest.Item) -> str:
    """The folder of tests/ that a test stands in."""
    return item.path.relative_to(HERE).parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, and put the folders in order."""
    for item in items:
        if folder(item) in ORDER[1:]:
            item.add_marker(folder(item))
    items.sort(key=lambda item: ORDER.index(folder(item)) if folder(item) in ORDER else len(ORDER))


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """A small random SD1.5-type checkpoint, listed by `comfyui` as `scripts.comfyui.CHECKPOINT`."""
    from img2prompt.scripts.comfyui import tiny_checkpoint

    return tiny_checkpoint()


@pytest.fixture(scope="session")
def start_comfyui(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Iterator[StartComfyUI]:
    """Starts a ComfyUI with the given environment variables (IMG2PROMPT_ENDPOINT, say), or hands out the one that
    runs with these already. Answers are not cached on disk, and no settings file is read, unless asked for."""
    from img2prompt.tests.comfyui.server import ComfyServer

    running: dict[frozenset[tuple[str, str]], ComfyServer] = {}
    with ExitStack() as stack:

        def start(environment: Mapping[str, str]) -> ComfyServer:
            key = frozenset(environment.items())
            if key not in running:
                base = tmp_path_factory.mktemp("comfyui")
                alone = {"IMG2PROMPT_SETTINGS": str(base / "settings.toml"), "IMG2PROMPT_CACHE": "false"}
                server = ComfyServer(base, {**alone, **environment}, checkpoint)
                stack.callback(server.stop)
                running[key] = server
            return running[key]

        yield start


@pytest.fixture(scope="session")
def endpoint_port() -> int:
    """The port of 127.0.0.1 at which the endpoint of `comfyui` is expected. Nobody listens there by itself."""
    from img2prompt.tests.comfyui.server import free_port

    return free_port()


@pytest.fixture(scope="session")
def comfyui(start_comfyui: StartComfyUI, endpoint_port: int) -> ComfyServer:
    """The ComfyUI that tests share; its nodes ask the OpenAI-compatible server at `endpoint_port`."""
    return start_comfyui({"IMG2PROMPT_ENDPOINT": f"http://127.0.0.1:{endpoint_port}/v1"})


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """A real vLLM on the CPU that serves the seeing model in tests/seeing_model/model."""
    from img2prompt.tests.vllm.server import VllmServer

    server = VllmServer(tmp_path_factory.mktemp("vllm"))
    try:
        yield server
    finally:
        server.stop()
