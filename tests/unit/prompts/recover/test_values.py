"""Foreign values made safe and typed."""

from __future__ import annotations

from typing import Any

import pytest
from img2prompt.prompts import RecoverError
from img2prompt.prompts.recover.limits import MOST_PARAMETERS
from img2prompt.prompts.recover.values import (
    as_float,
    as_int,
    as_other,
    as_size,
    as_text,
    clean,
    json_object,
    load_json,
)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *[("20", 20), (" 20.0 ", 20), (20.0, 20), ("-1", -1), ("18446744073709551615", 18446744073709551615)],
        *[("18446744073709551616", None), (20.5, None), (True, None), (None, None), ("1e999", None), ("many", None)],
        *[("9" * 5_000, None), (float("nan"), None), (float("inf"), None), ([], None)],
    ],
)
def test_whole_numbers(value: object, number: int | None) -> None:
    assert as_int(value) == number


@pytest.mark.parametrize(
    ("value", "number"), [("7.5", 7.5), (7, 7.0), ("1e-07", 1e-07), ("1e999", None), (False, None), ("7,5", None)]
)
def test_fractions(value: object, number: float | None) -> None:
    assert as_float(value) == number


def test_json_has_no_numbers_that_are_none() -> None:
    assert load_json(f"[NaN, -Infinity, 1e999, 1.5, {'9' * 5000}]", "text") == [None, None, None, 1.5, None]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"a', "[" + "0," * 600_000 + "0]"])
def test_json_that_cannot_be_read(text: str) -> None:
    with pytest.raises(RecoverError, match="The list of foxes is"):
        load_json(text, "list of foxes")


def test_json_that_is_no_object() -> None:
    with pytest.raises(RecoverError, match="no JSON object"):
        json_object("[]", "fox")


@pytest.mark.parametrize(
    ("value", "size"),
    [
        *[("512x768", (512, 768)), ("(512, 768)", (512, 768)), ([512, "768"], (512, 768)), ("512", (None, None))],
        *[("0x5", (None, None)), ([1, None], (None, None)), (None, (None, None)), ("1x2x3", (None, None))],
    ],
)
def test_sizes(value: object, size: tuple[int | None, int | None]) -> None:
    assert as_size(value) == size


def test_texts() -> None:
    assert as_text(" a\r\nb\rc\x00\x1b\x9b\ud800\t ") == "a\nb\nc"
    assert clean(" a\t") == " a\t"
    assert as_text(5) == ""


def test_what_has_no_field_of_its_own() -> None:
    record: dict[str, Any] = {"a": "x", "b": True, "c": [1], "d": None, "e": "", "f\x00": 0.5, "g": {"ü": 1}, "": "no"}
    assert as_other(record, {"a"}) == {"b": "True", "c": "[1]", "f": "0.5", "g": '{"ü": 1}'}
    assert len(as_other({f"n{number}": "x" for number in range(MOST_PARAMETERS + 5)})) == MOST_PARAMETERS
