"""What may be said: the user's words to leave out, and no adult wording where a child is in the picture."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .minors import ADULT, adult_words
from .syntax import clean

_GAP = r"[\s_-]+"


@dataclass(frozen=True, slots=True)
class Keep:
    """Tells which phrases and clauses may stay."""

    left_out: re.Pattern[str] | None
    minor: bool
    """Whether a child or teenager is in the picture."""

    @classmethod
    def of(cls, leave_out: tuple[str, ...], minor: bool) -> Keep:
        """The rule for these words: matched as whole words in any case; spaces, hyphens and underscores are alike."""
        patterns = [_GAP.join(map(re.escape, re.split(_GAP, word))) for word in map(_bare, leave_out) if word]
        left_out = re.compile(rf"(?<![^\W_])(?:{'|'.join(patterns)})(?![^\W_])", re.IGNORECASE) if patterns else None
        return cls(left_out, minor)

    def allows(self, text: str) -> bool:
        """Whether a phrase or clause may stay as it is."""
        return not ((self.left_out and self.left_out.search(text)) or (self.minor and adult_words(text)))

    def without(self, text: str) -> str:
        """The text less the words that may not stay, for where leaving out whole clauses leaves nothing."""
        if self.left_out:
            text = self.left_out.sub(" ", text)
        if self.minor:
            text = ADULT.sub(" ", text)
        text = " ".join(text.split())
        return text if self.allows(text) else ""


def _bare(word: str) -> str:
    """A word to leave out, without what surrounds it."""
    return clean(word).strip(" ,._-")
