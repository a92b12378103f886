"""Where a running engine is noted, and how programs find, share, start and end it: files and locks, no memory.

Several ComfyUI processes, the command line, and a second copy of this package beside them meet here. Linux only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Any

from ..errors import StartFailed

if sys.platform != "win32":  # where nothing of this is reached, but the message that says so is
    import fcntl

SUPERVISOR = Path(__file__).with_name("supervisor.py")
SPAWN_TIMEOUT_S = 30.0
ENDING_S = 0.05
TAIL_LINES, TAIL_BYTES = 30, 2**14
"""Of a server's log, that are shown."""


@dataclass(frozen=True, slots=True)
class State:
    """What the supervisor tells about its server."""

    run: str = ""
    """A new word for each life of a supervisor."""
    phase: str = "stopped"
    """ "starting", "ready", "failed", "stopping" or "stopped"."""
    progress: str = ""
    """How far a start is, in a few words."""
    pid: int = 0
    """The supervisor's."""
    server_pid: int = 0
    """vLLM's, and the number of its process group and session; 0 when there is none."""
    port: int = 0
    token: str = field(default="", repr=False)
    about: Mapping[str, Any] = field(default_factory=dict)
    """What who started it wanted to be known: the model's name, bytes on the GPU and so on."""
    stepped_down: bool = False
    """Memory ran out, and the smaller command was taken."""
    error: str = ""
    """Why it failed."""
    out_of_memory: bool = False
    """It failed because the GPU's memory ran out."""
    crash: str = ""
    """How it ended last without being told to."""
    reason: str = ""
    """Why it was stopped."""
    started: float = 0.0

    @property
    def url(self) -> str:
        """The base URL, or "" while nobody serves."""
        return f"http://127.0.0.1:{self.port}/v1" if self.port and self.phase == "ready" else ""


class EngineFolder:
    """The files of one engine. Safe from any thread and process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log_file = path / "vllm.log"

    @classmethod
    def of(cls, cache_dir: Path, model: str, gpu: str) -> EngineFolder:
        """The folder for one model on one GPU, made if need be. Raises StartFailed."""
        name = re.sub(r"[^\w.-]", "_", model.rstrip("/").rsplit("/", 1)[-1])[:48]
        digest = hashlib.sha256(f"{model}\0{gpu}".encode()).hexdigest()[:12]
        folder = (cache_dir / "engines" / f"{name}-{digest}").absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise _unwritable(folder, error) from error
        return cls(folder)

    @classmethod
    def all(cls, cache_dir: Path) -> list[EngineFolder]:
        """Those of all engines that have run with this cache folder."""
        return [cls(state.parent.absolute()) for state in sorted((cache_dir / "engines").glob("*/state.json"))]

    def state(self) -> State:
        """What was told last; a supervisor that has been killed has told nothing of that (see `supervised`)."""
        try:
            told = json.loads((self.path / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none was ever started, or the disk was full
            return State()
        known = {one.name for one in fields(State)}
        return State(**{name: value for name, value in told.items() if name in known})

    def supervised(self) -> bool:
        """Whether a supervisor lives."""
        try:
            with (self.path / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def now(self) -> State:
        """The state, and "stopped" where a supervisor was killed."""
        supervised, state = self.supervised(), self.state()
        if supervised or state.phase in ("failed", "stopped"):
            return state
        return State(run=state.run, about=state.about, crash=state.crash, reason="its supervisor was killed")

    @property
    def asleep(self) -> bool:
        """Whether the server has given the GPU's memory back."""
        return (self.path / "asleep").exists()

    @property
    def sleep_level(self) -> int:
        """How deep it sleeps; 0 when it does not."""
        try:
            return int((self.path / "asleep").read_text() or 1)
        except (OSError, ValueError):
            return 1 if self.asleep else 0

    def log_tail(self) -> str:
        """The last lines of the server's log; "" where there is none."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-TAIL_LINES:])
        except OSError:
            return ""

    def lease(self) -> IO[str]:
        """An open file that keeps the engine alive until it is closed, or its process has ended. Raises StartFailed."""
        try:
            leases = (self.path / "leases").open("a")
            fcntl.flock(leases, fcntl.LOCK_SH)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return leases

    def stay(self, wanted: bool = True) -> None:
        """Let the engine live, or not, when nobody has a lease."""
        if wanted:
            (self.path / "stay").touch(mode=0o600)
        else:
            (self.path / "stay").unlink(missing_ok=True)

    def start(self, spec: Mapping[str, Any]) -> State:
        """The state of the supervisor that lives; of a new one if there is none. Hold a lease. Raises StartFailed."""
        with self._only_one():
            until = time.monotonic() + SPAWN_TIMEOUT_S
            while self.supervised():
                state = self.state()
                if state.phase in ("starting", "ready"):
                    return state
                if time.monotonic() > until:
                    raise StartFailed(f"The engine's supervisor (process {state.pid}) does not end; end it yourself.")
                time.sleep(ENDING_S)  # it is about to end
            _spawn(self.path, spec)
            return self.state()

    def ask_to_stop(self) -> bool:
        """Tell the supervisor to end its server; whether there is one."""
        self.stay(False)
        if not self.supervised():
            return False
        pid = self.state().pid
        with contextlib.suppress(OSError):
            # the number may be another's: of an older state, or of another container that shares the folder
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if pid > 0 and str(self.path).encode() in command:
                os.kill(pid, signal.SIGTERM)
        return True

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        """The start lock."""
        try:
            file = (self.path / "start").open("a")
        except OSError as error:
            raise _unwritable(self.path, error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def phase_of(state: State, asleep: bool) -> str:
    """As in `Status.phase`."""
    if state.phase == "ready":
        return "asleep" if asleep else "awake"
    return "stopped" if state.phase == "stopping" else state.phase


def describe(state: State, asleep: bool) -> str:
    """How an engine stands, in one plain sentence."""
    match state.phase:
        case "ready":
            how = f"sleeps at {state.url}; the next request wakes it" if asleep else f"serves at {state.url}"
            less = " with less memory than planned" if state.stepped_down else ""
            return f"vLLM (process {state.server_pid}) {how}{less}."
        case "starting":
            process = f" (process {state.server_pid})" if state.server_pid else ""
            return f"vLLM{process} is starting: {state.progress}."
        case "stopping":
            return "vLLM is stopping."
        case "failed":
            return f"vLLM did not start; the next request tries again. {state.error}"
    why = f" ({state.reason})" if state.reason else ""
    return f"vLLM is stopped{why}; the next request starts it."


def _spawn(folder: Path, spec: Mapping[str, Any]) -> None:
    """Start a supervisor; return when it lives. Raises StartFailed."""
    command = [sys.executable, "-I", "-S", str(SUPERVISOR), str(folder)]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(spec),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SPAWN_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartFailed(
            f"The engine's supervisor cannot be started ({error}); free some memory and ask again."
        ) from error
    if done.returncode:
        told = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise StartFailed(f"The engine's supervisor cannot be started ({told[0]}); correct that and ask again.")


def _unwritable(folder: Path, error: OSError) -> StartFailed:
    return StartFailed(
        f"The engine's state cannot be kept in {folder} ({error.strerror}); set IMG2PROMPT_CACHE_DIR elsewhere."
    )
