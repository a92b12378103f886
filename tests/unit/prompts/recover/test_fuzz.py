"""Damaged files by the thousand: an answer, none, or RecoverError, and never anything else."""

from __future__ import annotations

from collections import Counter

import pytest
from img2prompt.tests.unit.prompts.recover.mutations import damaged, outcome, seeds

FILES = 2000
"""More are tried by benchmarks/fuzz_recover.py."""
PARTS = 4


@pytest.mark.parametrize("which", range(len(seeds())))
def test_an_unharmed_file_is_read(which: int) -> None:
    assert outcome(seeds()[which]) == "read"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_damaged_file_is_read_or_refused(part: int) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(part, FILES, PARTS):
        try:
            outcomes[outcome(damaged(number))] += 1
        except Exception as error:
            raise AssertionError(f"damaged({number}) is neither read nor refused") from error
    # Damage that leaves all as it was, or nothing, would try nothing.
    assert min(outcomes["read"], outcomes["refused"]) > FILES // PARTS // 20


def test_the_same_number_is_the_same_file() -> None:
    assert [damaged(number) for number in range(50)] == [damaged(number) for number in range(50)]
    assert len({damaged(number) for number in range(50)}) > 45
