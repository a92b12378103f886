"""`img2prompt story IMAGES…`: one story of several pictures, each beat a prompt that can be drawn."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..prompts.errors import Img2PromptError
from ..prompts.options import MOST_BEATS, MOST_PICTURES, RenderOptions
from .asking import who_answered
from .console import put, say, status_console
from .options import (
    DEFAULT_FAMILY,
    EMPHASIS,
    UNKNOWN_TAGS,
    EmphasisOption,
    FamilyOption,
    LeaveOutOption,
    PrefixOption,
    SeedOption,
    TokenBudgetOption,
    UnknownTagsOption,
)

if TYPE_CHECKING:
    from ..engine import Engine
    from ..prompts import Request, Story
    from .story_formats import Told
    from .story_page import Shots


class Format(StrEnum):
    """How a story is written."""

    text = "text"
    json = "json"
    markdown = "markdown"
    html = "html"


BY_SUFFIX = {".json": Format.json, ".md": Format.markdown, ".html": Format.html, ".htm": Format.html}


def story(
    images: Annotated[
        list[Path],
        typer.Argument(
            help="2 to 16 picture files in the story's order; a folder stands for its pictures.", show_default=False
        ),
    ],
    beats: Annotated[int, typer.Option(min=0, max=MOST_BEATS, help="How many beats; 0: one for each picture.")] = 0,
    genre: Annotated[str, typer.Option(help="What kind of story; if not told, the pictures decide.")] = "",
    extra: Annotated[str, typer.Option("--extra", "--instruction", help="What to tell, or to heed.")] = "",
    language: Annotated[
        str, typer.Option(help="Of the story's text, by any name: Deutsch, 中文. Prompts stay English.")
    ] = "English",
    family: FamilyOption = DEFAULT_FAMILY,
    prefix: PrefixOption = "",
    leave_out: LeaveOutOption = "",
    token_budget: TokenBudgetOption = 0,
    seed: SeedOption = 0,
    emphasis: EmphasisOption = EMPHASIS[0],
    unknown_tags: UnknownTagsOption = UNKNOWN_TAGS[0],
    every: Annotated[int, typer.Option(min=1, help="Of all pictures take every n-th: for a video's frames.")] = 1,
    pick: Annotated[
        int, typer.Option(min=0, max=MOST_PICTURES, help="Of all pictures take so many, evenly spread; 0: all.")
    ] = 0,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="text; json: everything; markdown: pictures linked; html: one page to look at, pictures in it. "
            "By default as the name of --output says, else text.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file instead of stdout.", dir_okay=False, writable=True)
    ] = None,
) -> None:
    """Tell one story of several pictures, looked at together. Each beat has a prompt, and who is in it looks the same
    in all of them."""
    from ..engine import shared_engine
    from ..engine.pictures import open_picture
    from ..prompts import check_story, check_story_options, render_story, story_request
    from .story_formats import Told
    from .story_page import Shots
    from .story_pictures import story_files

    options = RenderOptions.from_texts(
        "everything", prefix, leave_out, token_budget, emphasis=emphasis, unknown_tags=unknown_tags
    )
    check_story_options(family, options)
    files = story_files(images, every, pick)
    check_story(len(files), beats)
    written = output_format or BY_SUFFIX.get(output.suffix.lower() if output else "", Format.text)
    _check_output(output, files)
    pictures = [open_picture(file) for file in files]
    request = story_request(pictures, beats=beats, genre=genre, extra=extra, language=language, seed=seed)
    shots = Shots.of(pictures) if written is Format.html else None
    engine = shared_engine()  # no sketch in its place: it can tell nothing
    found = _asked(engine, request)
    board = render_story(found, family, options)
    say(who_answered(engine))
    for note in board.notes:
        say(note)
    folder = output.parent if output else Path()
    _write(
        _document(Told(found, board, family, engine.status().engine, files, language, folder), written, shots), output
    )


def _asked(engine: Engine, request: Request[Story]) -> Story:
    """The story. What the engine tells meanwhile stays to be read: that pictures were scaled to fit, say."""
    with status_console().status(f"{len(request.pictures)} pictures"):
        return engine.ask_many([request], report=say)[0]


def _document(told: Told, written: Format, shots: Shots | None) -> str:
    from . import story_formats
    from .story_page import as_html

    if shots is not None:
        return as_html(told, shots)
    formats = {
        Format.text: story_formats.as_text,
        Format.json: story_formats.as_json,
        Format.markdown: story_formats.as_markdown,
    }
    return formats[written](told)


def _check_output(output: Path | None, files: list[Path]) -> None:
    """Find out before the model is asked whether the file can be written. Raises typer.BadParameter."""
    if output is None:
        return
    why = ""
    if not output.parent.is_dir():
        why = f"there is no folder {output.parent}; make it first."
    elif not os.access(output.parent, os.W_OK):
        why = f"the folder {output.parent} cannot be written to; name another."
    elif output.exists() and any(file.exists() and output.samefile(file) for file in files):
        why = f"{output} is one of the pictures; name another file."
    if why:
        raise typer.BadParameter(why, param_hint="--output")


def _write(document: str, output: Path | None) -> None:
    """To the file or to stdout. Raises Img2PromptError."""
    if output is None:
        put(document)
        return
    try:
        output.write_text(document + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise Img2PromptError(f"{output} cannot be written ({error.strerror}); name another file.") from error
    say(f"Wrote {output}.")
