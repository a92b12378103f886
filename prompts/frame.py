"""What stands around the words that were found: the user's prefix, the family's prefix and suffix, and the budget.

Checked before a picture is looked at, so that a long batch does not end in an error that was there from the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import PromptError
from .phrases import key_of
from .syntax import checked, parse
from .tokens import count_tokens

if TYPE_CHECKING:
    from .families import Family
    from .options import RenderOptions


@dataclass(frozen=True, slots=True)
class Frame:
    """The fixed parts of one prompt; `around` puts them around the rest."""

    family: Family
    prefix: str
    """The user's, exactly as written, without outer spaces."""
    budget: int
    """Tokens of the whole prompt."""

    @classmethod
    def of(cls, family: Family, options: RenderOptions) -> Frame:
        """The frame for one family and one user's options. Raises PromptError where they cannot be used."""
        if options.token_budget < 0:
            raise PromptError(f"A token budget of {options.token_budget} cannot be kept; use 0 for the family's own.")
        frame = cls(family, checked(options.prefix.strip(), "prefix"), options.token_budget or family.budget)
        if (needed := frame.count("")) > frame.budget:
            what = (
                f"The prefix and {family.title}'s own words take"
                if family.prefix or family.suffix
                else "The prefix takes"
            )
            raise PromptError(
                f"{what} {needed} tokens of a budget of {frame.budget}; shorten the prefix or raise the token budget."
            )
        return frame

    def around(self, body: str) -> str:
        """The whole prompt with these words, already in ComfyUI's syntax, in the middle."""
        family = self.family
        join = ", " if family.form == "tags" else " "
        return self.after_prefix(join.join(filter(None, [*family.prefix, body, *family.suffix])))

    def after_prefix(self, rest: str) -> str:
        """The user's prefix and what follows it."""
        if not (self.prefix and rest):
            return self.prefix or rest
        # a comma keeps the trigger words apart from what follows; ComfyUI also needs it after `embedding:name`
        return f"{self.prefix} {rest}" if self.prefix[-1] in ",.;:!?" else f"{self.prefix}, {rest}"

    def count(self, body: str) -> int:
        """The tokens of the whole prompt with these words in the middle."""
        return count_tokens(self.around(body), self.family.encoder)

    def keys(self) -> set[str]:
        """What the frame already says, as `key_of` names it: nothing found repeats it."""
        own = [text for text, _ in parse(self.prefix)]
        return {key_of(part) for text in [*own, *self.family.prefix, *self.family.suffix] for part in text.split(",")}
