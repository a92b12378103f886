"""What we write is what ComfyUI reads: its own token_weights, on whatever text there may be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from img2prompt.prompts import clean, escape, parse
from img2prompt.tests.unit.prompts.strategies import any_code_points, any_text

Read = Callable[[str], list[tuple[str, float]]]


@pytest.fixture(scope="session")
def comfyui_reads(token_weights: Callable[[str, float], list[tuple[str, float]]]) -> Read:
    """A prompt as ComfyUI's tokenize_with_weights takes it apart: escaped, parsed, un-escaped."""
    from comfy.sd1_clip import escape_important, unescape_important

    def read(prompt: str) -> list[tuple[str, float]]:
        return [(unescape_important(text), weight) for text, weight in token_weights(escape_important(prompt), 1.0)]

    return read


@settings(deadline=None, max_examples=500)
@given(text=any_text | any_code_points)
def test_parse_is_comfyuis_own_reading(comfyui_reads: Read, text: str) -> None:
    assert repr(parse(text)) == repr(comfyui_reads(text))  # repr: a weight may be nan


@settings(deadline=None, max_examples=1000)
@given(text=any_text | any_code_points)
def test_escaped_text_is_one_segment_of_weight_one(comfyui_reads: Read, text: str) -> None:
    cleaned = clean(text)
    assert comfyui_reads(escape(cleaned)) == ([(cleaned, 1.0)] if cleaned else [])
