"""Runs one vLLM for everybody who uses it, and sees to its end. A script, not a module to import, and so in one file.

    python -I -S supervisor.py FOLDER < spec.json

It detaches from who starts it, holds FOLDER/lock while it lives, tells in FOLDER/state.json how the server stands, and
stops it when nobody holds FOLDER/leases any more (unless FOLDER/stay is there), when FOLDER/activity is older than the
idle time, or on SIGTERM. What ends unasked is started again, three times in a row, after 1, 2 and 4 s.

The server gets SIGKILL when this process ends, however that happens (PDEATHSIG), and so do the server's own processes
(inside/sitecustomize.py). Not SIGTERM: a vLLM that is loading may lose that, go on to serve, and hold the GPU for ever.

The spec: `commands` (the second is the smaller one, for when memory runs out), `environment`, `token`, `about` (copied
into the state), `idle_stop_s`, `start_timeout_s`. It comes by stdin because it holds the token.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import re
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

TICK_S = 0.2
LINGER_S = 1.0
"""So long the server stays without a lease: one client may go as the next one comes."""
GRACE_S = 6.0
"""vLLM ends in 2 to 6 s after SIGTERM."""
SWEEP_AFTER_S = 1.0
"""So long its processes may take to clean up (shared memory, say) when it has ended."""
BACK_OFF_S = (1.0, 2.0, 4.0)
"""Before each new start, of so many that fail in a row."""
STEADY_S = 60.0
"""A server that was ready for so long, or has been asked something, did not crash "in a row" with the one before."""
HEALTH_TIMEOUT_S = 2.0
LOG_BYTES = 8 * 2**20
"""A longer log is put aside as vllm.log.1."""
TAIL_LINES = 15
PR_SET_PDEATHSIG = 1

PROGRESS = tuple(
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
OUT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|No available memory for the cache blocks|Free memory on device", re.IGNORECASE
)
PASSING = re.compile(r"[Aa]ddress already in use|Failed core proc\(s\): \{[^}]*: -\d+")
"""A start that failed so may well succeed: somebody took the port, or one of its processes was killed."""


def end_with_parent(parent: int) -> None:
    """In the server's process, before it runs: SIGKILL when this one ends, or has ended already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Log:
    """What the server says: its last lines in memory, all of it on disk as long as the disk takes it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.progress = ""
        self.tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
        self.hints = ""
        """Lines that tell why a start failed; the tail alone may have lost them."""
        self._part = b""
        self._disk: IO[bytes] | None = None

    def take(self, data: bytes) -> None:
        """Some more of what it says."""
        self._write(data)
        *lines, self._part = re.split(rb"[\r\n]+", self._part + data)
        for raw in lines:
            line = raw.decode(errors="replace").rstrip()
            if not line:
                continue
            self.tail.append(line)
            if OUT_OF_MEMORY.search(line) or PASSING.search(line):
                self.hints += line + "\n"
            for pattern, text in PROGRESS:
                if found := pattern.search(line):
                    self.progress = text.format(*found.groups())
                    break

    def begin(self) -> None:
        """Another server starts."""
        self.tail.clear()
        self.hints, self.progress = "", "starting"

    def _write(self, data: bytes) -> None:
        """A disk that is full costs the log, not the server."""
        with contextlib.suppress(OSError):
            if self._disk is not None and self._disk.tell() > LOG_BYTES:
                self._disk.close()
                self._disk = None
                self.file.replace(f"{self.file}.1")
            if self._disk is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                self._disk = os.fdopen(os.open(self.file, flags, 0o600), "wb", buffering=0)
            self._disk.write(data)


class Supervisor:
    """One life of one engine, from its start to its stop."""

    def __init__(self, folder: Path, spec: dict[str, Any]) -> None:
        self.folder = folder
        self.spec = spec
        self.log = Log(folder / "vllm.log")
        self.before = server_before(folder)
        self.server: subprocess.Popen[bytes] | None = None
        self.command = 0
        """Which of the spec's commands."""
        self.failures = 0
        """In a row."""
        self.served = False
        """The server that runs, or ended last, has been ready."""
        self.unasked = 0.0
        """What `last_asked()` told when it became ready."""
        self.since = self.leased = time.monotonic()
        self.stop_reason = ""
        self.state: dict[str, Any] = {
            "run": secrets.token_hex(8),
            "phase": "starting",
            "progress": "starting",
            "pid": os.getpid(),
            "token": spec["token"],
            "about": spec["about"],
            "stepped_down": False,
            "started": time.time(),
        }
        self.told: dict[str, Any] | None = None
        """What stands in the file."""
        self.selector = selectors.DefaultSelector()
        # a SIGTERM ends the select at once
        self._woken, wake = socket.socketpair()
        self._woken.setblocking(False)
        wake.setblocking(False)
        self._wake = wake
        self.selector.register(self._woken, selectors.EVENT_READ)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGTERM, lambda *_: self.stop("it was told to"))

    def stop(self, reason: str) -> None:
        """End at the next opportunity."""
        self.stop_reason = self.stop_reason or reason

    def tell(self, **changed: Any) -> None:
        """Change the state, and write it where the file does not say so already. Raises OSError."""
        self.state |= changed
        if self.state == self.told:
            return
        fresh = self.folder / "state.json.new"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.state, file)
        fresh.replace(self.folder / "state.json")
        self.told = dict(self.state)

    def try_to_tell(self, **changed: Any) -> None:
        """`tell()`, where a full disk leaves the old file until the next time."""
        with contextlib.suppress(OSError):
            self.tell(**changed)

    def run(self) -> None:
        """Start and keep the server until there is a reason to stop, or it fails for good."""
        while not self.stop_reason:
            self.start()
            self.watch()
            code = self.end()
            if not self.stop_reason and not self.go_on_after(code):
                return
        self.try_to_tell(phase="stopped", progress="", reason=self.stop_reason, port=0, server_pid=0)

    def start(self) -> None:
        """Start the server on a port that is free now."""
        self.log.begin()
        self.served = False
        sweep(self.folder, self.before)
        (self.folder / "asleep").unlink(missing_ok=True)
        self.before = 0  # from now on its number may be another's
        port, parent = free_port(), os.getpid()
        command = [word.replace("--port={port}", f"--port={port}") for word in self.spec["commands"][self.command]]
        self.since = time.monotonic()
        try:
            self.server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.spec["environment"],
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(parent),  # noqa: PLW1509 - this process is small and has no threads
            )
        except OSError as error:
            self.server = None
            self.log.tail.append(f"{command[0]} cannot be run: {error.strerror}")
            return
        assert self.server.stdout is not None
        os.set_blocking(self.server.stdout.fileno(), False)
        self.selector.register(self.server.stdout, selectors.EVENT_READ)
        self.try_to_tell(phase="starting", progress="starting", port=port, server_pid=self.server.pid)

    def watch(self) -> None:
        """Return when the server has ended, or should."""
        while self.server is not None and self.server.poll() is None and not self.stop_reason:
            self.read(TICK_S)
            if self.state["phase"] == "starting":
                self.look_whether_ready()
            self.look_for_reasons_to_stop()
            self.try_to_tell()  # what a full disk did not take before

    def read(self, timeout_s: float) -> None:
        """Take what the server says, for so long at most."""
        for key, _ in self.selector.select(timeout_s):
            with contextlib.suppress(OSError):
                if key.fileobj is self._woken:
                    self._woken.recv(64)
                elif data := os.read(key.fd, 65_536):
                    self.log.take(data)
                else:  # its end, a little before the process's
                    self.selector.unregister(key.fileobj)

    def look_whether_ready(self) -> None:
        """Note that it answers, how far its start is, or that it takes too long."""
        assert self.server is not None
        if listens(self.server.pid, self.state["port"]) and healthy(self.state["port"], self.spec["token"]):
            self.since, self.served = time.monotonic(), True
            self.touch()
            self.unasked = self.last_asked()
            self.try_to_tell(phase="ready", progress="ready", stepped_down=self.command > 0)
            return
        self.try_to_tell(progress=self.log.progress)
        if time.monotonic() - self.since > self.spec["start_timeout_s"]:
            self.failures = len(BACK_OFF_S)
            self.log.tail.append(
                f"It was not ready after {self.spec['start_timeout_s']:g} s ({self.log.progress}); where it only needs "
                "longer, raise IMG2PROMPT_START_TIMEOUT_S."
            )
            self.kill()

    def look_for_reasons_to_stop(self) -> None:
        """Nobody has a lease, or nobody has asked anything for long."""
        now = time.monotonic()
        with (self.folder / "leases").open("a") as leases:
            try:
                fcntl.flock(leases, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.leased = now
            else:
                if now - self.leased > LINGER_S and not (self.folder / "stay").exists():
                    # told while the lock is held: who gets a lease after this sees it and waits for the end
                    self.stop("nobody uses it any more")
                    self.try_to_tell(phase="stopping", reason=self.stop_reason)
        if self.state["phase"] != "ready":
            return
        if time.time() - self.last_asked() > self.spec["idle_stop_s"]:
            self.stop(f"nobody asked it anything for {self.spec['idle_stop_s']:g} s")

    def last_asked(self) -> float:
        """When the guard noted a request last, or the server was ready; in seconds since the epoch."""
        try:
            return (self.folder / "activity").stat().st_mtime
        except OSError:  # a full disk: never idle
            return time.time()

    def touch(self) -> None:
        """Count the idle time from now."""
        with contextlib.suppress(OSError):
            (self.folder / "activity").touch(mode=0o600)

    def end(self) -> int:
        """Make sure that the server and all its processes are gone; its exit code, of a kind."""
        if self.server is None:
            return 127
        if self.stop_reason:
            self.try_to_tell(phase="stopping", reason=self.stop_reason)
            self.server.terminate()
        else:
            self.try_to_tell(phase="starting", progress="vLLM has ended", port=0)
        deadline = time.monotonic() + GRACE_S
        while self.server.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        deadline = time.monotonic() + SWEEP_AFTER_S
        while group_lives(self.server.pid) and time.monotonic() < deadline:
            self.read(0.05)
        self.kill()
        code = self.server.wait()
        self.read(0)
        if self.server.stdout is not None:
            with contextlib.suppress(KeyError):
                self.selector.unregister(self.server.stdout)
            self.server.stdout.close()
        self.server = None
        return code

    def kill(self) -> None:
        """SIGKILL to all its processes."""
        assert self.server is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.server.pid, signal.SIGKILL)
        sweep(self.folder)

    def go_on_after(self, code: int) -> bool:
        """Whether to start it again after this end, and if so not before the time for it."""
        when = "while it was running" if self.served else "while it was starting"
        error = f"vLLM ended {when} (exit code {code}); correct what the end of its log tells and ask again."
        error += f" {self.log.file} ends:\n" + "\n".join(self.log.tail)
        if not self.served and OUT_OF_MEMORY.search(self.log.hints) and self.command + 1 < len(self.spec["commands"]):
            self.command += 1
            self.try_to_tell(phase="starting", progress="out of memory; starting smaller", crash=error, port=0)
            return True
        steady = time.monotonic() - self.since > STEADY_S or self.last_asked() != self.unasked
        self.failures = 1 if self.served and steady else self.failures + 1
        passing = self.served or code < 0 or PASSING.search(self.log.hints) is not None
        if not passing or self.failures > len(BACK_OFF_S):
            full = OUT_OF_MEMORY.search(self.log.hints) is not None
            self.try_to_tell(phase="failed", progress="", error=error, out_of_memory=full, port=0, server_pid=0)
            return False
        wait_s = BACK_OFF_S[self.failures - 1]
        self.try_to_tell(phase="starting", progress=f"starting again in {wait_s:g} s", crash=error, port=0)
        until = time.monotonic() + wait_s
        while time.monotonic() < until and not self.stop_reason:
            self.read(TICK_S)
            self.look_for_reasons_to_stop()
        return True


def group_lives(group: int) -> bool:
    """Whether any process of a process group runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def sweep(folder: Path, server: int = 0) -> None:
    """SIGKILL to every process that an engine of this folder has left behind.

    They carry the folder's name in their environment, but for those whose title vLLM has set, which overwrites it:
    these are known by the title and the session that `server`, an earlier server's number, began.
    """
    mark = f"\0IMG2PROMPT_ENGINE_FOLDER={folder}\0".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                theirs = mark in b"\0" + (entry / "environ").read_bytes()
                session = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[3])
                titled = (entry / "cmdline").read_bytes().startswith(b"VLLM::")
                if theirs or (titled and session == server):
                    os.kill(int(entry.name), signal.SIGKILL)


def server_before(folder: Path) -> int:
    """The number of the server that was told of last in this folder; 0 where none was."""
    try:
        return int(json.loads((folder / "state.json").read_text())["server_pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def listens(session: int, port: int) -> bool:
    """Whether it is a process of this session that listens on this port of 127.0.0.1. Anybody may have taken the port
    since it was free, and would be told the token."""
    wanted = f"0100007F:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1] == wanted and row[3] == "0A"}
    if not inodes:
        return False
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):
            if not entry.name.isdigit():
                continue
            if int((entry / "stat").read_bytes().rpartition(b")")[2].split()[3]) != session:
                continue
            if inodes & {os.readlink(file) for file in (entry / "fd").iterdir()}:
                return True
    return False


def healthy(port: int, token: str) -> bool:
    """Whether the server answers GET /health with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):  # nobody listens yet
        return False
    finally:
        connection.close()


def detach() -> int:
    """Go on as a child of nobody, in a session of its own; the first process waits until that has told how it began."""
    told, tell = os.pipe()
    if child := os.fork():
        os.close(tell)
        with os.fdopen(told, "rb") as pipe:
            words = pipe.read().decode(errors="replace")
        if words != "ok":
            os.waitpid(child, 0)
            sys.exit(words or "the supervisor ended at once")
        os._exit(0)
    os.close(told)
    os.setsid()
    return tell


def locked(lock: IO[str]) -> bool:
    """Whether this process has the lock now. Who only looks whether it is free holds it for a moment, too."""
    for _ in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def main() -> int:
    """0: it ran, or another one runs already."""
    folder, spec = Path(sys.argv[1]), json.load(sys.stdin)
    tell = detach()
    lock = (folder / "lock").open("a")
    if not locked(lock):
        os.write(tell, b"ok")
        return 0
    supervisor = Supervisor(folder, spec)
    (folder / "stay").unlink(missing_ok=True)  # it was meant for the one before
    try:
        supervisor.tell()
    except OSError as error:
        os.write(tell, f"{folder} cannot be written to: {error.strerror}".encode())
        return 1
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.write(tell, b"ok")
    os.close(tell)
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
