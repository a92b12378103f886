"""The measures by hand, by their definitions, and by what must hold for any input."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.evaluation.metrics import (
    common_subsequence,
    mean,
    paired_difference,
    repeated,
    rouge_l,
    set_overlap,
    trigrams,
    words,
)

TAGS = st.sets(st.sampled_from("abcdefgh"))
WORDS = st.lists(st.sampled_from("abcd"), max_size=70)
SHARES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("written", "reference", "precision", "recall", "f1"),
    [
        ({"a", "b", "c", "d"}, {"a", "b"}, 0.5, 1.0, 2 / 3),
        ({"a"}, {"a", "b", "c", "d"}, 1.0, 0.25, 0.4),
        ({"a", "b"}, {"b", "a"}, 1.0, 1.0, 1.0),
        ({"a"}, {"b"}, 0.0, 0.0, 0.0),
        (set(), {"a"}, 0.0, 0.0, 0.0),
        ({"a"}, set(), 0.0, 0.0, 0.0),
    ],
)
def test_precision_recall_and_f1(
    written: set[str], reference: set[str], precision: float, recall: float, f1: float
) -> None:
    found = set_overlap(written, reference)
    assert (found.precision, found.recall) == (precision, recall)
    assert found.f1 == pytest.approx(f1)


@given(TAGS, TAGS)
@settings(max_examples=50, deadline=None)
def test_of_two_sets(one: set[str], other: set[str]) -> None:
    there, back = set_overlap(one, other), set_overlap(other, one)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert there.f1 == pytest.approx(back.f1)
    assert there.f1 == pytest.approx(2 * len(one & other) / ((len(one) + len(other)) or 1))  # Dice, the same by theory
    assert (there.f1 == 1) == (one == other != set())


@pytest.mark.parametrize(
    ("written", "reference", "f1"),
    [
        # Lin's own examples (2004, section 3.1)
        ("police kill the gunman", "police killed the gunman", 3 / 4),
        ("the gunman kill police", "police killed the gunman", 2 / 4),
        # 3 of 3 and 3 of 6: 2 * 1 * 0.5 / 1.5
        ("a red cat", "a big red striped cat sleeps", 2 / 3),
        ("A Red, CAT!", "a red cat", 1.0),
        ("dog", "cat", 0.0),
        ("", "cat", 0.0),
        ("", "", 0.0),
        ("一只红猫", "一只黑猫", 3 / 4),
        ("caf\u00e9", "cafe\u0301", 1.0),  # composed in two ways
        ("\uff21\uff22\uff23", "abc", 1.0),  # wide letters
        ("\U00020bb7\U00020bb8", "\U00020bb7", 2 / 3),  # a rare character is a word, too
        ("한국 고양이", "고양이", 2 / 3),
    ],
)
def test_rouge_l(written: str, reference: str, f1: float) -> None:
    assert rouge_l(written, reference).f1 == pytest.approx(f1)


def by_the_table(one: list[str], other: list[str]) -> int:
    """The textbook's dynamic programming."""
    row = [0] * (len(other) + 1)
    for item in one:
        before = row
        row = [0]
        for place, theirs in enumerate(other):
            row.append(before[place] + 1 if item == theirs else max(before[place + 1], row[place]))
    return row[-1]


@given(WORDS, WORDS)
@settings(max_examples=50, deadline=None)
def test_the_common_subsequence_is_the_textbooks(one: list[str], other: list[str]) -> None:
    assert common_subsequence(one, other) == by_the_table(one, other)


@given(st.text(), st.text())
@settings(max_examples=50, deadline=None)
def test_overlap_of_any_texts(one: str, other: str) -> None:
    there = rouge_l(one, other).f1
    assert there == pytest.approx(rouge_l(other, one).f1)
    assert 0 <= there <= 1
    assert rouge_l(one, one).f1 == (1 if words(one) else 0)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("one two three four", 0),
        ("the red cat the red cat", 0.25),  # the-red-cat comes twice among 4
        ("very very very very very", 2 / 3),  # 3 alike, of which 2 repeat
        ("Very, very! Very very", 0.5),
        ("two words", 0),
        ("", 0),
    ],
)
def test_repeated_words(text: str, share: float) -> None:
    assert repeated(trigrams(text)) == pytest.approx(share)


@given(st.lists(st.integers(0, 5)))
@settings(max_examples=50, deadline=None)
def test_the_share_of_repeated_items(items: list[int]) -> None:
    first_seen = sum(1 for place, item in enumerate(items) if item not in items[:place])
    assert repeated(items) == pytest.approx(1 - first_seen / len(items) if items else 0)
    assert repeated([*items, *items]) >= (0.5 if items else 0)


def test_a_difference_by_hand() -> None:
    # of two pictures a resample is one of the pairs twice or both: its mean is 0, 1 or 2
    found = paired_difference([1.0, 1.0], [1.0, 3.0])
    assert found and found == (1.0, 0.0, 2.0, 2)
    assert not found.clear
    assert paired_difference([1.0], [2.0]) is None
    # two values are of one picture: a resample has the first twice (0), the second twice (2), or both (4 / 3)
    found = paired_difference([1.0, 1.0, 1.0], [1.0, 3.0, 3.0], pictures=["a", "b", "b"])
    assert found and found == (pytest.approx(4 / 3), 0.0, 2.0, 2)
    assert paired_difference([1.0, 1.0], [1.0, 3.0], pictures=["a", "a"]) is None


def test_long_captions_take_no_time() -> None:
    """By the textbook these would be 400 million steps."""
    chance = random.Random(1)
    one, other = (" ".join(chance.choices("abcdefgh", k=20_000)) for _ in range(2))
    assert 0.5 < rouge_l(one, other).f1 < 1


@given(st.lists(st.tuples(SHARES, SHARES), min_size=2, max_size=20), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_a_difference_of_anything(pairs: list[tuple[float, float]], seed: int) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    found = paired_difference(one, other, seed)
    assert found and found == paired_difference(one, other, seed)
    assert found.mean == pytest.approx(mean(other) - mean(one))
    each = [b - a for a, b in pairs]
    assert min(each) - 1e-9 <= found.low <= found.high <= max(each) + 1e-9


def test_the_same_step_everywhere_is_clear() -> None:
    found = paired_difference([0.1, 0.5, 0.9], [0.2, 0.6, 1.0])
    assert found and found.clear
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Drawn from a known difference of 0.3; 95 % is the aim, and the percentile bootstrap of 40 pictures falls a little
    short of it."""
    chance = random.Random(1)
    held = 0
    for seed in range(100):
        one = [chance.gauss() for _ in range(40)]
        other = [value + chance.gauss(0.3, 1) for value in one]
        found = paired_difference(one, other, seed)
        assert found
        held += found.low <= 0.3 <= found.high
    assert 88 <= held <= 99
