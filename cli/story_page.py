"""A story as one page to look at: a single HTML file that loads nothing, from nowhere.

The page is `story_page.html`, a beat in it `story_card.html`. All text is escaped, and the page's own policy lets the
browser run and style with nothing but the script and the style that stand in these files.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Self

from .story_formats import NAMELESS, Told, share, title, who
from .story_pictures import shown

if TYPE_CHECKING:
    from PIL import Image

    from ..prompts import Panel

HERE = Path(__file__).parent
SHOWN_PIXELS = 480_000
"""Of a beat's picture: 800 x 600, enough for a card on a sharp screen."""
SMALL_PIXELS = 24_000
JPEG_QUALITY = 82
LANGUAGES = {
    "ar": "arabic العربية",
    "cs": "czech čeština",
    "da": "danish dansk",
    "de": "german deutsch",
    "el": "greek ελληνικά",
    "en": "english",
    "es": "spanish español castellano",
    "fa": "persian farsi فارسی",
    "fi": "finnish suomi",
    "fr": "french français",
    "he": "hebrew עברית",
    "hi": "hindi हिन्दी",
    "hu": "hungarian magyar",
    "id": "indonesian",
    "it": "italian italiano",
    "ja": "japanese 日本語",
    "ko": "korean 한국어",
    "nl": "dutch nederlands",
    "no": "norwegian norsk",
    "pl": "polish polski",
    "pt": "portuguese português",
    "ro": "romanian română",
    "ru": "russian русский",
    "sv": "swedish svenska",
    "th": "thai ไทย",
    "tr": "turkish türkçe",
    "uk": "ukrainian українська",
    "vi": "vietnamese",
    "zh": "chinese mandarin 中文 汉语 普通话 简体中文 繁體中文",
}
"""BCP 47's codes by what languages are called, in English and by themselves."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture for the page: upright, on white, scaled down."""

    url: str
    """A `data:` URL."""
    width: int
    height: int

    @classmethod
    def of(cls, picture: Image.Image, pixels: int) -> Self:
        """Raises PictureError."""
        from PIL import Image

        from ..engine.pictures import encode

        encoded = encode(picture, pixels)
        file = io.BytesIO()
        with Image.open(io.BytesIO(encoded.file)) as flat:
            flat.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
        url = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
        return cls(url, encoded.width, encoded.height)


@dataclass(frozen=True, slots=True)
class Shots:
    """All pictures of a story, for the page."""

    large: tuple[Shot, ...]
    small: tuple[Shot, ...]

    @classmethod
    def of(cls, pictures: Iterable[Image.Image]) -> Self:
        """Raises PictureError."""
        made = [(Shot.of(picture, SHOWN_PIXELS), Shot.of(picture, SMALL_PIXELS)) for picture in pictures]
        return cls(tuple(large for large, _ in made), tuple(small for _, small in made))


def as_html(told: Told, shots: Shots) -> str:
    """The whole page."""
    page, board = (HERE / "story_page.html").read_text(encoding="utf-8"), told.board
    facts = (board.genre, f"{len(board.panels)} beats", f"{len(told.files)} pictures", f"prompts for {told.family}")
    return Template(page).substitute(
        {kind: _hash_of(page, kind) for kind in ("style", "script")},
        title=_safe(board.logline) or NAMELESS,
        logline=_told(board.logline, told.language) or NAMELESS,
        facts="".join(f"<li>{_safe(fact)}</li>" for fact in facts if fact),
        notes=_part("What did not fit", _items(board.notes), "notes"),
        cards="\n".join(_card(told, panel, shots.large[panel.image - 1]) for panel in board.panels),
        ending=_part("How it ends", board.ending and f"<p>{_told(board.ending, told.language)}</p>", "ending"),
        cast=_part("Cast", _items(board.cast_sheet.splitlines())),
        look=_part("Style", _items(board.style_bible.splitlines())),
        pictures="\n".join(
            f'<li><img src="{shot.url}" width="{shot.width}" height="{shot.height}" alt="">'
            f"<p><b>{number}.</b> {_safe(seen)}<br><small>{_safe(shown(file.name))}</small></p></li>"
            for number, (shot, seen, file) in enumerate(
                zip(shots.small, board.observations, told.files, strict=True), 1
            )
        ),
    )


def _card(told: Told, panel: Panel, shot: Shot) -> str:
    """One beat."""
    card = Template((HERE / "story_card.html").read_text(encoding="utf-8"))
    number = panel.number
    return card.substitute(
        number=str(number),
        url=shot.url,
        width=str(shot.width),
        height=str(shot.height),
        title=_told(title(panel), told.language),
        happens=_told(panel.happens, told.language),
        image=str(panel.image),
        file=_safe(shown(told.files[panel.image - 1].name)),
        seen=_safe(panel.seen),
        camera=f'<p class="camera"><b>Camera</b> {_safe(panel.camera)}</p>' if panel.camera else "",
        prompt=_copied("Prompt", panel.prompt, f"prompt {number}", f"{panel.tokens} of {panel.budget} tokens"),
        negative=_copied("Negative", panel.negative, f"negative {number}"),
        regions=_regions(panel),
    )


def _copied(label: str, text: str, name: str, note: str = "") -> str:
    """A text with a button that copies it; nothing for no text."""
    if not text:
        return ""
    key = name.replace(" ", "-")
    return (
        f'<div class="copied"><div class="label"><b>{_safe(label)}</b> <small>{_safe(note)}</small>'
        f'<button type="button" hidden data-copy="{key}" data-name="{_safe(name[0].upper() + name[1:])}"'
        f' aria-label="Copy {_safe(name)}">Copy</button></div>'
        f'<pre id="{key}" lang="en">{_exact(text)}</pre></div>'
    )


def _regions(panel: Panel) -> str:
    """Each character by itself, folded away."""
    if not panel.regions:
        return ""
    parts = "".join(
        _copied(who(one), one.prompt, f"region {panel.number} {one.id}", share(one)) for one in panel.regions
    )
    return f"<details><summary>Each character by itself ({len(panel.regions)})</summary>{parts}</details>"


def _part(heading: str, content: str, name: str = "part") -> str:
    """A section of the page; nothing for no content."""
    return f'<section class="{name}"><h2>{heading}</h2>{content}</section>' if content else ""


def _items(lines: Iterable[str]) -> str:
    """Lines as a list; what stands before a line's colon is its name."""
    items = []
    for line in lines:
        name, colon, rest = line.strip().partition(": ")
        items += (
            [f"<li><b>{_safe(name)}</b> {_safe(rest)}</li>" if colon else f"<li>{_safe(name)}</li>"] if name else []
        )
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _told(text: str, language: str) -> str:
    """The story's own text, marked with its language; "" for none."""
    return f'<span lang="{code_of(language)}" dir="auto">{_safe(text)}</span>' if text.strip() else ""


def code_of(language: str) -> str:
    """A language's code by its name or by itself; "" for one that is not known, which HTML takes for just that."""
    name = language.strip().casefold()
    if re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", name) and name.partition("-")[0] in LANGUAGES:
        return name
    return next((code for code, names in LANGUAGES.items() if name in names.split()), "")


def _hash_of(page: str, element: str) -> str:
    """What the page's policy calls its own style or script by (CSP 3, hash sources)."""
    found = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    assert found, f"story_page.html has no {element}"
    # what Template makes of it: "$$" is one dollar sign
    digest = hashlib.sha256(found[1].replace("$$", "$").encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _exact(text: str) -> str:
    """Text that a `pre` holds to the letter: HTML drops a newline at its beginning, and makes one of CR."""
    return "\n" + html.escape(text).replace("\r", "&#13;")


def _safe(text: str) -> str:
    """Text on one line, in an element or an attribute."""
    return html.escape(" ".join(text.split()))
