"""count_tokens() on texts that ComfyUI's own tokenizers counted; tests/comfyui compares the two on many more."""

from __future__ import annotations

from typing import cast

import pytest
from img2prompt.prompts import PromptError, count_tokens
from img2prompt.prompts.families import Encoder


@pytest.mark.parametrize(
    ("text", "clip", "t5"),
    [
        ("", 0, 0),
        ("cat", 1, 1),
        ("a photo of a cat", 5, 7),
        ("long hair", 2, 2),
        ("long_hair", 3, 3),
        ("score_9, score_8_up, score_7_up, score_6_up, score_5_up, score_4_up", 33, 33),
        ("masterpiece, high score, great score, absurdres", 10, 11),
        ("(a cat:1.2), sleeping", 4, 6),
        (r"smile \(happy\)", 4, 5),
        ("日本", 3, 2),
    ],
)
def test_counts_what_the_encoder_sees(text: str, clip: int, t5: int) -> None:
    assert (count_tokens(text, "clip"), count_tokens(text, "t5")) == (clip, t5)


def test_an_unknown_encoder_is_an_error() -> None:
    with pytest.raises(PromptError, match="clip and t5"):
        count_tokens("a cat", cast(Encoder, "bert"))
