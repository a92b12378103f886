"""`img2prompt doctor`: what is here, what answers, and one timed question."""

from __future__ import annotations

import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..prompts.errors import Img2PromptError
from .console import Format, put, put_json, say

if TYPE_CHECKING:
    from ..engine import Engine, Settings

Verdict = Literal["ok", "missing", "failed", "note"]
PACKAGES = ("openai", "pydantic", "pydantic-settings", "Pillow", "numpy", "tokenizers", "typer", "rich", "platformdirs")
MARKS: dict[Verdict, str] = {"ok": "✓", "missing": "–", "failed": "✗", "note": "·"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    detail: str


def doctor(
    start: Annotated[
        bool, typer.Option("--start", help="Also start the managed vLLM, which may take minutes, and ask it.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.text,
) -> None:
    """Look at what is installed and which engine answers, and time one question. Exit code 1 if nothing answers."""
    from ..engine import Settings

    findings = [_python(), *_packages()]
    settings = Settings.load()
    findings += [_ocr(), _gpu(), _vllm(settings), *_engine(settings, start=start)]
    if output is Format.json:
        put_json([asdict(finding) for finding in findings])
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            put(f"{MARKS[finding.verdict]} {finding.name:<{width}}  {finding.detail}")
    if any(finding.verdict == "failed" for finding in findings):
        raise typer.Exit(1)


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> list[Finding]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    missing = [name for name, number in found.items() if not number]
    if missing:
        return [Finding("packages", "failed", f"{', '.join(missing)} missing; pip install -r requirements.txt")]
    return [Finding("packages", "ok", ", ".join(f"{name} {number}" for name, number in found.items()))]


def _ocr() -> Finding:
    from ..engine.ocr import INSTALL, installed_reader

    reader = installed_reader()
    if reader is None:
        return Finding("OCR", "missing", f"`{INSTALL}` lets the sketch engine read the writing in pictures")
    return Finding("OCR", "ok", f"rapidocr {reader.release}: the sketch engine reads the writing in pictures")


def _gpu() -> Finding:
    from ..engine.server.device import find_device

    device = find_device()
    if device.kind == "gpu":
        return Finding("GPU", "ok", f"{device.memory_gib:.0f} GiB")
    return Finding(
        "GPU", "missing", "nvidia-smi lists none; an endpoint elsewhere can answer, or vLLM on the CPU, slowly"
    )


def _vllm(settings: Settings) -> Finding:
    from ..engine.server.command import find_vllm

    try:
        program = find_vllm(settings)
    except Img2PromptError as error:
        return Finding("vLLM", "failed", str(error))
    if program is None:
        return Finding("vLLM", "missing", "`img2prompt engine install` makes one; IMG2PROMPT_VLLM can name another")
    return Finding("vLLM", "ok", str(program))


def _engine(settings: Settings, *, start: bool) -> list[Finding]:
    """Which engine the settings choose, whether it is there, and how long one question takes."""
    from ..engine import Engine, NoEngine, choose_backend

    # not from the cache: the answer would come from nobody
    settings = settings.model_copy(update={"cache": False})
    try:
        engine = Engine(choose_backend(settings), settings)
    except NoEngine as error:
        return [Finding("engine", "failed", str(error))]
    try:
        status = engine.status()
        if status.engine == "managed" and not start:
            return [_planned(settings)]
        return _ask(engine)
    except Img2PromptError as error:
        return [Finding("engine", "failed", str(error))]
    finally:
        engine.close()


def _planned(settings: Settings) -> Finding:
    """What the managed engine would serve. Raises SettingsError."""
    from ..engine.server.device import find_device
    from ..engine.server.plan import make_plan

    plan = make_plan(settings, find_device())
    if not plan.fits:
        return Finding("engine", "failed", plan.reason)
    return Finding(
        "engine", "note", f"vLLM would serve {plan.model}; `img2prompt doctor --start` starts it and asks it"
    )


def _ask(engine: Engine) -> list[Finding]:
    """Get the engine ready and ask it about a small drawn picture. Raises EngineError."""
    from PIL import Image, ImageDraw

    from ..prompts import analysis_request

    picture = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(picture).ellipse((64, 64, 192, 192), fill="red")
    status = engine.wake(say)
    began = time.monotonic()
    answer = engine.ask(analysis_request(picture))
    seconds = time.monotonic() - began
    return [
        Finding("engine", "ok" if status.engine != "sketch" else "note", f"{status.engine}: {status.detail}"),
        Finding("round trip", "ok", f"{seconds:.2f} s for a drawn red circle: {answer.caption}"),
    ]
