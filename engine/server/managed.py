"""The backend that runs its own vLLM: started by the first request, asked through `ChatClient`, stopped at the end.

When the server dies, the requests in flight fail, and the next ones start it anew.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ...prompts.request import Answer, Request
from ..backend import Report, Status
from ..client import ChatClient
from ..errors import NoEngine, StartFailed, Unreachable
from ..settings import Settings
from .command import find_device, find_vllm, serve_command, serve_environment, served_name
from .process import STOP_TIMEOUT_S, VllmProcess, free_port

Running = tuple[VllmProcess, ChatClient]

POLL_S = 0.2
DYING_S = 3.0
"""A server whose engine has died breaks its connections at once, and takes this long to end."""
WEIGHTS = ("*.safetensors", "config.json", "tokenizer.json")


class ManagedBackend:
    """One vLLM for one set of settings. Use it on one event loop at a time."""

    name = "managed"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: VllmProcess | None = None
        self._client: ChatClient | None = None
        self._start: asyncio.Task[Running] | None = None
        """The start that runs now; it goes on when who waits for it is cancelled."""

    async def ready(self, report: Report) -> None:
        """Start the server unless it runs, and wait until it answers. Raises NoEngine, SettingsError or StartFailed."""
        await self._running(report)

    async def answer(self, request: Request[Answer]) -> Answer:
        """Answer one request, starting the server where it has died. Raises EngineError or PictureError."""
        process, client = await self._running(lambda line: None)
        answering = client.answer(request)
        del request
        try:
            return await answering
        except Unreachable as error:
            if not await _until(lambda: process.exit_code is not None, DYING_S):
                raise
            raise Unreachable(_ended(process, "while it was answering")) from error

    def identity(self) -> str:
        """The checkpoint, and of a local one how old its files are: training it on changes its answers."""
        folder = Path(self._settings.model).expanduser()
        if not folder.is_dir():
            return f"managed {self._settings.model}"
        times = [file.stat().st_mtime_ns for pattern in WEIGHTS for file in folder.glob(pattern)]
        return f"managed {folder.resolve()} {max(times, default=0)}"

    def status(self) -> Status:
        process, url = self._process, ""
        if process is None:
            detail = "vLLM has not been started; the first request starts it."
        elif not process.running:
            detail = f"vLLM has ended (exit code {process.exit_code}); the next request starts it again."
        else:
            url = _base_url(process)
            how = f"serves at {url}" if self._client else f"is starting: {process.progress}"
            detail = f"vLLM (process {process.pid}) {how}."
        return Status(self.name, served_name(self._settings), url, detail)

    async def close(self) -> None:
        """Stop the server with all its processes. No thread is started for it: it may run at interpreter exit."""
        start, self._start = self._start, None
        if start is not None and not start.done():
            start.cancel()
            await asyncio.wait([start])
        await self._let_go()

    async def _running(self, report: Report) -> Running:
        """The server that answers and its client; whoever asks during a start waits for that one start."""
        if self._process is not None and self._process.running and self._client is not None:
            await self._client.ready(report)
            return self._process, self._client
        if self._start is None or self._start.done():
            self._start = asyncio.create_task(self._start_server())
            self._start.add_done_callback(_retrieve)
        start, told = self._start, ""
        while not start.done():
            await asyncio.wait([start], timeout=POLL_S)
            progress = self._process.progress if self._process else ""
            if progress and progress != told:
                report(f"vLLM: {progress}")
                told = progress
        if start.cancelled():
            raise StartFailed("vLLM was stopped while it was starting; ask again.")
        return start.result()

    async def _start_server(self) -> Running:
        """A new server and its connected client; what is left of an older one is let go."""
        await self._let_go()
        key, port = secrets.token_urlsafe(32), free_port()
        command, environment = await asyncio.to_thread(self._call, port, key)
        # Not on another thread: a start that is cancelled must not leave a process behind that nobody knows.
        process = self._process = VllmProcess(command, environment, port, self._settings.cache_dir / "vllm.log")
        try:
            await _wait_healthy(process, self._settings.start_timeout_s)
        except StartFailed:
            await _stop(process)
            raise
        client = ChatClient(
            self._settings, _base_url(process), key, model=served_name(self._settings), identity=self.identity()
        )
        await client.ready(lambda line: None)
        process.progress, self._client = "ready", client
        return process, client

    def _call(self, port: int, key: str) -> tuple[list[str], dict[str, str]]:
        """The server's command line and environment; asks the GPU's driver, so it may take a second."""
        if sys.platform != "linux":
            raise StartFailed(
                "vLLM runs on Linux only; run it in WSL2 or on another machine and set IMG2PROMPT_ENDPOINT to its URL."
            )
        program = find_vllm(self._settings)
        if program is None:
            raise NoEngine(
                "No vllm program was found; install vLLM in an environment of its own and set IMG2PROMPT_VLLM to its "
                "vllm program, or set IMG2PROMPT_ENDPOINT to the URL of a server."
            )
        device = find_device()
        return (
            serve_command(self._settings, program, port, device),
            serve_environment(self._settings, program, device, key),
        )

    async def _let_go(self) -> None:
        """Close the client and stop the server, where there are any."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        process, self._process = self._process, None
        if process is not None:
            await _stop(process)


async def _wait_healthy(process: VllmProcess, timeout_s: float) -> None:
    """Return when the server answers. Raises StartFailed when it ends or takes too long."""
    end = time.monotonic() + timeout_s
    while not await asyncio.to_thread(process.healthy):
        process.read_progress()
        if process.exit_code is not None:
            raise StartFailed(_ended(process, "while it was starting"))
        if time.monotonic() > end:
            raise StartFailed(
                f"vLLM was not ready after {timeout_s:g} s ({process.progress}); raise IMG2PROMPT_START_TIMEOUT_S, or "
                f"see what holds it up in {process.log_file}, which ends:\n{process.last_lines()}"
            )
        await asyncio.sleep(POLL_S)


async def _stop(process: VllmProcess) -> None:
    """End the process without blocking the loop and without a thread."""
    process.ask_to_end()
    if not await _until(lambda: process.ended, STOP_TIMEOUT_S):
        process.kill()
        await _until(lambda: process.ended, STOP_TIMEOUT_S)
    process.let_go()


def _retrieve(start: asyncio.Task[Running]) -> None:
    """Take the exception of a start that nobody waits for any more; the next request starts anew."""
    if not start.cancelled():
        start.exception()


async def _until(true: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not true() and time.monotonic() < end:
        await asyncio.sleep(0.05)
    return true()


def _ended(process: VllmProcess, when: str) -> str:
    return (
        f"vLLM ended {when} (exit code {process.exit_code}); correct what the end of its log tells and ask again. "
        f"{process.log_file} ends:\n{process.last_lines()}"
    )


def _base_url(process: VllmProcess) -> str:
    return f"http://127.0.0.1:{process.port}/v1"
