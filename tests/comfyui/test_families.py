"""Every family on thousands of generated analyses, read by ComfyUI's own parser and cut by its own tokenizer."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any

import pytest
from img2prompt.prompts import NothingToSay, RenderOptions, clean, escape, family_names, load_family, render
from img2prompt.prompts.chunks import clip_chunks
from img2prompt.tests.comfyui.family_check import analysis_of, problems, reader, text_of

TEXTS = 100_000


def test_whatever_the_model_answers(pytestconfig: pytest.Config) -> None:
    names, analyses = family_names(), pytestconfig.getoption("--analyses")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        wrong = dict(zip(names, pool.map(problems, names, [analyses] * len(names)), strict=True))
    assert {name: found[:5] for name, found in wrong.items() if found} == {}


def test_a_hundred_thousand_texts_are_literal() -> None:
    read, random = reader(), Random(3)
    wrong = []
    for _ in range(TEXTS):
        text = text_of(random)
        cleaned = clean(text)
        if read(escape(cleaned)) != ([(cleaned, 1.0)] if cleaned else []) or clean(cleaned) != cleaned:
            wrong.append(text)
    assert wrong == []


@pytest.mark.parametrize("family", [name for name in family_names() if load_family(name).encoder == "clip"])
def test_comfyui_s_tokenizer_cuts_where_we_say(family: str) -> None:
    """The chunks that ComfyUI gives to CLIP hold the tags that `clip_chunks` says, all of them whole."""
    from comfy.sd1_clip import SDTokenizer

    tokenizer = SDTokenizer()
    compared = 0
    for number in range(250):
        analysis = analysis_of(number)
        for emphasis in ("none", "subject", "style"):
            options = RenderOptions.from_texts(
                token_budget=225, emphasis=emphasis, prefix="" if number % 2 else "(ohwx:1.1), x"
            )
            try:
                prompt = render(analysis, family, options).positive
            except NothingToSay:
                continue
            batches = tokenizer.tokenize_with_weights(prompt)
            said = clip_chunks(prompt)
            tokens = [[token for token, *_ in batch if token not in (49406, 49407)] for batch in batches]
            assert [decoded(tokenizer, batch) for batch in tokens] == [
                decoded(tokenizer, tokenizer.tokenizer(text)["input_ids"][1:-1]) for text in said
            ]
            compared += len(said) > 1
    assert compared > 30


def decoded(tokenizer: Any, tokens: list[int]) -> str:
    """The text of tokens, without the spaces that CLIP's vocabulary does not tell apart."""
    return tokenizer.tokenizer.decode(tokens).replace(" ", "")
