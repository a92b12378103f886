"""The commands' table, and how their errors end the process."""

from __future__ import annotations

import click
import typer

from ..prompts.errors import Img2PromptError, PromptError
from . import doctor, look, prompt
from .console import say

app = typer.Typer(
    name="img2prompt",
    help="Pictures in, prompts out. Results go to stdout, everything else to stderr.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("prompt")(prompt.prompt)
app.command("look")(look.look)
app.command("doctor")(doctor.doctor)


def run() -> int:
    """The exit code of the command that sys.argv names: 0 done, 1 failed, 2 wrong use."""
    try:
        return app(standalone_mode=False) or 0
    except click.ClickException as error:  # wrong use, in click's own words
        error.show()
        return 2
    except click.exceptions.Abort:
        say("Stopped.")
        return 1
    except PromptError as error:  # a family, preset or budget that cannot be: wrong use
        say(str(error))
        return 2
    except Img2PromptError as error:
        say(str(error))
        return 1
