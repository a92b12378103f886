"""What we count is what ComfyUI's own tokenizers make of a prompt, on whatever text there may be."""

from __future__ import annotations

import base64
import json
import random
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.prompts import ImageAnalysis, PromptError, count_tokens, render
from img2prompt.prompts.families import Encoder
from img2prompt.scripts.comfyui import ROOT
from img2prompt.tests.unit.prompts.strategies import ACTIVE, WORDS, analyses

Count = Callable[[str], int]

COMPARED = 20_000
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
ENGLISH = (
    "A young woman with long auburn hair stands in the doorway of a weathered brick café, smiling at someone we can't "
    "see. She's wearing an oversized knitted cardigan over a floral sundress; rain-soaked cobblestones reflect the "
    'neon sign\'s "OPEN 24/7" glow. Shot on Kodak Portra 400, 85mm f/1.4, shallow depth of field, volumetric '
    "lighting, 8k, cinematic composition – photorealistic, ultra-detailed, trending watercolour, chiaroscuro, bokeh"
)
"""What words of ordinary prompts are taken from, for strings in which all white space is single spaces."""
SEPARATORS = ("", "", " ", " ", ", ", "  ", "\n")
TEKKEN = "lib/python3*/site-packages/mistral_common/data/tekken_240911.json"
MISTRAL_MARKS = ("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
ENCODERS: dict[str, Encoder] = {"clip": "clip", "t5": "t5", "z-image": "qwen", "flux2": "mistral"}
"""The encoder that each of ComfyUI's tokenizers is compared with; Qwen-Image's is Z-Image's with a longer template."""


@pytest.fixture(scope="session")
def comfyui_counts() -> dict[str, Count]:
    """The tokens that ComfyUI's own tokenizers make of a prompt, less begin and end marks or the chat template."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from comfy.sd1_clip import SDTokenizer
        from comfy.text_encoders.flux import T5XXLTokenizer
        from comfy.text_encoders.qwen_image import QwenImageTokenizer
        from comfy.text_encoders.z_image import ZImageTokenizer

        clip = SDTokenizer(max_length=1_000_000, pad_to_max_length=False)
        t5 = T5XXLTokenizer()
        t5.min_length = None
        qwen_image, z_image, flux2 = QwenImageTokenizer(), ZImageTokenizer(), flux2_tokenizer()

    def less(marks: int, tokenizer: Any) -> Count:
        return lambda prompt: len(tokenizer.tokenize_with_weights(prompt)[0]) - marks

    def less_template(tokenizer: Any) -> Count:
        def count(prompt: str) -> int:
            [batches] = tokenizer.tokenize_with_weights(prompt).values()
            return sum(map(len, batches))

        template = count("")
        return lambda prompt: count(prompt) - template

    return {
        "clip": less(2, clip),
        "t5": less(1, t5),
        "qwen-image": less_template(qwen_image),
        "z-image": less_template(z_image),
        "flux2": less_template(flux2),
    }


def flux2_tokenizer() -> Any:
    """ComfyUI's tokenizer of FLUX.2, with the vocabulary of mistral-common in place of the checkpoint's.

    ComfyUI 0.3.75 calls transformers' MistralConverter as it was before version 5.15. The general converter that this
    was made from (same merges, same pattern) stands in for it here, as ComfyUI's own copy does in later versions.
    """
    from comfy.text_encoders import flux
    from transformers.convert_slow_tokenizer import TikTokenConverter

    [file] = (ROOT / ".environments" / "vllm").glob(TEKKEN)
    tekken = json.loads(file.read_bytes())
    size = tekken["config"]["default_vocab_size"] - tekken["config"]["default_num_special_tokens"]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in tekken["vocab"][:size]}

    class Converter(TikTokenConverter):
        @staticmethod
        def load_tiktoken_bpe(tiktoken_url: str) -> dict[bytes, int]:
            return ranks

    tokenizer = Converter(extra_special_tokens=MISTRAL_MARKS).converted()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flux, "load_mistral_tokenizer", lambda _: {"tokenizer_object": tokenizer, "add_bos_token": True})
        return flux.Flux2Tokenizer()


def texts() -> Iterator[str]:
    """The same random texts in every run."""
    chance = random.Random(20)
    alphabets = (ALPHABET, ENGLISH.split(), ALPHABET + ENGLISH.split())
    while True:
        words = chance.choices(chance.choice(alphabets), k=chance.randint(0, 30))
        yield chance.choice(SEPARATORS).join(words)


def comparable(text: str, encoder: Encoder) -> bool:
    """Whether a prompt's own tokens can be told from ComfyUI's count."""
    if encoder in ("clip", "t5"):
        return "embedding:" not in text.lower()  # what an embedding holds, no text tells
    # Qwen's template ends with a line's end before the prompt, which these would change
    return not re.match(r"embedding:|\s*[\r\n]", text)


@pytest.mark.parametrize("tokenizer", ENCODERS)
def test_tokens_are_counted_as_comfyui_counts_them(comfyui_counts: dict[str, Count], tokenizer: str) -> None:
    encoder = ENCODERS[tokenizer]
    compared = list(islice((text for text in texts() if comparable(text, encoder)), COMPARED))
    differing = [text for text in compared if count_tokens(text, encoder) != comfyui_counts[tokenizer](text)]
    assert differing == []
    assert len(compared) == COMPARED


@settings(deadline=None, max_examples=150)
@given(found=analyses, family=st.sampled_from(["sdxl", "flux1", "qwen-image", "z-image", "flux2"]))
def test_a_prompt_has_the_tokens_it_says(comfyui_counts: dict[str, Count], found: ImageAnalysis, family: str) -> None:
    try:
        prompt = render(found, family)
    except PromptError:
        return
    tokenizer = {"sdxl": "clip", "flux1": "t5"}.get(family, family)
    assert comfyui_counts[tokenizer](prompt.positive) == prompt.tokens
