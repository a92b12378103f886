"""The commands' table, and how their errors end the process."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from ..prompts.errors import AnalysisError, Img2PromptError, NothingToSay, PromptError
from . import caption, doctor, engine, look, mix, prompt, read, render, story, text
from .console import say
from .eval import evaluate

app = typer.Typer(
    name="img2prompt",
    help="Pictures in, prompts out. Results go to stdout, everything else to stderr.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("prompt")(prompt.prompt)
app.command("caption")(caption.caption)
app.command("read")(read.read)
app.command("text")(text.text)
app.command("story")(story.story)
app.command("render")(render.render)
app.command("mix")(mix.mix)
app.command("look")(look.look)
app.command("eval")(evaluate)
app.command("doctor")(doctor.doctor)
app.add_typer(engine.app, name="engine")


def run() -> NoReturn:
    """Run the command that sys.argv names and end the process: 0 done, 1 failed, 2 wrong use."""
    try:
        app()  # ends the process itself, with 2 and its own words for wrong use
    except Img2PromptError as error:
        say(str(error))
        # a family, prefix or budget that cannot be is wrong use, too; a file that is no analysis is a failure
        failed = not isinstance(error, PromptError) or isinstance(error, (NothingToSay, AnalysisError))
        sys.exit(1 if failed else 2)
    sys.exit(0)
