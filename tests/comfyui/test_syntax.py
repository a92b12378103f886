"""What we write is what ComfyUI reads: its own token_weights and its own tokenizers, on whatever text there may be."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.prompts import ImageAnalysis, PromptError, clean, count_tokens, escape, family_names, parse, render
from img2prompt.prompts.families import Encoder
from img2prompt.tests.unit.prompts.strategies import ACTIVE, WORDS, analyses, any_code_points, any_text

Read = Callable[[str], list[tuple[str, float]]]
Count = Callable[[str], int]

COMPARED = 1000
"""Random strings on which each tokenizer is compared."""
ALPHABET = [
    *ACTIVE,
    *WORDS,
    *"abcXYZ 019-.,:!?'&%$#@+=",
    "'s",
    "'ll",
    "é",
    "ß",
    "中",
    "ﬁ",
    "½",
    "😀",
    "👩‍💻",
    "한",
    "ع",
    "İ",
    "Σ",
]
"""What the compared strings are made of: words, signs, contractions, composed letters, emoji, scripts."""


@pytest.fixture(scope="session")
def comfyui_reads(token_weights: Callable[[str, float], list[tuple[str, float]]]) -> Read:
    """A prompt as ComfyUI's tokenize_with_weights takes it apart: escaped, parsed, un-escaped."""
    from comfy.sd1_clip import escape_important, unescape_important

    def read(prompt: str) -> list[tuple[str, float]]:
        return [(unescape_important(text), weight) for text, weight in token_weights(escape_important(prompt), 1.0)]

    return read


@pytest.fixture(scope="session")
def comfyui_counts() -> dict[Encoder, Count]:
    """The tokens that ComfyUI's own CLIP and T5 tokenizers make of a prompt, less begin and end marks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from comfy.sd1_clip import SDTokenizer
        from comfy.text_encoders.flux import T5XXLTokenizer

        clip = SDTokenizer(max_length=1_000_000, pad_to_max_length=False)
        t5 = T5XXLTokenizer()
        t5.min_length = None

    def count(tokenizer: Any, marks: int) -> Count:
        return lambda prompt: len(tokenizer.tokenize_with_weights(prompt)[0]) - marks

    return {"clip": count(clip, 2), "t5": count(t5, 1)}


@settings(deadline=None, max_examples=500)
@given(text=any_text | any_code_points)
def test_parse_is_comfyuis_own_reading(comfyui_reads: Read, text: str) -> None:
    assert repr(parse(text)) == repr(comfyui_reads(text))  # repr: a weight may be nan


@settings(deadline=None, max_examples=1000)
@given(text=any_text | any_code_points)
def test_escaped_text_is_one_segment_of_weight_one(comfyui_reads: Read, text: str) -> None:
    cleaned = clean(text)
    assert comfyui_reads(escape(cleaned)) == ([(cleaned, 1.0)] if cleaned else [])


@settings(deadline=None, max_examples=200)
@given(found=analyses, family=st.sampled_from(family_names()))
def test_whatever_the_model_answers_no_weight_changes(comfyui_reads: Read, found: ImageAnalysis, family: str) -> None:
    try:
        prompt = render(found, family)
    except PromptError as error:
        assert "says nothing" in str(error)
        return
    [(text, weight)] = comfyui_reads(prompt.positive)
    assert (escape(text), weight) == (prompt.positive, 1.0)
    assert clean(text) == text


@pytest.mark.parametrize("encoder", ["clip", "t5"])
def test_tokens_are_counted_as_comfyui_counts_them(comfyui_counts: dict[Encoder, Count], encoder: Encoder) -> None:
    chance = random.Random(20)
    texts = ["".join(chance.choices(ALPHABET, k=chance.randint(0, 30))) for _ in range(COMPARED)]
    texts = [text for text in texts if "embedding:" not in text.lower()]  # what an embedding holds, no text tells
    differing = [text for text in texts if count_tokens(text, encoder) != comfyui_counts[encoder](text)]
    assert differing == []


@settings(deadline=None, max_examples=100)
@given(found=analyses, family=st.sampled_from(["sdxl", "flux1"]))
def test_a_prompt_has_the_tokens_it_says(
    comfyui_counts: dict[Encoder, Count], found: ImageAnalysis, family: str
) -> None:
    try:
        prompt = render(found, family)
    except PromptError:
        return
    assert comfyui_counts["t5" if family == "flux1" else "clip"](prompt.positive) == prompt.tokens
