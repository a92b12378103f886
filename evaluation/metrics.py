"""The measures, as pure functions of sets, words and numbers. Each is a share from 0 to 1 unless it says otherwise.

Knows no tags, pictures and engines: `tag_sets.py` says what a tag is, `scores.py` what is measured on what.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Hashable, Sequence, Set
from typing import NamedTuple

RESAMPLES = 2000
"""Of the bootstrap; Efron and Tibshirani (An Introduction to the Bootstrap, 1993, chapter 13) ask for 1,000 or more."""
SHARE_WITHIN = 0.95
DRAWN_AT_ONCE = 1_000_000
"""Pictures drawn at one time, for bounded memory: 24 MB."""
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
"""Chinese and Japanese have no spaces: each of their characters counts as a word."""


class Overlap(NamedTuple):
    """How much of one thing is in another, both ways."""

    precision: float
    """Of what was written, the share that is in the reference; 0 where nothing was written."""
    recall: float
    """Of the reference, the share that was written; 0 where it is empty."""

    @property
    def f1(self) -> float:
        """Their harmonic mean; 0 where nothing is in common."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class Difference(NamedTuple):
    """How much larger one mean is than another, with the interval that holds 95 % of what other pictures may show."""

    mean: float
    low: float
    high: float
    pictures: int
    """That both were measured on."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0, so that it is more than noise."""
        return self.low > 0 or self.high < 0


def set_overlap(written: Set[str], reference: Set[str]) -> Overlap:
    """Of two sets: precision and recall by what they have in common."""
    common = len(written & reference)
    return Overlap(_share(common, len(written)), _share(common, len(reference)))


def rouge_l(written: str, reference: str) -> Overlap:
    """ROUGE-L by words: the longest common subsequence of both, as a share of each (C.-Y. Lin, "ROUGE: A Package for
    Automatic Evaluation of Summaries", 2004, section 3.1, for one sentence); its `f1` is Lin's F with beta = 1.

    Words are `words()`; unlike Lin's program it cuts no endings off.
    """
    ours, theirs = words(written), words(reference)
    common = common_subsequence(*sorted((ours, theirs), key=len))
    return Overlap(_share(common, len(ours)), _share(common, len(theirs)))


def words(text: str) -> list[str]:
    """The words of a text, caseless and however its characters are composed (NFKC): runs of letters and digits, and
    each Chinese or Japanese character."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def common_subsequence(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence, bit-parallel: a row of the usual table is one number (H. Hyyrö,
    "Bit-Parallel LCS-length Computation Revisited", 2004)."""
    places: dict[Hashable, int] = {}
    for place, item in enumerate(one):
        places[item] = places.get(item, 0) | 1 << place
    full = row = (1 << len(one)) - 1
    for item in other:
        matches = row & places.get(item, 0)
        row = ((row + matches) | (row - matches)) & full
    return len(one) - row.bit_count()


def repeated(items: Sequence[Hashable]) -> float:
    """The share of items that were there before; 0 for no items."""
    return 1 - len(set(items)) / len(items) if items else 0.0


def trigrams(text: str) -> list[tuple[str, ...]]:
    """Each three words of a text that follow one another."""
    all_words = words(text)
    return list(zip(all_words, all_words[1:], all_words[2:], strict=False))


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; of one value at least."""
    return math.fsum(values) / len(values)


def paired_difference(
    first: Sequence[float], second: Sequence[float], seed: int = 0, pictures: Sequence[Hashable] | None = None
) -> Difference | None:
    """The mean of `second` minus that of `first`, value by value of the same pictures, with its 95 % interval by the
    percentile bootstrap over pictures (Efron and Tibshirani 1993, section 13.3); None for fewer than two pictures.

    `pictures` says whose each value is: those of one picture are drawn together, so that a picture that is there ten
    times counts as one piece of evidence. Unsaid, each is another's. Equal values and an equal seed give an equal
    interval.
    """
    import numpy as np

    differences = [two - one for one, two in zip(first, second, strict=True)]
    whose = range(len(differences)) if pictures is None else pictures
    places = {picture: place for place, picture in enumerate(dict.fromkeys(whose))}
    count = len(places)
    if count < 2:
        return None
    sums, weights = np.zeros(count), np.zeros(count)
    for picture, difference in zip(whose, differences, strict=True):
        sums[places[picture]] += difference
        weights[places[picture]] += 1
    chance = np.random.default_rng(seed)
    at_once = max(1, DRAWN_AT_ONCE // count)
    means = np.empty(RESAMPLES)
    for done in range(0, RESAMPLES, at_once):
        drawn = chance.integers(0, count, (min(at_once, RESAMPLES - done), count))
        means[done : done + len(drawn)] = sums[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    low, high = np.quantile(means, ((1 - SHARE_WITHIN) / 2, (1 + SHARE_WITHIN) / 2))
    return Difference(mean(differences), float(low), float(high), count)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
