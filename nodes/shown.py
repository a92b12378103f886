"""What a node shows of its results, as the front end gets it in `ui["shown"]`: a dict for each picture, JSON only.

    title       "prompt", "text", "story", "found prompt" or "saved prompt"
    text        the main text
    more        [what it is, text] of further texts
    style       [aspect, words] of the art-style analysis
    swatches    [name, "#rrggbb"] of the palette in its order, "" where the name is no known colour
    tokens, budget, chunk, family     of the prompt; chunk is 75 where CLIP reads it, else 0
    engine, seconds, cached           who answered, how fast, and whether the model was not asked
    notes       sentences that a person should read

What there is nothing of is left out, but for title and text. It knows no ComfyUI; what a model wrote is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..engine.backend import Status
    from ..prompts import Prompt, Storyboard

Shown = dict[str, Any]
MOST_SHOWN = 100
"""Pictures of one node."""
SKETCH = "sketch"
PALETTE = "Palette"
"""The aspect of an art style whose words are colours."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Who answered one request, and how fast."""

    engine: str
    seconds: float | None
    """From when the model was asked; None where it was not."""
    cached: bool
    """It was answered from the disk, or along with an equal request."""

    def shown(self) -> Shown:
        """What is shown of it."""
        took = {} if self.seconds is None else {"seconds": round(self.seconds, 2)}
        return {"engine": self.engine, **took, "cached": self.cached}


def answered_by(status: Status, seconds: float | None) -> Answered:
    """By the engine that stands so, whose model took so long, or was not asked (None)."""
    if status.engine == SKETCH:
        return Answered("sketch (no model)", None, cached=False)
    return Answered(short_name(status.model) or status.engine, seconds, cached=seconds is None)


def short_name(model: str) -> str:
    """A model's name without its folders or its maker's: the last part of "Qwen/Qwen3-VL-8B-Instruct"."""
    return re.split(r"[/\\]", model.rstrip("/\\"))[-1]


def shown_prompts(
    prompts: Iterable[Prompt], family: str, how: Sequence[Answered] = (), notes: Sequence[str] = ()
) -> list[Shown]:
    """Each picture's prompt; `how` has one for each of them, or is empty where no model is asked."""
    answers = [answer.shown() for answer in how]
    return [
        _shown(
            "prompt",
            prompt.positive,
            more=_texts(negative=prompt.negative, caption=prompt.caption),
            **_style(prompt.style),
            **_meter(family, prompt.tokens, prompt.budget),
            **(answers[index] if answers else {}),
            notes=list(notes),
        )
        for index, prompt in enumerate(prompts)
    ]


def shown_texts(texts: Iterable[str], how: Sequence[Answered]) -> list[Shown]:
    """Each picture's text."""
    return [_shown("text", text, **answer.shown()) for text, answer in zip(texts, how, strict=True)]


def the_first(shown: list[Shown]) -> list[Shown]:
    """Those of a long list that the page gets: nobody turns 2,000 leaves, and ComfyUI's history keeps all that a run
    shows. Where some are left out each says so; `ui["text"]` has the texts of all."""
    if len(shown) <= MOST_SHOWN:
        return shown
    note = f"Shown are the first {MOST_SHOWN:,} of {len(shown):,}; the outputs have all."
    return [{**one, "notes": [note, *one.get("notes", [])]} for one in shown[:MOST_SHOWN]]


def shown_story(board: Storyboard, family: str, how: Answered, notes: Sequence[str]) -> list[Shown]:
    """The one story; its meter is that of its longest prompt."""
    longest = max(board.panels, key=lambda panel: panel.tokens)
    return [
        _shown(
            "story",
            board.text,
            more=[[f"{panel.number}. {panel.title}".strip(), panel.prompt] for panel in board.panels],
            **_style(board.style_bible),
            **_meter(family, longest.tokens, longest.budget),
            **how.shown(),
            notes=list(notes),
        )
    ]


def shown_found(positive: str, more: Iterable[tuple[str, str]], notes: Iterable[str]) -> list[Shown]:
    """What a file said of how it was made; `more` are the other texts, each with what it is, "" left out."""
    return [_shown("found prompt", positive, more=[[what, text] for what, text in more if text], notes=list(notes))]


def shown_saved(parameters: str, notes: Iterable[str]) -> list[Shown]:
    """What was written into the files."""
    return [_shown("saved prompt", parameters, notes=list(notes))]


def _shown(title: str, text: str, **parts: Any) -> Shown:
    return {"title": title, "text": text} | {name: part for name, part in parts.items() if part not in ([], "", None)}


def _texts(**texts: str) -> list[list[str]]:
    return [[what, text] for what, text in texts.items() if text]


def _style(style: str) -> Shown:
    """The rows of an art-style analysis, which has one line for each aspect, and its colours."""
    from ..prompts.swatches import swatch

    rows = [list(line.partition(": ")[::2]) for line in style.splitlines()]
    names = [name for aspect, words in rows if aspect == PALETTE for name in words.split(", ")]
    return {"style": rows, "swatches": [[name, swatch(name)] for name in names]}


def _meter(family: str, tokens: int, budget: int) -> Shown:
    from ..prompts import load_family
    from ..prompts.families import CLIP_CHUNK

    known = load_family(family)
    chunk = CLIP_CHUNK if known.encoder == "clip" else 0
    return {"tokens": tokens, "budget": budget, "chunk": chunk, "family": known.name}
