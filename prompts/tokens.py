"""How many tokens a prompt has, exactly and without torch.

The vocabularies are those that ComfyUI uses: OpenAI's CLIP, Google's T5 v1.1, Qwen2.5 (Qwen-Image and Z-Image) and
Mistral's Tekken (FLUX.2); sources and licences are in `data/README.md`. Knows ComfyUI's segments (`syntax.parse`);
knows no families and no budgets.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import PromptError
from .syntax import parse

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Normalizer
    from tokenizers.pre_tokenizers import PreTokenizer

    from .families import Encoder

DATA = Path(__file__).with_name("data")
NEVER = 1 << 30
"""The rank of two parts that make no token: after every token's."""

_EMBEDDING = re.compile(r"[ \n]embedding:")
_QWEN_MARKS = re.compile(
    r"<\|(?:endoftext|im_start|im_end|object_ref_start|object_ref_end|box_start|box_end|quad_start|quad_end|"
    r"vision_start|vision_end|vision_pad|image_pad|video_pad|fim_prefix|fim_middle|fim_suffix|fim_pad|repo_name|"
    r"file_sep|img|endofimg|meta|endofmeta)\|>|</?tool_call>"
)
"""What is one token by itself: the 26 added tokens of ComfyUI's `qwen25_tokenizer/tokenizer_config.json`."""


def count_tokens(text: str, encoder: Encoder) -> int:
    """The tokens that ComfyUI makes of a prompt, without begin and end marks, padding and chat template.

    For CLIP and T5 each weighted segment is tokenized by itself, without its parentheses and weight, as ComfyUI does;
    language models (qwen, mistral) are given weights as plain text. An embedding is counted as the words it is written
    with: how many vectors its file holds cannot be known here.
    Raises PromptError for an unknown encoder.
    """
    if encoder in ("clip", "t5"):
        return sum(_count(segment, encoder) for segment, _ in parse(text))
    return sum(_count_in_sentence(part, encoder) for part in _parts(text))


def _count(segment: str, encoder: str) -> int:
    """The tokens of one segment: in plain ASCII word by word, since for CLIP and T5 a space ends a word."""
    if segment.isascii() and segment.isprintable():
        return sum([_count_run(word, encoder) for word in segment.split(" ")])
    return _count_run(segment, encoder)


def _parts(text: str) -> list[str]:
    """A prompt as ComfyUI hands it to a language model (`disable_weights`): un-escaped, cut before "embedding:".

    The template around it adds the same tokens to every prompt, so the prompt's own can be counted by themselves:
    FLUX.2 puts it between the marks [INST] and [/INST], Qwen between a line's end and the mark <|im_end|>, and nothing
    merges with a mark. With the line's end only a prompt would merge that begins with an empty line (or with
    "embedding:", which takes the line's end away: one token fewer); `clean` leaves neither.
    """
    hidden = text.replace(r"\)", "\0\1").replace(r"\(", "\0\2")
    first, *others = _EMBEDDING.split(hidden.replace("\0\1", ")").replace("\0\2", "("))
    return [first, *("embedding:" + other for other in others)]


def _count_in_sentence(part: str, encoder: str) -> int:
    """The tokens of one part, for encoders in which a space belongs to the word after it (" hair" is one token).

    Counted word by word where all white space is single spaces: a word may begin with a space and never holds one.
    """
    if part.isprintable() and "  " not in part:
        first, *others = part.split(" ")
        return _count_run(first, encoder) + sum([_count_run(" " + word, encoder) for word in others])
    return _count_run(part, encoder)


@lru_cache(maxsize=65_536)
def _count_run(text: str, encoder: str) -> int:
    """The tokens of a text. Kept, because pictures differ but the words for them come again: 10 to 50 us each."""
    return _counter(encoder)(text)


@cache
def _counter(encoder: str) -> Callable[[str], int]:
    """What counts the tokens of a text for an encoder, loaded on first use."""
    match encoder:
        case "clip":
            return _all_of(_clip())
        case "t5":
            return _all_of(_t5())
        case "qwen":
            return _qwen().count
        case "mistral":
            return _mistral().count
    raise PromptError(f"Tokens of a text encoder {encoder!r} cannot be counted; known are clip, t5, qwen and mistral.")


def _all_of(tokenizer: Tokenizer) -> Callable[[str], int]:
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


@dataclass(frozen=True)
class BytePairs:
    """A language model's byte-pair encoding, in plain Python: a `tokenizers` model of this size takes a second to
    load, this one a tenth, and nearly every word is one token or a few."""

    ranks: dict[str, int]
    """The tokens of two bytes and more, each byte written as its letter; the lower of two ranks is merged first."""
    words: PreTokenizer
    """Cuts text into words, within which bytes are merged, and writes their bytes as letters."""
    normal: Normalizer | None = None
    marks: re.Pattern[str] | None = None
    """What is one token by itself, wherever it stands."""

    def count(self, text: str) -> int:
        if self.marks is None:
            return self._count_plain(text)
        return len(self.marks.findall(text)) + sum(map(self._count_plain, self.marks.split(text)))

    def _count_plain(self, text: str) -> int:
        normal = self.normal.normalize_str(text) if self.normal else text
        return sum(self._count_word(word) for word, _ in self.words.pre_tokenize_str(normal))

    def _count_word(self, word: str) -> int:
        """The parts that are left when of all neighbours the pair of the lowest rank was joined, again and again.

        Merges need no list of their own: in these vocabularies each token is what joining by rank makes of its bytes.
        """
        if word in self.ranks:
            return 1
        parts = list(word)
        pairs = [self.ranks.get(left + right, NEVER) for left, right in pairwise(parts)]
        while pairs and (lowest := min(pairs)) < NEVER:
            at = pairs.index(lowest)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
            del pairs[at]
            for pair in (at - 1, at):
                if 0 <= pair < len(pairs):
                    pairs[pair] = self.ranks.get(parts[pair] + parts[pair + 1], NEVER)
        return len(parts)


def _qwen() -> BytePairs:
    """Qwen2.5's encoding, as transformers' Qwen2Tokenizer."""
    from tokenizers import normalizers

    return BytePairs(_ranks("qwen"), _words_of(r"\p{N}"), normalizers.NFC(), _QWEN_MARKS)


def _mistral() -> BytePairs:
    """Tekken as ComfyUI uses it for FLUX.2: with the word pattern of transformers' MistralConverter, not Tekken's own.

    Which control words ([INST] and such) are one token is written in the checkpoint; here they are text like any other.
    """
    return BytePairs(_ranks("mistral"), _words_of(r"\p{N}{1,3}"))


def _ranks(name: str) -> dict[str, int]:
    tokens = _lines(f"{name}_tokens.txt.gz")
    return dict(zip(tokens, range(len(tokens)), strict=True))


def _words_of(number: str) -> PreTokenizer:
    """How GPT-4 and most after it cut text into words, before bytes become letters; they differ in numbers."""
    from tokenizers import Regex, pre_tokenizers

    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
        + number
        + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _lines(name: str) -> list[str]:
    return gzip.decompress((DATA / name).read_bytes()).decode("utf-8").splitlines()


@cache
def _clip() -> Tokenizer:
    """CLIP's byte-pair encoding, as in `clip/simple_tokenizer.py` of https://github.com/openai/CLIP.

    Its vocabulary is in this order: the 256 bytes, the same at the end of a word, one entry per merge, two marks.
    Set up as transformers 5's CLIPTokenizer, which ComfyUI uses; that of transformers 4 also splits Chinese characters.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

    lines = (line.partition(" ") for line in _lines("clip_merges.txt.gz"))
    merges: list[tuple[str, str]] = [(left, right) for left, _, right in lines]
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


def clip_spans(text: str) -> list[tuple[int, int]]:
    """Where each of CLIP's tokens stands in an un-escaped text without weights: start and end, in characters."""
    if not (text.isascii() and text.isprintable()):
        return list(_run_spans(text))
    spans: list[tuple[int, int]] = []
    at = 0
    for word in text.split(" "):  # a space ends a word, as in `_count`
        spans += [(at + start, at + end) for start, end in _run_spans(word)]
        at += len(word) + 1
    return spans


@lru_cache(maxsize=65_536)
def _run_spans(text: str) -> tuple[tuple[int, int], ...]:
    """The spans of one run of text."""
    return tuple(_clip().encode(text, add_special_tokens=False).offsets)
