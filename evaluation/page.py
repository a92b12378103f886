"""An evaluation as one page to look at: a single HTML file without scripts that loads nothing, from nowhere.

The page is `page.html`, a picture in it `card.html`. All foreign text is escaped, and the page's own policy lets the
browser style with nothing but the style that stands in the file.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from string import Template

from ..prompts.errors import PictureError
from .comparison import LETTERS, Comparison
from .lines import NOTHING, notes, number, rows, side_line
from .references import Reference
from .scores import MEASURES, Outcome, reference_tags
from .tag_sets import TagSets

HERE = Path(__file__).parent
SHOWN_PIXELS = 76_800
"""Of a picture: 320 x 240."""
JPEG_QUALITY = 80
SHOWN_EACH = 12
"""Pictures at each end of an order."""
ON_CARDS = ("tag_f1", "tag_precision", "tag_recall", "caption_overlap", "prompt_overlap", "seconds")


def as_html(made: Comparison, source: str) -> str:
    """The whole page. `source`: what the references' file is called."""
    page = _template("page.html")
    drawn = _Cards(made)
    return Template(page).substitute(
        style=_hash_of(page, "style"),
        title=_safe(f"Evaluation of {source}"),
        pictures=f"{len(made.references)} pictures",
        sides="".join(f"<li>{_safe(side_line(made, side))}</li>" for side in range(len(made.runs))),
        tables="\n".join(_table(made, side) for side in (range(1, len(made.runs)) if len(made.runs) > 1 else (0,))),
        notes="".join(f"<li>{_safe(note)}</li>" for note in notes(made)),
        sections="\n".join(_section(title, map(drawn.card, chosen)) for title, chosen in _chosen(made)),
    )


def _chosen(made: Comparison) -> list[tuple[str, list[int]]]:
    """What is shown, under which heading: failures, and both ends of each order."""
    failed = [index for index in range(len(made.references)) if any(run.outcomes[index].failure for run in made.runs)]
    found = [(f"Failed ({len(failed)})", failed[:SHOWN_EACH])]
    headline = made.headline()
    for side in range(1, len(made.runs)) if headline and len(made.runs) > 1 else (0,):
        order = made.order(side)
        assert headline or not order
        what = headline.title if headline else ""
        worst, best = f"Worst by {what}", f"Best by {what}"
        if side:
            worst, best = (f"Where {LETTERS[side]} {verb} most against A, by {what}" for verb in ("loses", "gains"))
        half = min(SHOWN_EACH, (len(order) + 1) // 2)
        found += [(worst, order[:half]), (best, order[half:][::-1][:SHOWN_EACH])]
    if not headline:
        found.append(("Pictures", list(range(len(made.references)))[:SHOWN_EACH]))
    return [(title, chosen) for title, chosen in found if chosen]


def _table(made: Comparison, side: int) -> str:
    """The first side beside another, or, with `side` 0, alone."""
    letter = LETTERS[side]
    heads = ["measure", "A", *([letter, f"{letter} - A [95 %]"] if side else [])]
    lines = []
    for row in rows(made, side):
        cells = [f'<th scope="row">{_safe(row.title)}</th><td>{_safe(row.first)}</td>']
        if side:
            word = f' <b class="{row.verdict}">{_safe(row.verdict)}</b>' if row.verdict else ""
            cells.append(f"<td>{_safe(row.other)}</td><td>{_safe(row.difference)}{word}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th>{_safe(text)}</th>" for text in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _section(title: str, cards: Iterable[str]) -> str:
    return f'<section><h2>{_safe(title)}</h2><div class="cards">{"".join(cards)}</div></section>'


class _Cards:
    """Draws pictures with what each side made of them."""

    def __init__(self, made: Comparison) -> None:
        self._made = made
        self._tag_sets = TagSets([run.side.family for run in made.runs])

    def card(self, index: int) -> str:
        """One picture."""
        reference = self._made.references[index]
        told = [("Caption", reference.caption), ("Prompt", reference.prompt), ("Tags", ", ".join(reference.tags))]
        return Template(_template("card.html")).substitute(
            picture=_picture(reference),
            name=_safe(reference.name),
            known="".join(f"<p><b>{label}</b> {_safe(text)}</p>" for label, text in told if text),
            sides="".join(self._side(side, run.outcomes[index], reference) for side, run in enumerate(self._made.runs)),
        )

    def _side(self, side: int, outcome: Outcome, reference: Reference) -> str:
        """What one side made of it."""
        head = f"<h4>{LETTERS[side]}</h4>"
        if outcome.written is None:
            return (
                f'<div class="side">{head}<p class="failed">{_safe(f"{outcome.failure}: {outcome.message}")}</p></div>'
            )
        scores = " · ".join(
            f"{one.title} {number(outcome.scores[one.name], one)}"
            for one in MEASURES
            if one.name in ON_CARDS and one.name in outcome.scores
        )
        texts = [("Caption", outcome.written.caption), ("Prompt", outcome.written.prompt)]
        told = "".join(f"<p><b>{label}</b> {_safe(text)}</p>" for label, text in texts if text)
        return (
            f'<div class="side">{head}<p class="scores">{_safe(scores)}</p>{self._tags(outcome, reference)}{told}</div>'
        )

    def _tags(self, outcome: Outcome, reference: Reference) -> str:
        """The tags that were right, are missing, and are not in the reference; nothing where tags were not measured."""
        wanted = reference_tags(reference, self._tag_sets)
        if outcome.tags is None or "tag_f1" not in outcome.scores:
            return ""
        groups = {
            "right": outcome.tags & wanted,
            "missed": wanted - outcome.tags,
            "not in the reference": outcome.tags - wanted,
        }
        return "".join(_group(name, sorted(tags)) for name, tags in groups.items())


def _group(name: str, tags: list[str]) -> str:
    """Tags under their heading; the class is its first word."""
    head = f'<p class="{name.partition(" ")[0]}"><b>{name} ({len(tags)})</b>'
    return f"{head} {_safe(', '.join(tags)) or NOTHING}</p>"


def _picture(reference: Reference) -> str:
    """The picture, small; words in its place where it cannot be read."""
    from PIL import Image

    from ..engine.pictures import encode, open_picture

    try:
        encoded = encode(open_picture(reference.image), SHOWN_PIXELS)
    except PictureError as error:
        return f'<p class="failed">{_safe(str(error))}</p>'
    file = io.BytesIO()
    with Image.open(io.BytesIO(encoded.file)) as flat:
        flat.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    size = f'width="{encoded.width}" height="{encoded.height}"'
    return f'<img src="data:image/jpeg;base64,{data}" {size} alt="{_safe(reference.caption or reference.name)}">'


@lru_cache(maxsize=2)
def _template(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash_of(page: str, element: str) -> str:
    """What the page's policy calls its own style by (CSP 3, hash sources)."""
    found = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    assert found, f"page.html has no {element}"
    digest = hashlib.sha256(found[1].encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _safe(text: str) -> str:
    """Text on one line, in an element or an attribute; half characters of broken file names become question marks."""
    return html.escape(" ".join(text.encode("utf-8", "replace").decode().split()))
