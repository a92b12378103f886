"""The faces that are Danbooru tags: their signs are no words, and nothing of them acts in a prompt once escaped."""

from __future__ import annotations

KAOMOJI = frozenset(
    (
        *("0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3"),
        *("6_9", ">_o", "@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||"),
    )
)
"""The tags whose underscores are a face's, as in https://github.com/jhc13/taggui (`KAOMOJIS`)."""
EMOTICONS = frozenset((":d", ":o", ":p", ":q", ":t", ":<", ":>", ":3", ":/", ":|", ";d", ";)", ":)", ";p", ";o", "=3"))
FACES = KAOMOJI | EMOTICONS


def is_face(text: str) -> bool:
    """Whether a field of free text is one of the faces, in any case."""
    return text.strip().lower() in FACES
