"""kill -9 of the engine's processes, one by one, while it loads and while it serves; and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from img2prompt.engine.server.folder import EngineFolder, State
from img2prompt.tests.processes import alive, session
from img2prompt.tests.vllm.server import CHECKPOINT, PROGRAM
from img2prompt.tests.waiting import until

GONE_WITHIN_S = 10.0
START_TIMEOUT_S = 400.0

CLIENT = """\
import sys
from PIL import Image, ImageDraw
from img2prompt.engine import shared_engine
from img2prompt.prompts import analysis_request
picture = Image.new("RGB", (256, 256), "white")
ImageDraw.Draw(picture).ellipse((64, 64, 192, 192), fill="red")
engine = shared_engine()
for number, line in enumerate(sys.stdin):
    print(engine.ask(analysis_request(picture, seed=number)).caption, flush=True)
"""
"""A process that uses the engine, as a ComfyUI does: for each line on stdin it asks about a red circle."""


class Client:
    """One such process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )

    def ask(self) -> None:
        """Ask, and do not wait."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """The answer to what was asked, "" when the process has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@dataclass
class Engine:
    """The engine of one cache folder and its only client, so that everything about them can be killed."""

    cache: Path
    client: Client | None = None
    seconds: list[float] = field(default_factory=list[float])
    """How long after each kill nothing of what was killed was left."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "IMG2PROMPT_ENGINE": "managed",
            "IMG2PROMPT_MODEL": str(CHECKPOINT),
            "IMG2PROMPT_VLLM": str(PROGRAM),
            "IMG2PROMPT_CACHE": "false",
            "IMG2PROMPT_CACHE_DIR": str(self.cache),
            "IMG2PROMPT_TEMPERATURE": "0",
            "CUDA_VISIBLE_DEVICES": "",
        }

    @property
    def folder(self) -> EngineFolder:
        (folder,) = EngineFolder.all(self.cache)
        return folder

    def ask(self) -> None:
        """Have the client ask; a new one where it was killed."""
        if self.client is None or self.client.process.poll() is not None:
            self.client = Client(self.environment)
        self.client.ask()

    def answer(self) -> str:
        assert self.client is not None
        return self.client.answer()

    def reach(self, phase: str) -> State:
        """The engine's state, when all its processes are there: "loading" or "ready"."""

        def reached() -> bool:
            if not EngineFolder.all(self.cache):
                return False
            state = self.folder.now()
            if phase == "ready":
                return state.phase == "ready"
            return state.phase == "starting" and self.core(state.server_pid) is not None

        until(reached, START_TIMEOUT_S)
        return self.folder.now()

    def core(self, server: int) -> int | None:
        """The EngineCore process, which holds the GPU: the child that it starts last."""
        children = {pid: _read(pid, "cmdline") for pid in session(server) if _parent(pid) == server}
        # by the title that it gives itself once it is up
        return next((p for p, line in children.items() if b"spawn_main" in line or line.startswith(b"VLLM::")), None)

    def kill(self, *victims: str) -> None:
        """kill -9, in this order; then whatever must be gone is gone in 10 s. Raises TimeoutError.

        What must be gone: all that ran for the engine, whoever was killed.
        """
        state = self.folder.now()
        running = session(state.server_pid)
        core = self.core(state.server_pid)
        assert core is not None
        pids = {"supervisor": state.pid, "API server": state.server_pid, "EngineCore": core}
        began = time.monotonic()
        for victim in victims:
            if victim == "client":
                assert self.client is not None
                self.client.kill()
            elif alive(pids[victim]):  # an earlier kill may have taken it along
                os.kill(pids[victim], signal.SIGKILL)
        if {"client", "supervisor"} & set(victims):
            running.add(state.pid)
        until(lambda: not any(map(alive, running)), GONE_WITHIN_S)
        self.seconds.append(time.monotonic() - began)

    def end(self) -> None:
        """Kill the client; nothing is left."""
        if self.client is not None:
            self.client.kill()
        until(lambda: not self.folder.supervised())


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0
