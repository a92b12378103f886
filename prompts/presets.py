"""The texts that the model is told: one Markdown file per preset, filled strictly.

A preset may hold `$name` placeholders (`$$` is a dollar sign). The package's own presets are in `presets/`; those that
a user chooses from, to have a text written about a picture, in `presets/text/` and in the user's own folder
(`catalogue.user_folder`). Knows no model and no answer. Light, so that ComfyUI can list the names at its start.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from .catalogue import HERE, file_of, names_in, user_folder
from .errors import PresetError

PRESETS = HERE / "presets"
TEXT_PRESETS = PRESETS / "text"
DEFAULT_TEXT_PRESET = "detailed-caption"
DEFAULT_LANGUAGE = "English"
TEXT_PLACEHOLDERS = frozenset({"language", "extra"})
"""What a text preset may leave open; what it does not, is said after it (`texts.text_instruction`)."""
MAX_CHARACTERS = 20_000
"""The longest text preset: about 5,000 tokens of English, beyond which it is likelier to be some other file."""
MOST_BYTES_A_CHARACTER = 4


@dataclass(frozen=True, slots=True)
class Preset:
    """One text for the model."""

    name: str
    text: str
    """As in the file, with its placeholders."""
    file: Path | None = None
    """Where it was read from, for messages: a user mends the file, not the name."""

    def placeholders(self) -> Set[str]:
        """The names of its placeholders. Raises PresetError for a `$` that begins none."""
        template = Template(self.text)
        if not template.is_valid():
            raise PresetError(f"{self._called()} has a '$' that begins no placeholder; write '$$' for a dollar.")
        return frozenset(template.get_identifiers())

    def fill(self, **values: str) -> str:
        """The text with every placeholder replaced; a `$` inside a value stays as it is.

        Raises PresetError when a placeholder has no value or a value no placeholder.
        """
        wanted = self.placeholders()
        if missing := sorted(wanted - values.keys()):
            raise PresetError(f"{self._called()} was given no {', '.join(missing)}; pass it to fill().")
        if unknown := sorted(values.keys() - wanted):
            raise PresetError(f"{self._called()} has no placeholder {', '.join(unknown)}; do not pass it.")
        return Template(self.text).substitute(values)

    def check(self, may: Set[str]) -> None:
        """Raises PresetError for a text that is empty, too long, or has other placeholders than it may."""
        if not self.text:
            raise PresetError(f"{self._called()} is empty; write into it what the model should write.")
        if len(self.text) > MAX_CHARACTERS:
            raise PresetError(
                f"{self._called()} has {len(self.text):,} characters; shorten it to {MAX_CHARACTERS:,} or fewer."
            )
        if unknown := sorted(self.placeholders() - may):
            known = ", ".join(f"${name}" for name in sorted(may))
            raise PresetError(
                f"{self._called()} has the placeholder ${unknown[0]}, which nothing fills; "
                f"use {known}, or write '$$' for a dollar."
            )

    def _called(self) -> str:
        """How messages begin."""
        return f"The preset {self.file}" if self.file else f"The preset {self.name!r}"


@cache
def preset_names() -> tuple[str, ...]:
    """The names of the package's own presets, sorted."""
    return names_in(PRESETS, ending=".md")


@cache
def load_preset(name: str) -> Preset:
    """One of the package's own presets by its name. Raises PresetError for a name that is none."""
    if name not in preset_names():
        raise PresetError(f"There is no preset {name!r}; known are {', '.join(preset_names())}.")
    return Preset(name, (PRESETS / f"{name}.md").read_text(encoding="utf-8").strip())


def text_preset_names() -> tuple[str, ...]:
    """The names of all text presets, sorted: the package's and the user's, as the folders are now.

    A user's file is listed even if it is broken: using it tells what is wrong.
    """
    return names_in(TEXT_PRESETS, _users_presets(), ending=".md")


def text_preset_version(name: str | None) -> str:
    """What changes when the user edits that text preset, or, where the name is not known yet, any of them."""
    files = [_text_preset_file(known) for known in (text_preset_names() if name is None else [name])]
    return "; ".join(f"{file} {file.stat().st_mtime_ns}" for file in files if file)


def load_text_preset(name: str) -> Preset:
    """A text preset by its name, read anew; the user's own goes before one of the package.

    Raises PresetError, which names the file, for one that cannot be used, and for a name that is none.
    """
    file = _text_preset_file(name)
    if file is None:
        raise PresetError(f"There is no text preset {name!r}; known are {', '.join(text_preset_names())}.")
    preset = Preset(name, _read(file), file)
    preset.check(TEXT_PLACEHOLDERS)
    return preset


def _users_presets() -> Path:
    return user_folder() / "presets"


def _text_preset_file(name: str) -> Path | None:
    return file_of(name, _users_presets(), TEXT_PRESETS, ending=".md")


def _read(file: Path) -> str:
    """The text in a file, no more of it than shows that it is too long. Raises PresetError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_CHARACTERS * MOST_BYTES_A_CHARACTER + 1)
    except OSError as error:
        raise PresetError(f"The preset {file} cannot be read ({error.strerror}); correct its permissions.") from error
    if len(content) > MAX_CHARACTERS * MOST_BYTES_A_CHARACTER:
        raise PresetError(f"The preset {file} is too long; shorten it to {MAX_CHARACTERS:,} characters or fewer.")
    try:
        text = content.decode("utf-8-sig")  # editors on Windows put a mark at the start
    except UnicodeDecodeError as error:
        raise PresetError(f"The preset {file} is not UTF-8 text; save it as UTF-8.") from error
    return "\n".join(text.splitlines()).strip()
