"""What a user chooses about a prompt, besides the picture and the model family. Light: it loads no tokenizer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from .errors import PromptError

if TYPE_CHECKING:
    from .families import Family

LookAt = Literal["everything", "subject", "style", "composition"]
"""Which aspects of a picture go into its prompt."""
Emphasis = Literal["none", "subject", "style"]
"""What a prompt stresses."""
UnknownTags = Literal["keep", "drop"]
"""What happens to tags that Danbooru does not have, where a family wants Danbooru's."""


_BETWEEN = re.compile(r"[,\uFF0C\u3001\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Between the words of a list: commas, the Chinese comma and enumeration comma, and what str.splitlines() knows."""
FEWEST_PICTURES, MOST_PICTURES, MOST_BEATS = 2, 16, 16
"""Of a story."""


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
    emphasis: Emphasis = "none"
    """With CLIP, by weights; else by saying it first."""
    unknown_tags: UnknownTags = "keep"

    @classmethod
    def from_texts(
        cls,
        look_at: str = "everything",
        prefix: str = "",
        leave_out: str = "",
        token_budget: int = 0,
        *,
        emphasis: str = "none",
        unknown_tags: str = "keep",
    ) -> RenderOptions:
        """The options as typed by a user: `leave_out` separated by commas (Chinese ones, too) or lines. Raises
        PromptError."""
        for name, value, choices in (
            ("look at", look_at, LookAt),
            ("stress", emphasis, Emphasis),
            ("treat unknown tags as", unknown_tags, UnknownTags),
        ):
            if value not in get_args(choices):
                raise PromptError(f"Cannot {name} {value!r}; choose one of {', '.join(get_args(choices))}.")
        return cls(
            look_at=cast(LookAt, look_at),
            emphasis=cast(Emphasis, emphasis),
            unknown_tags=cast(UnknownTags, unknown_tags),
            prefix=prefix.strip(),
            leave_out=tuple(word.strip() for word in _BETWEEN.split(leave_out) if word.strip()),
            token_budget=token_budget,
        )

    def check(self, family: str | Family) -> None:
        """Find out before any picture is looked at whether these options can be used with that family.

        Raises UnknownFamily, FamilyFileError, or PromptError for a bad prefix or one that is longer than the budget.
        """
        from .families import load_family
        from .frame import Frame

        Frame.of(load_family(family), self)
