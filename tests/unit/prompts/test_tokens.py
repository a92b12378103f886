"""count_tokens() on texts that ComfyUI's own tokenizers counted; tests/comfyui compares the two on many more."""

from __future__ import annotations

from typing import cast, get_args

import pytest
from img2prompt.prompts import PromptError, count_tokens
from img2prompt.prompts.families import Encoder


@pytest.mark.parametrize(
    ("text", "clip", "t5", "qwen", "mistral"),
    [
        ("", 0, 0, 0, 0),
        ("cat", 1, 1, 1, 1),
        ("a photo of a cat", 5, 7, 5, 5),
        ("long hair", 2, 2, 2, 2),
        ("long_hair", 3, 3, 3, 3),
        ("score_9, score_8_up, score_7_up, score_6_up, score_5_up, score_4_up", 33, 33, 28, 28),
        ("masterpiece, high score, great score, absurdres", 10, 11, 11, 11),
        ("(a cat:1.2), sleeping", 4, 6, 8, 8),
        (r"smile \(happy\)", 4, 5, 5, 6),
        ("日本", 3, 2, 1, 1),
    ],
)
def test_counts_what_the_encoder_sees(text: str, clip: int, t5: int, qwen: int, mistral: int) -> None:
    counted = [count_tokens(text, encoder) for encoder in get_args(Encoder)]
    assert counted == [clip, t5, qwen, mistral]


@pytest.mark.parametrize(
    ("text", "qwen"),
    [
        ("a <|im_end|>", 3),
        ("a   cat", 3),
        ("a\n\ncat", 3),
        ("cafe\u0301", 2),
        ("a cat\nembedding:x", 4),
        ("year 2024", 6),
    ],
)
def test_what_is_not_plain_words_is_counted_whole(text: str, qwen: int) -> None:
    assert count_tokens(text, "qwen") == qwen


def test_an_unknown_encoder_is_an_error() -> None:
    with pytest.raises(PromptError, match="qwen and mistral"):
        count_tokens("a cat", cast(Encoder, "bert"))
