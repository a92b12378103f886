"""How commands ask an engine about picture files: all at once, with a progress bar where somebody watches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import say, status_console

if TYPE_CHECKING:
    from ..engine import Engine
    from ..engine.stream import Step
    from ..prompts.analysis import ImageAnalysis
    from ..prompts.request import Answer, Request


def ask(engine: Engine, requests: Iterator[Request[Answer] | Step[Answer]], total: int) -> list[Answer]:
    """The answers in order; on a terminal a progress bar shows how far they are, elsewhere lines tell of a start."""
    if not status_console().is_terminal:
        return engine.ask_many(requests, total=total, report=say)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=status_console(), transient=True) as bar:
        task = bar.add_task("pictures", total=total)
        return engine.ask_many(
            requests,
            total=total,
            on_answer=lambda *_: bar.advance(task),
            report=lambda text: bar.update(task, description=text or "pictures"),
        )


def analysis_requests(
    images: Sequence[Path], known: Sequence[str] | None = None, *, min_confidence: float = 0.0, **asked: Any
) -> Iterator[Request[ImageAnalysis] | Step[ImageAnalysis]]:
    """One request per file, opened when its turn comes; `known` has the prompt that drew each. With `min_confidence`
    the model is asked about each tag, too, and those that it is less sure of are left out.

    Raises PictureError for a file that is no picture."""
    from ..engine.pictures import open_picture
    from ..engine.rated import rated_request
    from ..prompts import analysis_request

    for path, prompt in zip(images, known or [""] * len(images), strict=True):
        yield rated_request(
            analysis_request(open_picture(path), known=prompt, **asked), partial(open_picture, path), min_confidence
        )


def chosen_engine() -> Engine:
    """The engine that the settings choose; where they choose none, the sketch engine, which `who_answered` tells."""
    from ..engine import NoEngine, shared_engine, sketch_engine

    try:
        return shared_engine()
    except NoEngine:
        return sketch_engine()


def who_answered(engine: Engine) -> str:
    """One line: which engine answered, and for the sketch how to get a better one."""
    status = engine.status()
    if status.engine == "sketch":
        return (
            "Answered by the sketch engine: colours, light and symmetry measured from the pixels, no subject. "
            "For a full prompt set IMG2PROMPT_ENDPOINT to an OpenAI-compatible server with Qwen3-VL "
            "(such as http://127.0.0.1:8000/v1), or install vLLM and set IMG2PROMPT_MODEL; "
            "`img2prompt doctor` tells what is missing."
        )
    return f"Answered by {status.model} ({status.detail})."
