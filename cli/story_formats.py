"""A story that was told, as text, JSON or Markdown. The page to look at is made in `story_page.py`."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from .story_pictures import shown

if TYPE_CHECKING:
    from ..prompts import Panel, Region, Story, Storyboard


NAMELESS = "A story"
"""The heading of one that has no logline."""


@dataclass(frozen=True, slots=True)
class Told:
    """A story with all that its formats tell of it."""

    story: Story
    board: Storyboard
    family: str
    engine: str
    files: list[Path]
    """The pictures, as they were named."""
    language: str
    """Of the story's text, by any name."""
    folder: Path
    """Where the document will lie: links are relative to it."""

    def file(self, panel: Panel) -> str:
        """The picture that a panel rests on."""
        return shown(self.files[panel.image - 1])


def as_text(told: Told) -> str:
    """The story to read, then the prompts of its beats, a line each."""
    return "\n\n".join([told.board.text.strip(), *(_lines(told, panel) for panel in told.board.panels)])


def _lines(told: Told, panel: Panel) -> str:
    lines = [f"{panel.number}. {title(panel)} ({told.file(panel)})", f"Prompt: {panel.prompt}"]
    return "\n".join([*lines, f"Negative: {panel.negative}"] if panel.negative else lines)


def as_json(told: Told) -> str:
    """Everything, for machines; the keys are stable."""
    document = {
        "story": told.story.model_dump(mode="json"),
        "family": told.family,
        "engine": told.engine,
        "images": [shown(file) for file in told.files],
        "panels": [_row(told, panel) for panel in told.board.panels],
        "style_bible": told.board.style_bible,
        "cast_sheet": told.board.cast_sheet,
        "notes": list(told.board.notes),
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _row(told: Told, panel: Panel) -> dict[str, object]:
    return {
        "number": panel.number,
        "image": panel.image,
        "file": told.file(panel),
        "title": panel.title,
        "seen": panel.seen,
        "happens": panel.happens,
        "camera": panel.camera,
        "prompt": panel.prompt,
        "negative": panel.negative,
        "tokens": panel.tokens,
        "token_budget": panel.budget,
        "regions": [asdict(region) for region in panel.regions],
    }


def as_markdown(told: Told) -> str:
    """One document, with the pictures where they are."""
    board = told.board
    facts = " · ".join(part for part in (board.genre, f"{len(board.panels)} beats", f"for {told.family}") if part)
    parts = [f"# {plain(board.logline) or NAMELESS}", f"*{plain(facts)}*"]
    for panel in board.panels:
        parts += _section(told, panel)
    parts += ["## How it ends", plain(board.ending)] if board.ending else []
    parts += ["## Cast", _list(board.cast_sheet.splitlines())] if board.cast_sheet else []
    parts += ["## Style", _list(board.style_bible.splitlines())] if board.style_bible else []
    parts += ["## What is in the pictures", "\n".join(_observed(told))]
    parts += ["## What did not fit", _list(board.notes)] if board.notes else []
    return "\n\n".join(filter(None, parts))


def _section(told: Told, panel: Panel) -> Iterator[str]:
    yield f"## {panel.number}\\. {plain(title(panel))}"
    yield f"![{plain(panel.seen)}](<{_link(told.files[panel.image - 1], told.folder)}>)"
    yield plain(panel.happens)
    yield f"*Picture {panel.image}:* {plain(panel.seen)}"
    if panel.camera:
        yield f"*Camera:* {plain(panel.camera)}"
    yield f"**Prompt** ({panel.tokens} of {panel.budget} tokens)"
    yield fenced(panel.prompt)
    if panel.negative:
        yield "**Negative**"
        yield fenced(panel.negative)
    for region in panel.regions:
        yield f"**{plain(who(region))}** ({share(region)})"
        yield fenced(region.prompt)


def _observed(told: Told) -> Iterator[str]:
    for number, (file, seen) in enumerate(zip(told.files, told.board.observations, strict=True), 1):
        yield f"{number}. {plain(shown(file.name))}: {plain(seen)}"


def _list(lines: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    return "\n".join(f"- {plain(line)}" for line in lines if line.strip())


def title(panel: Panel) -> str:
    """A beat's title on one line; its number where it has none."""
    return _one_line(panel.title) or f"Beat {panel.number}"


def who(region: Region) -> str:
    """The character of a region."""
    return ", ".join(filter(None, (region.id, region.name)))


def share(region: Region) -> str:
    """Which part of the picture a region has: "x 0% to 50%, y 0% to 100%"."""
    if (region.width, region.height) == (1, 1):
        return "the whole picture"
    across = f"x {region.x:.0%} to {region.x + region.width:.0%}"
    return f"{across}, y {region.y:.0%} to {region.y + region.height:.0%}"


def plain(text: str) -> str:
    """Text on one line that Markdown, and HTML in it, leaves as it is."""
    escaped = html.escape(re.sub(r"([\\`*_\[\]~$|])", r"\\\1", _one_line(text)), quote=False)
    return re.sub(r"^([0-9]*)([#+=.)-])", r"\1\\\2", escaped)  # what acts at the beginning of a line


def fenced(text: str) -> str:
    """A code block, whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _link(file: Path, folder: Path) -> str:
    """The way from the document to a picture, as a URL: relative, or absolute where they lie on two drives."""
    try:
        return quote(Path(os.path.relpath(file, folder)).as_posix().encode("utf-8", "surrogateescape"))
    except ValueError:
        return file.resolve().as_uri()


def _one_line(text: str) -> str:
    return " ".join(text.split())
