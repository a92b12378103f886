"""`img2prompt engine …`: the engine that all programs of this user share, from the command line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ..prompts.errors import Img2PromptError
from . import install, plan
from .console import Format, put, put_json, say, status_console

if TYPE_CHECKING:
    from ..engine.server.folder import EngineFolder

NONE_RUNS = "No engine of yours runs; `img2prompt engine start` starts one."
FOLLOW_S = 0.3

app = typer.Typer(help="The vLLM that all nodes and commands share: make it, start it, see how it stands, stop it.")
app.command("install")(install.install)
app.command("plan")(plan.plan)

AsFormat = Annotated[Format, typer.Option("--format", help="text or json.")]


@app.command()
def start() -> None:
    """Start the engine of your settings, or wake it, and let it run until it is stopped or has been idle for long."""
    from ..engine import Engine, NoEngine, Settings, choose_backend
    from ..engine.server.managed import ManagedBackend

    settings = Settings.load()
    backend = choose_backend(settings)
    if not isinstance(backend, ManagedBackend):
        raise NoEngine(
            f"Your settings choose the {backend.name} engine, which is not ours to start; set "
            "IMG2PROMPT_ENGINE=managed."
        )
    engine = Engine(backend, settings)
    try:
        from rich.text import Text  # else what stands in brackets would be taken for markup

        with status_console().status("starting …") as shown:
            # on a terminal the line is replaced; elsewhere each is written
            report = (lambda line: shown.update(Text(line))) if status_console().is_terminal else say
            status = engine.wake(report)
        backend.launch.folder.stay()
    finally:
        engine.close()
    put(status.detail)


@app.command()
def status(
    connect: Annotated[
        bool, typer.Option("--connect", help="Print the URL and the key with which any other program can use it.")
    ] = False,
    output: AsFormat = Format.text,
) -> None:
    """How your engines stand. Exit code 1 with --connect when none serves."""
    folders = _folders()
    if connect:
        _connect(folders, output)
        return
    rows = [_row(folder) for folder in folders]
    if output is Format.json:
        put_json(rows)
        return
    for row in rows:
        put(f"{row['model']}: {row['detail']}")
    if not rows:
        say(NONE_RUNS)


@app.command()
def sleep() -> None:
    """Give the GPU's memory back; what is being answered goes on after the wake."""
    from ..engine.server import control

    for folder in _running():
        control.give_back(folder)
        put(_detail(folder))


@app.command()
def wake() -> None:
    """Have the engine on the GPU again. Exit code 1 when none runs."""
    from ..engine.server import control

    running = _running()
    for folder in running:
        if level := folder.sleep_level:
            control.wake(folder.now(), level)
        put(_detail(folder))
    if not running:
        raise typer.Exit(1)


@app.command()
def stop() -> None:
    """End your engines, for all programs that use them; the next request starts one again."""
    from ..engine.server import control

    for folder in _running():
        control.stop(folder)
        put(_detail(folder))


@app.command()
def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="So many of the last lines.")] = 50,
) -> None:
    """What vLLM has said, of the engine that was started last."""
    started = [folder for folder in _folders() if folder.log_file.exists()]
    if not started:
        raise _nothing("No engine of yours has written a log yet; `img2prompt engine start` starts one.")
    log = max(started, key=lambda folder: folder.log_file.stat().st_mtime).log_file
    say(str(log))
    data = log.read_bytes()
    for line in data.decode(errors="replace").splitlines()[-lines:]:
        put(line)
    position = len(data)
    while follow:
        data = log.read_bytes() if log.exists() else b""
        position = 0 if len(data) < position else position  # another log has begun
        if len(data) > position:
            put(data[position:].decode(errors="replace").rstrip("\n"))
            position = len(data)
        time.sleep(FOLLOW_S)


def _connect(folders: list[EngineFolder], output: Format) -> None:
    serving = [state for folder in folders if (state := folder.now()).url]
    if not serving:
        raise _nothing(NONE_RUNS)
    state = max(serving, key=lambda state: state.started)
    model = str(state.about.get("model", ""))
    if output is Format.json:
        put_json({"url": state.url, "api_key": state.token, "model": model})
        return
    put(f"OPENAI_BASE_URL={state.url}\nOPENAI_API_KEY={state.token}\nOPENAI_MODEL={model}")


def _row(folder: EngineFolder) -> dict[str, object]:
    """How one engine stands; without its token."""
    from ..engine.server.folder import describe, phase_of

    state, asleep = folder.now(), folder.asleep
    return {
        "model": str(state.about.get("model", "")),
        "phase": phase_of(state, asleep),
        "url": state.url,
        "pid": state.server_pid,
        "log": str(folder.log_file),
        "detail": describe(state, asleep),
    }


def _detail(folder: EngineFolder) -> str:
    from ..engine.server.folder import describe

    return describe(folder.now(), folder.asleep)


def _folders() -> list[EngineFolder]:
    from ..engine import Settings
    from ..engine.server.folder import EngineFolder

    return EngineFolder.all(Settings.load().cache_dir)


def _running() -> list[EngineFolder]:
    """Those that run; a line on stderr when there is none."""
    running = [folder for folder in _folders() if folder.supervised()]
    if not running:
        say(NONE_RUNS)
    return running


def _nothing(text: str) -> Img2PromptError:
    from ..engine import NoEngine

    return NoEngine(text)
