"""Servers and programs that tests of several folders share, each started once a run and only when a test asks.

Nothing heavy is imported here: tests/unit runs without torch, ComfyUI, vLLM and a browser.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from img2prompt.tests.comfyui.server import ComfyServer
    from img2prompt.tests.seeing_server import SeeingServer
    from img2prompt.tests.vllm.server import VllmServer

HERE = Path(__file__).parent
ORDER = ("unit", "ray", "comfyui", "browser", "vllm", "gpu")
"""The folders' order in a run: the quick ones first, the one that stops the shared vLLM last. All but unit are markers
too."""


class StartComfyUI(Protocol):
    """`front_end`: NEWER_FRONT_END, or "" for the interface that ComfyUI came with."""

    def __call__(self, environment: Mapping[str, str], front_end: str = "") -> ComfyServer: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots",
        metavar="FOLDER",
        help="where the browser tests leave their pictures (write --screenshots=FOLDER)",
    )
    parser.addoption("--gpu-results", metavar="FILE", help="where the GPU checks leave what they measured")
    parser.addoption("--gpu-vllm", default="", metavar="PROGRAM", help="the vllm that the GPU checks start")
    parser.addoption("--gpu-model", default="", metavar="MODEL", help="the model that the GPU checks serve")
    parser.addoption(
        "--analyses",
        type=int,
        default=1000,
        metavar="COUNT",
        help="how many analyses every family renders; make test-families takes 10,000",
    )
    parser.addoption(
        "--pictures",
        type=int,
        default=800,
        metavar="COUNT",
        help="how many pictures are captioned while memory is watched; make test-scale takes 20,000",
    )
    parser.addoption("--faults", metavar="FILE", help="where the fault tests add what they measured (--faults=FILE)")


def pytest_configure() -> None:
    """What a developer has set up for himself reaches no test and no child of one."""
    for name in [name for name in os.environ if name.startswith("IMG2PROMPT_")]:
        del os.environ[name]
    os.environ["IMG2PROMPT_SETTINGS"] = str(HERE / "no-settings.toml")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job, which children would inherit
        signal.signal(signal.SIGINT, signal.default_int_handler)


def folder(item: pytest.Item) -> str:
    """The folder of tests/ that a test stands in."""
    return item.path.relative_to(HERE).parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, put the folders in order, and last of all what stops a server that others share."""
    for item in items:
        if folder(item) in ORDER[1:]:
            item.add_marker(folder(item))
    items.sort(key=lambda item: ORDER.index(folder(item)) if folder(item) in ORDER else len(ORDER))
    items.sort(key=lambda item: item.path.name == "test_stopped.py")


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """A small random SD1.5-type checkpoint, listed by `comfyui` as `scripts.comfyui.CHECKPOINT`."""
    from img2prompt.scripts.comfyui import tiny_checkpoint

    return tiny_checkpoint()


@pytest.fixture(scope="session")
def start_comfyui(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Iterator[StartComfyUI]:
    """Starts a ComfyUI with the given environment variables (IMG2PROMPT_ENDPOINT, say), or hands out the one that
    runs with these already. Answers are not cached on disk unless asked for."""
    from img2prompt.scripts.samples import NEWER_FRONT_END
    from img2prompt.scripts.samples import front_end as newer_front_end
    from img2prompt.tests.comfyui.server import ComfyServer

    running: dict[tuple[frozenset[tuple[str, str]], str], ComfyServer] = {}
    with ExitStack() as stack:

        def start(environment: Mapping[str, str], front_end: str = "") -> ComfyServer:
            key = frozenset(environment.items()), front_end
            if key not in running or running[key].process.poll() is not None:  # a test may have stopped it
                interface = {"": None, NEWER_FRONT_END: newer_front_end}[front_end]
                base, wanted = tmp_path_factory.mktemp("comfyui"), {"IMG2PROMPT_CACHE": "false", **environment}
                server = ComfyServer(base, wanted, checkpoint, interface and interface())
                stack.callback(server.stop)
                running[key] = server
            return running[key]

        yield start


@pytest.fixture(scope="session")
def session_endpoint() -> Iterator[SeeingServer]:
    """The endpoint that `comfyui` asks, for as long as `comfyui` runs. Tests take `endpoint`."""
    from img2prompt.tests.seeing_server import SeeingServer

    with SeeingServer() as server:
        yield server


@pytest.fixture
def endpoint(session_endpoint: SeeingServer) -> SeeingServer:
    """The endpoint that `comfyui` asks: it looks at the pixels. Nothing set and nothing counted yet."""
    from img2prompt.tests.seeing_server import Control, Counts

    session_endpoint.control = Control()
    session_endpoint.counts = Counts()
    return session_endpoint


@pytest.fixture(scope="session")
def comfyui(start_comfyui: StartComfyUI, session_endpoint: SeeingServer) -> ComfyServer:
    """The ComfyUI that tests share; its nodes ask `endpoint`."""
    return start_comfyui({"IMG2PROMPT_ENDPOINT": session_endpoint.url})


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """A real vLLM on the CPU that serves the seeing model in tests/seeing_model/model."""
    from img2prompt.tests.vllm.server import VllmServer

    server = VllmServer(tmp_path_factory.mktemp("vllm"))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def seeing_comfyui(start_comfyui: StartComfyUI, vllm_server: VllmServer) -> ComfyServer:
    """A ComfyUI whose nodes ask the real vLLM for its likeliest words."""
    return start_comfyui({**vllm_server.environment, "IMG2PROMPT_TEMPERATURE": "0"})
