"""`img2prompt prompt IMAGES…`: the prompt of each picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from ..prompts.options import LookAt, RenderOptions
from .console import Format, put, put_json, say, status_console

if TYPE_CHECKING:
    from ..engine import Engine
    from ..prompts import ImageAnalysis, Prompt, Request

LOOK_AT = get_args(LookAt)


def prompt(
    images: Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)],
    family: Annotated[str, typer.Option(help="The model family that will draw the prompt.")] = "sdxl",
    look_at: Annotated[str, typer.Option(help=f"What goes into the prompt: {', '.join(LOOK_AT)}.")] = LOOK_AT[0],
    extra: Annotated[str, typer.Option(help="Anything the model should pay attention to.")] = "",
    prefix: Annotated[str, typer.Option(help="Put first, exactly as written: trigger words.")] = "",
    leave_out: Annotated[str, typer.Option(help="Words that must not appear, separated by commas.")] = "",
    token_budget: Annotated[int, typer.Option(min=0, help="The longest prompt, in tokens; 0: the family's.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=0xFFFF_FFFF, help="Another seed looks again.")] = 0,
    output: Annotated[Format, typer.Option("--format", help="text: one line per picture; json: everything.")] = (
        Format.text
    ),
) -> None:
    """Print the prompt that would draw each picture, one line per picture in their order."""
    from ..prompts import render_all

    options = RenderOptions.from_texts(look_at, prefix, leave_out, token_budget)
    options.check(family)
    engine = _engine()
    requests = _requests(images, options, extra, seed)
    analyses = _ask(engine, requests, len(images))
    prompts = render_all(analyses, [str(image) for image in images], family, options)
    say(_who_answered(engine))
    if output is Format.json:
        name = engine.status().engine
        rows = zip(images, prompts, analyses, strict=True)
        put_json([_row(image, family, name, found, analysis) for image, found, analysis in rows])
    else:
        for found in prompts:
            put(found.positive)


def _requests(images: list[Path], options: RenderOptions, extra: str, seed: int) -> Iterator[Request[ImageAnalysis]]:
    """One request per file, opened when its turn comes. Raises PictureError for a file that is no picture."""
    from ..engine.pictures import open_picture
    from ..prompts import analysis_request

    for path in images:
        yield analysis_request(open_picture(path), look_at=options.look_at, extra=extra, seed=seed)


def _engine() -> Engine:
    """The engine that the settings choose; where they choose none, the sketch engine, which `_who_answered` tells."""
    from ..engine import NoEngine, shared_engine, sketch_engine

    try:
        return shared_engine()
    except NoEngine:
        return sketch_engine()


def _ask(engine: Engine, requests: Iterator[Request[ImageAnalysis]], total: int) -> list[ImageAnalysis]:
    """The answers in order; on a terminal a progress bar shows how far they are, elsewhere lines tell of a start."""
    if not status_console().is_terminal:
        return engine.ask_many(requests, total=total, report=say)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=status_console(), transient=True) as bar:
        task = bar.add_task("pictures", total=total)
        return engine.ask_many(
            requests,
            total=total,
            on_answer=lambda *_: bar.advance(task),
            report=lambda text: bar.update(task, description=text or "pictures"),
        )


def _who_answered(engine: Engine) -> str:
    status = engine.status()
    if status.engine == "sketch":
        return (
            "Answered by the sketch engine: colours, light and symmetry measured from the pixels, no subject. "
            "For a full prompt set IMG2PROMPT_ENDPOINT to an OpenAI-compatible server with Qwen3-VL "
            "(such as http://127.0.0.1:8000/v1), or install vLLM and set IMG2PROMPT_MODEL; "
            "`img2prompt doctor` tells what is missing."
        )
    return f"Answered by {status.model} ({status.detail})."


def _row(image: Path, family: str, engine: str, found: Prompt, analysis: ImageAnalysis) -> dict[str, object]:
    """What `--format json` tells of one picture; its keys are stable."""
    return {
        "image": str(image),
        "family": family,
        "engine": engine,
        "prompt": found.positive,
        "negative": found.negative,
        "art_style": found.style,
        "caption": found.caption,
        "tokens": found.tokens,
        "token_budget": found.budget,
        "analysis": analysis.model_dump(mode="json"),
    }
