"""The texts that the model is told: one Markdown file per preset, filled strictly.

A preset may hold `$name` placeholders (`$$` is a dollar sign). Knows no model and no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from .errors import PresetError

PRESETS = Path(__file__).with_name("presets")


@dataclass(frozen=True, slots=True)
class Preset:
    """One text for the model."""

    name: str
    text: str
    """As in the file, with its placeholders."""

    def fill(self, **values: str) -> str:
        """The text with every placeholder replaced; a `$` inside a value stays as it is.

        Raises PresetError when a placeholder has no value or a value no placeholder.
        """
        template = Template(self.text)
        if not template.is_valid():
            raise PresetError(
                f"The preset {self.name!r} has a '$' that begins no placeholder; write '$$' for a dollar."
            )
        wanted = set(template.get_identifiers())
        if missing := sorted(wanted - values.keys()):
            raise PresetError(f"The preset {self.name!r} was given no {', '.join(missing)}; pass it to fill().")
        if unknown := sorted(values.keys() - wanted):
            raise PresetError(f"The preset {self.name!r} has no placeholder {', '.join(unknown)}; do not pass it.")
        return template.substitute(values)


@cache
def preset_names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.md")))


@cache
def load_preset(name: str) -> Preset:
    """A preset by its name. Raises PresetError for a name that is none."""
    if name not in preset_names():
        raise PresetError(f"There is no preset {name!r}; known are {', '.join(preset_names())}.")
    return Preset(name, (PRESETS / f"{name}.md").read_text(encoding="utf-8").strip())
