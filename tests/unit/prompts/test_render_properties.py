"""Whatever a model answers within the schema: the prompt is exact, harmless, within its budget, and always the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.prompts import (
    ImageAnalysis,
    PromptError,
    RenderOptions,
    clean,
    count_tokens,
    escape,
    family_names,
    load_family,
    parse,
    render,
)
from img2prompt.prompts.keep import Keep
from img2prompt.prompts.minors import adult_words, shows_minor
from img2prompt.prompts.phrases import key_of, tells
from img2prompt.tests.unit.prompts.strategies import analyses, options


@settings(deadline=None, max_examples=200)
@given(found=analyses, family=st.sampled_from(family_names()), options=options)
def test_any_analysis(found: ImageAnalysis, family: str, options: RenderOptions) -> None:
    facts = load_family(family)
    try:
        prompt = render(found, family, options)
    except PromptError as error:
        assert re.search("says nothing|fits a budget", str(error))  # never an empty prompt, never another error
        return
    assert render(found, family, options) == prompt

    [(text, weight)] = parse(prompt.positive)
    assert (escape(text), weight) == (prompt.positive, 1.0)
    assert clean(text) == text
    assert prompt.tokens == count_tokens(prompt.positive, facts.encoder) <= prompt.budget
    assert Keep.of(options.leave_out, minor=False).allows(text)
    if shows_minor(found):
        assert not any(map(adult_words, (text, prompt.style, prompt.caption)))

    if facts.form == "tags":
        pieces = text.split(", ")
        assert len({key_of(piece) for piece in pieces}) == len(pieces)
        assert all(tells(piece) for piece in pieces)
        assert text == text.lower()
    if not found.visible_text:
        assert "_" not in text


@settings(deadline=None, max_examples=100)
@given(found=analyses, family=st.sampled_from(family_names()))
def test_a_style_prompt_does_not_depend_on_what_is_shown(found: ImageAnalysis, family: str) -> None:
    only_style = RenderOptions(look_at="style")
    without = found.model_copy(update={"caption": "", "setting": [], "composition": [], "tags": [], "visible_text": []})
    try:
        expected = render(without, family, only_style).positive
    except PromptError:
        with pytest.raises(PromptError):
            render(found, family, only_style)
        return
    if shows_minor(found) == shows_minor(without):
        assert render(found, family, only_style).positive == expected
