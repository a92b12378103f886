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
from img2prompt.prompts.chunks import cut_tag
from img2prompt.prompts.faces import FACES
from img2prompt.prompts.families import Family
from img2prompt.prompts.keep import Keep
from img2prompt.prompts.minors import adult_words, shows_minor
from img2prompt.prompts.phrases import key_of, tells
from img2prompt.prompts.tags import EMPHASIS
from img2prompt.tests.unit.prompts.strategies import analyses, options


@settings(deadline=None, max_examples=200)
@given(found=analyses, family=st.sampled_from(family_names()), options=options)
def test_any_analysis(found: ImageAnalysis, family: str, options: RenderOptions) -> None:
    facts = load_family(family)
    try:
        prompt = render(found, family, options)
    except PromptError as error:
        assert re.search(
            "says nothing|fits a budget|of a budget", str(error)
        )  # never an empty prompt, never another error
        return
    assert render(found, family, options) == prompt

    segments = parse(prompt.positive)
    text = "".join(part for part, _ in segments)
    assert {weight for _, weight in segments} <= ({1.0, EMPHASIS} if facts.weights_allowed else {1.0})
    assert clean(without_faces(text)) == without_faces(text)
    assert prompt.tokens == count_tokens(prompt.positive, facts.encoder) <= prompt.budget
    assert Keep.of(options.leave_out, minor=False).allows(text)
    if facts.encoder == "clip":
        assert cut_tag(prompt.positive) is None
    else:
        assert escape(text) == prompt.positive
    if shows_minor(found):
        assert not any(map(adult_words, (text, prompt.style, prompt.caption)))
        assert not {facts.rating.get(rating) for rating in ("questionable", "explicit")} & set(text.split(", "))

    if facts.form == "tags":
        own = {key_of(word) for word in (*facts.prefix, *facts.suffix, *facts.rating.values(), *facts.source.values())}
        pieces = text.split(", ")
        assert len({key_of(piece) for piece in pieces}) == len(pieces)
        assert all(tells(piece) for piece in pieces if key_of(piece) not in own and not is_booru(piece, facts))
        assert text == text.lower()
        underscored = [piece for piece in pieces if "_" in piece and piece not in FACES]
        assert set(map(key_of, underscored)) <= own


def without_faces(text: str) -> str:
    """The text less its kaomoji, which are tags of a closed list and act nowhere."""
    return ", ".join(piece for piece in text.split(", ") if piece not in FACES)


def is_booru(piece: str, family: Family) -> bool:
    """Whether a tag says something only for Danbooru's families: a face, or how many there are."""
    return family.vocabulary == "danbooru" and (
        piece in FACES or re.match(r"\d\+?\w|solo$|no humans$", piece) is not None
    )


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
