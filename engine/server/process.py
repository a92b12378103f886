"""One `vllm serve` as a child that cannot outlive us: started, watched, and stopped with all its processes.

vLLM is a tree: the API server, its engine core and a worker, the last two holding the GPU's memory. Killing the API
server orphans them; asking it with SIGTERM ends all, most of the time. So a keeper (keeper.py) stands between us and
it: when we die the kernel tells the keeper, which ends the tree. Knows no flags and no requests.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ..errors import StartFailed

STOP_TIMEOUT_S = 10.0
"""vLLM ends in 2 to 6 s; then it is killed."""
SWEEP_AFTER_S = 2.0
"""So long its processes may take to clean up (shared memory, say) when it has ended."""
HEALTH_TIMEOUT_S = 5.0
TAIL_LINES = 15
TAIL_BYTES = 16_384
READ_BYTES = 65_536

KEEPER = Path(__file__).with_name("keeper.py")
"""What we start: a small process between us and vLLM. Not a preexec_fn: that would copy a large ComfyUI's page tables
and run Python between fork and exec in a process with threads."""

PROGRESS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"Loading \S+ checkpoint shards:.*\| (\d+/\d+) ", "loading weights {}"),
        (r"(?:Fetching \d+ files|\.safetensors|Downloading[^:]*): +(\d+%)", "downloading the checkpoint {}"),
        (r"Resolved architecture|Initializing a V1 LLM engine", "starting its processes"),
        (r"Starting to load model", "loading weights"),
        (r"Loading weights took|Compiling a graph|Capturing CUDA graphs|KV cache size", "warming up"),
        (r"Starting vLLM server|Application startup", "opening its port"),
    )
)
"""Log lines of vLLM 0.32 and what they mean; the first that matches counts."""


class VllmProcess:
    """A server that has been started. All its methods are quick but `stop()`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], port: int, log_file: Path) -> None:
        """Start it. Raises StartFailed when that is impossible from the outset."""
        self.port = port
        self.log_file = log_file
        self.progress = "starting"
        """How far the start is, in a few words."""
        self.exit_code: int | None = None
        """As of Popen, when it has ended."""
        self._child: subprocess.Popen[bytes]
        self._stopping = False
        self._ended = threading.Event()
        self._owner = os.getpid()
        try:
            log = _new_log(log_file)
            self._log = log_file.open("rb")
        except OSError as error:
            raise StartFailed(
                f"vLLM's log cannot be written to {log_file} ({error.strerror}); set IMG2PROMPT_CACHE_DIR elsewhere."
            ) from error
        self._start(command, environment, log)

    def _start(self, command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> None:
        """Start the child from a thread that lives as long as the child.

        PDEATHSIG fires when the *thread* that started a child ends: from a short-lived one, at once.
        """
        started = threading.Event()
        failure: list[OSError] = []

        def run() -> None:
            keeper = [sys.executable, "-I", "-S", str(KEEPER), str(os.getpid()), *command]
            try:
                self._child = subprocess.Popen(
                    keeper,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    start_new_session=True,
                )
            except OSError as error:
                failure.append(error)
                return
            finally:
                log.close()
                started.set()
            self._watch()

        threading.Thread(target=run, name="img2prompt-vllm", daemon=True).start()
        started.wait()
        if failure:
            self._log.close()
            raise StartFailed(f"vLLM cannot be started ({failure[0].strerror}); free some memory and ask again.")
        atexit.register(self.stop)

    def _watch(self) -> None:
        """Wait for the server's end, then for its processes', and kill those that stay."""
        self.exit_code = self._child.wait()
        end = time.monotonic() + SWEEP_AFTER_S
        with contextlib.suppress(ProcessLookupError):  # none is left; as long as one is, the group's id is its own
            while time.monotonic() < end:
                os.killpg(self.pid, 0)
                time.sleep(0.05)
            os.killpg(self.pid, signal.SIGKILL)
        self._ended.set()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        """It has neither ended nor been told to."""
        return self.exit_code is None and not self._stopping

    @property
    def ended(self) -> bool:
        """No process of it is left."""
        return self._ended.is_set()

    def read_progress(self) -> str:
        """Take what is new in the log into account, and say how far the start is."""
        new = self._log.read(READ_BYTES).decode(errors="replace")
        for line in re.split(r"[\r\n]+", new):
            for pattern, text in PROGRESS:
                if found := pattern.search(line):
                    self.progress = text.format(*found.groups())
                    break
        return self.progress

    def healthy(self) -> bool:
        """Whether it answers GET /health with 200; blocks for some seconds at most. No proxy is asked."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HEALTH_TIMEOUT_S)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):  # nobody listens yet
            return False
        finally:
            connection.close()

    def last_lines(self) -> str:
        """The last lines of its log."""
        with self.log_file.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL_BYTES))
            lines = [line.rstrip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return "\n".join(lines[-TAIL_LINES:])

    def ask_to_end(self) -> None:
        """SIGTERM: vLLM then ends its processes itself."""
        self._stopping = True
        if not self._ended.is_set() and os.getpid() == self._owner:
            self._child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the server and all its processes."""
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            if not self._ended.is_set() and os.getpid() == self._owner:
                os.killpg(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End it with all its processes; idempotent, blocks for up to 10 s or so."""
        self.ask_to_end()
        if not self._ended.wait(STOP_TIMEOUT_S):
            self.kill()
            self._ended.wait(STOP_TIMEOUT_S)
        self.let_go()

    def let_go(self) -> None:
        """Close what is open here, after the end."""
        self._log.close()
        atexit.unregister(self.stop)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _new_log(file: Path) -> IO[bytes]:
    """A new empty file that only its owner can read; an older one of the name keeps its readers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
