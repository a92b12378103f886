"""How many tokens a prompt has, exactly and without torch.

The vocabularies are those that ComfyUI ships: OpenAI's CLIP and Google's T5 v1.1 (sources and licences are in
`data/README.md`). Knows ComfyUI's segments (`syntax.parse`); knows no families and no budgets.
"""

from __future__ import annotations

import gzip
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import PromptError
from .syntax import parse

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from .families import Encoder

DATA = Path(__file__).with_name("data")


def count_tokens(text: str, encoder: Encoder) -> int:
    """The tokens that ComfyUI makes of a prompt, without begin and end marks and padding.

    Each weighted segment is tokenized by itself, without its parentheses and weight, as ComfyUI does. An embedding is
    counted as the words it is written with: how many vectors its file holds cannot be known here.
    Raises PromptError for an unknown encoder.
    """
    return sum(_count(segment, encoder) for segment, _ in parse(text))


def _count(segment: str, encoder: str) -> int:
    """The tokens of one segment: in plain ASCII word by word, since for both encoders a space ends a word."""
    if segment.isascii() and segment.isprintable():
        return sum([_count_run(word, encoder) for word in segment.split(" ")])
    return _count_run(segment, encoder)


@lru_cache(maxsize=65_536)
def _count_run(text: str, encoder: str) -> int:
    """The tokens of a text. Kept, because pictures differ but the words for them come again: 10 to 50 us each."""
    return len(_tokenizer(encoder).encode(text, add_special_tokens=False).ids)


@cache
def _tokenizer(encoder: str) -> Tokenizer:
    """The encoder's tokenizer, loaded on first use."""
    match encoder:
        case "clip":
            return _clip()
        case "t5":
            return _t5()
    raise PromptError(f"Tokens of a text encoder {encoder!r} cannot be counted; known are clip and t5.")


def _clip() -> Tokenizer:
    """CLIP's byte-pair encoding, as in `clip/simple_tokenizer.py` of https://github.com/openai/CLIP.

    Its vocabulary is in this order: the 256 bytes, the same at the end of a word, one entry per merge, two marks.
    Set up as transformers 5's CLIPTokenizer, which ComfyUI uses; that of transformers 4 also splits Chinese characters.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

    lines = gzip.decompress((DATA / "clip_merges.txt.gz").read_bytes()).decode("utf-8").splitlines()
    merges: list[tuple[str, str]] = [(left, right) for left, _, right in (line.partition(" ") for line in lines)]
    letters = _byte_letters()
    words = [*letters, *(letter + "</w>" for letter in letters), *(left + right for left, right in merges)]
    marks = ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate([*words, *marks])}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", unk_token="<|endoftext|>")
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words_and_signs = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words_and_signs, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(marks[0], normalized=True), AddedToken(marks[1], normalized=False)])
    return tokenizer


def _byte_letters() -> list[str]:
    """The letter that stands for each byte in CLIP's vocabulary, in the vocabulary's order (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = range(256, 256 + 256 - len(printable))
    return [chr(code) for code in [*printable, *others]]


def _t5() -> Tokenizer:
    """T5 v1.1's unigram model, from its own file, set up as transformers 5's T5TokenizerFast does.

    transformers 4 uses the file as it is; the two differ only in control characters, which `clean` takes out.
    """
    from tokenizers import Tokenizer, pre_tokenizers

    tokenizer = Tokenizer.from_str(gzip.decompress((DATA / "t5_tokenizer.json.gz").read_bytes()).decode("utf-8"))
    tokenizer.normalizer = tokenizer.normalizer[0]  # the file's character map, without its rules for runs of spaces
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    return tokenizer
