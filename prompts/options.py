"""What a user chooses about a prompt, besides the picture and the model family. Light: it loads no tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from .errors import PromptError

if TYPE_CHECKING:
    from .families import Family

LookAt = Literal["everything", "subject", "style", "composition"]
"""Which aspects of a picture go into its prompt."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How one prompt is to be rendered."""

    look_at: LookAt = "everything"
    prefix: str = ""
    """The user's own prompt syntax (trigger words, weights, embeddings), put first exactly as written."""
    leave_out: tuple[str, ...] = ()
    """Words and phrases that must not appear, by whole word, in any case; underscores count as spaces."""
    token_budget: int = 0
    """The longest prompt in tokens of the family's encoder, prefix included; 0 = the family's own budget."""

    @classmethod
    def from_texts(cls, look_at: str, prefix: str, leave_out: str, token_budget: int) -> RenderOptions:
        """The options as typed by a user: `leave_out` separated by commas or lines. Raises PromptError."""
        if look_at not in get_args(LookAt):
            raise PromptError(f"Cannot look at {look_at!r}; choose one of {', '.join(get_args(LookAt))}.")
        words = tuple(word.strip() for line in leave_out.splitlines() for word in line.split(",") if word.strip())
        return cls(cast(LookAt, look_at), prefix.strip(), words, token_budget)

    def check(self, family: str | Family) -> None:
        """Find out before any picture is looked at whether these options can be used with that family.

        Raises UnknownFamily, FamilyFileError, or PromptError for a bad prefix or one that is longer than the budget.
        """
        from .families import load_family
        from .frame import Frame

        Frame.of(load_family(family), self)
