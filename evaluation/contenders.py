"""What is compared: one way to ask an engine and to write what it saw. The first is the settings' own; others differ
from it in what `KEY=VALUE` says.

It reads settings and opens no connection.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr, TypeAdapter, ValidationError

from ..engine.address import normalized
from ..engine.errors import SettingsError
from ..engine.settings import Settings
from ..prompts.errors import PromptError
from ..prompts.families import Family, load_family
from ..prompts.options import LookAt, RenderOptions
from .errors import BadComparison

if TYPE_CHECKING:
    from ..prompts.request import Request

OWN = "own settings"
SETTINGS_KEYS = ("endpoint", "engine", "model", "precision", "temperature", "max_pixels", "max_in_flight")
"""Keys that change the engine's settings; the others are the fields of `Asking`."""
OF_A_MODEL = frozenset({"model", "precision", "temperature", "max_pixels"})
SAVED_KEYS = ("saved", "side")
"""Keys of a side that was measured before: `saved.py`."""
NAMED_ALSO = {"look-at": "look_at", "unknown-tags": "unknown_tags", "token-budget": "token_budget"}


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked about each picture, and how the answer is written."""

    family: str
    preset: str = ""
    """A text preset: a text is asked for instead of an analysis, and counts as the caption. "" = an analysis."""
    look_at: str = "everything"
    unknown_tags: str = "keep"
    closed_vocabulary: bool = False
    token_budget: int = 0
    seed: int = 0

    @property
    def options(self) -> RenderOptions:
        """Raises PromptError."""
        return RenderOptions.from_texts(self.look_at, token_budget=self.token_budget, unknown_tags=self.unknown_tags)

    def check(self) -> None:
        """Find out before anything is asked whether it can be. Raises PromptError."""
        self.options.check(self.family)
        if self.preset:
            from ..prompts.presets import load_text_preset

            load_text_preset(self.preset)

    def requests(self, image: Path) -> Iterator[Request[Any]]:
        """The one request about a picture file, which is opened when it is taken. Raises PictureError."""
        from ..engine.pictures import open_picture
        from ..prompts import analysis_request, text_request

        picture = open_picture(image)
        if self.preset:
            yield text_request(picture, preset=self.preset, seed=self.seed)
            return
        closed = self.closed_vocabulary and load_family(self.family).vocabulary == "danbooru"
        look_at = cast(LookAt, self.look_at)
        yield analysis_request(picture, look_at=look_at, seed=self.seed, closed_vocabulary=closed)


@dataclass(frozen=True, slots=True)
class Side:
    """What a result tells of how a side was asked: nothing that is secret."""

    label: str
    asking: Asking
    temperature: float | None = None
    max_pixels: int = 0
    precision: str = "auto"
    max_in_flight: int = 0

    @property
    def family(self) -> Family:
        """Raises PromptError where this machine has no such family."""
        return load_family(self.asking.family)


@dataclass(frozen=True, slots=True)
class Contender:
    """One side of a comparison that is asked."""

    label: str
    settings: Settings
    asking: Asking

    @property
    def side(self) -> Side:
        told = {name: getattr(self.settings, name) for name in ("temperature", "max_pixels", "precision")}
        return Side(self.label, self.asking, **told, max_in_flight=self.settings.max_in_flight)

    @property
    def family(self) -> Family:
        return load_family(self.asking.family)

    def but(self, text: str) -> Contender:
        """This one but for `KEY=VALUE KEY=VALUE …`, quoted as in a shell. Raises BadComparison or PromptError."""
        wanted = pairs(text)
        if alien := wanted.keys() & set(SAVED_KEYS):
            raise BadComparison(
                f"{sorted(alien)[0]} is of a saved result, which nothing else changes; leave out the rest."
            )
        asked = {key: value for key, value in wanted.items() if key not in SETTINGS_KEYS}
        engine = {key: value for key, value in wanted.items() if key in SETTINGS_KEYS}
        other = Contender(text.strip(), _settings(self.settings, engine), _asking(self.asking, asked))
        if other.settings.engine == "sketch" and (useless := OF_A_MODEL & engine.keys()):
            raise BadComparison(
                f"{text.strip()}: the sketch engine has no model, so {sorted(useless)[0]} changes nothing; leave it "
                "out, or name an endpoint or engine=managed."
            )
        try:
            other.asking.check()
        except PromptError as error:
            raise BadComparison(f"{text.strip()}: {error}") from error
        return other


def pairs(text: str) -> dict[str, str]:
    """`KEY=VALUE KEY=VALUE …`, quoted as in a shell, but that a backslash stands for itself, as in Windows' paths.
    Raises BadComparison."""
    try:
        words = _words(text)
    except ValueError as error:
        raise BadComparison(f"That is not KEY=VALUE ({error}); close the quotation mark.") from error
    known = (*SETTINGS_KEYS, *(field.name for field in fields(Asking)), *SAVED_KEYS)
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = NAMED_ALSO.get(key, key)
        if not equals:
            raise BadComparison(f"{word} is not KEY=VALUE; write model=NAME, say. Keys are {', '.join(known)}.")
        if key not in known:
            raise BadComparison(f"There is nothing to compare by the key {key!r}; keys are {', '.join(known)}.")
        if key in found:
            raise BadComparison(f"{key} is there twice; say it once.")
        found[key] = value
    if not found:
        raise BadComparison(f"There is nothing to compare with; write KEY=VALUE. Keys are {', '.join(known)}.")
    return found


def _words(text: str) -> list[str]:
    reader = shlex.shlex(text, posix=True)
    reader.whitespace_split = True
    reader.commenters = reader.escape = ""
    return list(reader)


def _settings(settings: Settings, wanted: dict[str, str]) -> Settings:
    """The settings with these in place of their own; another endpoint than theirs gets neither their key nor model."""
    if not wanted:
        return settings
    changes: dict[str, Any] = dict(wanted)
    if "endpoint" in wanted:
        changes = _for_endpoint(wanted["endpoint"], settings) | changes
    try:
        return Settings(**{**settings.model_dump(exclude_unset=True), **changes})
    except ValidationError as error:
        raise _wrong(error, wanted) from error


def _for_endpoint(endpoint: str, settings: Settings) -> dict[str, Any]:
    """What else changes where this endpoint, and no other, is to be asked."""
    try:
        if {"?", "#"} & set(endpoint):  # nobody is sent what follows, and results would repeat it
            raise SettingsError("A base URL has no query.")
        url = normalized(endpoint)
    except SettingsError:  # without repeating it: it may hold a password
        raise BadComparison(
            "The endpoint to compare with must be a base URL such as http://127.0.0.1:8000/v1, without a user name, "
            "password or query; correct it."
        ) from None
    own = {normalized(one) for one in (settings.endpoint, *settings.endpoints) if one}
    stranger = {} if url in own else {"model": "", "api_key": SecretStr("")}
    return {"engine": "endpoint", "endpoints": (), **stranger}


def _asking(asking: Asking, wanted: dict[str, str]) -> Asking:
    try:
        return TypeAdapter(Asking).validate_python(asdict(asking) | wanted)
    except ValidationError as error:
        raise _wrong(error, wanted) from error


def _wrong(error: ValidationError, wanted: dict[str, str]) -> BadComparison:
    first = error.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    return BadComparison(f"{key}={wanted.get(key, '')} cannot be used ({first['msg']}); correct it.")
