"""The model families that a prompt can be written for: one TOML file each, strictly checked.

Adding a family is adding `families/<name>.toml` here, or in the user's own folder (`catalogue.user_folder`). Knows what
a family wants, not how to write it: that is in `tags.py` and `prose.py`.
"""

from __future__ import annotations

import difflib
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .analysis import Medium, Rating
from .catalogue import family_file, family_names
from .errors import FamilyFileError, PromptError, UnknownFamily
from .syntax import checked

Slot = Literal[
    "rating", "source", "count", "subject", "character", "series", "appearance", "clothing", "action", "setting",
    "shot", "composition", "light", "color", "medium", "style", "mood", "text", "general",
]  # fmt: skip
"""One kind of thing to say about a picture; a family's `order` names those it says, first to last."""
Encoder = Literal["clip", "t5", "qwen", "mistral"]
Claim = Literal[
    "form", "vocabulary", "details", "budget", "order", "prefix", "suffix", "rating", "source", "negative", "weights",
]  # fmt: skip
"""What a family's file claims and `sources` gives the origin of."""
Words = Annotated[str, Field(min_length=1)]
CLIP_CHUNK = 75
"""Tokens that CLIP reads at once, without its begin and end marks; ComfyUI reads longer prompts chunk by chunk."""


class Family(BaseModel):
    """What one model family wants of a prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    """What users type; the same as the file's name."""
    title: Words
    form: Literal["tags", "prose"]
    """tags: short phrases separated by commas. prose: sentences."""
    vocabulary: Literal["plain", "danbooru"] = "plain"
    """danbooru: tags are Danbooru's own ("1girl", "cowboy shot"), aliases are resolved, implied tags are left out."""
    details: Literal["sentences", "phrases"] = "sentences"
    """Prose only: how what the caption does not say is added: in sentences, or as phrases with a period after each."""
    encoder: Encoder
    """The text encoder whose tokens are counted."""
    budget: Annotated[int, Field(ge=16)]
    """Tokens of a prompt, without the encoder's own begin and end marks."""
    order: Annotated[list[Slot], Field(min_length=1)]
    prefix: list[Words] = []
    """Put before everything found, in the family's own syntax."""
    suffix: list[Words] = []
    rating: dict[Rating, Words] = {}
    """The family's word for each rating; empty = it has none."""
    source: dict[Medium, Words] = {}
    """The family's word for the kind of art that a medium is; media without one are not told."""
    negative: list[Words] = []
    """The negative prompt, to which visible flaws are added; empty = the family takes none."""
    negative_without_animals: list[Words] = []
    """Added to the negative prompt, unless an animal or a creature is in the picture."""
    weights_allowed: bool
    """Whether its encoder may be given `(words:1.2)`."""
    notes: str = ""
    sources: dict[Claim, Annotated[list[Words], Field(min_length=1)]] = {}
    """Where each fact comes from: addresses, or "community practice" where the maker says nothing."""

    @property
    def chunk(self) -> int:
        """Tokens that the encoder reads at once."""
        return CLIP_CHUNK if self.encoder == "clip" else self.budget

    @model_validator(mode="after")
    def _agrees(self) -> Family:
        if len(set(self.order)) != len(self.order):
            raise ValueError("order: names a slot twice")
        for slot, table in (("rating", self.rating), ("source", self.source)):
            if (slot in self.order) != bool(table):
                raise ValueError(f"order: must name the slot {slot!r} if, and only if, there is a [{slot}] table")
        for words in (*self.prefix, *self.suffix, *self.rating.values(), *self.source.values(), *self.negative):
            try:
                checked(words, f"text {words!r}")
            except PromptError as error:
                raise ValueError(str(error)) from error
        if self.weights_allowed and self.encoder != "clip":
            raise ValueError("weights_allowed: only CLIP follows weights; T5 and language models are led astray")
        return self


def load_family(family: str | Path | Family) -> Family:
    """A family by its name, or from a TOML file of the user's own; a Family is returned as it is.

    Raises UnknownFamily for a name that is none, FamilyFileError for a file that is missing or broken.
    """
    if isinstance(family, Family):
        return family
    if isinstance(family, Path):
        return _read(family)
    path = family_file(family)
    if path is None:
        close = difflib.get_close_matches(family, family_names(), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UnknownFamily(f"There is no model family {family!r}; {hint}known are {', '.join(family_names())}.")
    return _unchanged(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _unchanged(path: Path, _modified_ns: int) -> Family:
    """The family in a file, read again only when the file was written to."""
    return _read(path)


def _read(path: Path) -> Family:
    """The family in one file."""
    try:
        family = Family.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise FamilyFileError(f"The family file {path} cannot be read ({error.strerror}); check the path.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise FamilyFileError(f"In the family file {path}, {field} is wrong ({first['msg']}); correct it.") from error
    except (ValueError, RecursionError) as error:  # tomllib.TOMLDecodeError and UnicodeDecodeError are such
        raise FamilyFileError(f"The family file {path} is not valid TOML ({error}); correct it.") from error
    if family.name != path.stem:
        raise FamilyFileError(
            f"In the family file {path}, name is {family.name!r}; name the file and the family alike."
        )
    return family
