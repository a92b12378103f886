"""What is written for a picture: a template, filled with what was found."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..prompts.errors import PromptError

NAMES = ("prompt", "caption", "tags", "name")
"""What a template may name: the family's prompt, the caption in sentences, the tags without quality words, the file's
name without its ending."""
_NAME = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def check_template(template: str) -> frozenset[str]:
    """The names in a template. Raises PromptError for one that cannot be filled."""
    names = set()
    for found in _NAME.finditer(template):
        if found[0] in ("{{", "}}"):
            continue
        if found[1] not in NAMES:
            what = f"names {{{found[1]}}}" if found[1] is not None else f"has a {found[0]} without its other half"
            may = ", ".join(f"{{{name}}}" for name in NAMES)
            raise PromptError(f"The template {what}; it may name {may} ({{{{ and }}}} for braces).")
        names.add(found[1])
    if not names:
        raise PromptError("The template names nothing, so all captions would be the same; try '{prompt}'.")
    return frozenset(names)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with the values of its names; `{{` and `}}` are braces."""
    return _NAME.sub(lambda found: values[found[1]] if found[1] else found[0][0], template)
