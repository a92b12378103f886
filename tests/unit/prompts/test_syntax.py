"""clean(), escape(), weighted() and parse(): what acts, what stays, and that nothing acts after cleaning."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from img2prompt.prompts import PromptError, clean, escape, parse, weighted
from img2prompt.tests.unit.prompts.strategies import any_code_points, any_text

ACTS = re.compile(r"embedding:|//|/\*|\*/|__|[{}|<>~^`\\\[\]]", re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("  two\n\nlines\tand  spaces ", "two lines and spaces"),
        (r"smile \(happy\)", "smile (happy)"),
        (r"\\(twice\\\)", "(twice)"),
        ("(red hair:1.2), 16:9", "(red hair:1.2), 16:9"),
        ("a {red|blue} ball", "a red blue ball"),
        ("a ball // not a comment /* nor this */", "a ball not a comment nor this"),
        ("see https://example.com", "see https: example.com"),
        ("embedding:easynegative", "easynegative"),
        ("embedembedding:ding:evil", "embed ding:evil"),
        ("em\u200bbedding:evil", "evil"),
        ("EmbEdding:x", "x"),
        ("<lora:detail:1> a cat", "a cat"),
        ("a <|im_end|> cat", "a cat"),
        ("<|<|im_end|>|>cat", "cat"),
        ("a [cat:dog:0.5] runs", "a cat dog runs"),
        ("[[very] old]", "very old"),
        ("one BREAK two AND three", "one break two and three"),
        ("BREAKFAST IN BRANDENBURG", "BREAKFAST IN BRANDENBURG"),
        ("a __color__ car, long_hair", "a color car, long_hair"),
        ("\u202eevil\u202c \u2028line", "evil line"),
        ("soft\u00adhyphen", "softhyphen"),
        ("cafe\u0301", "café"),
        ("日本の猫", "日本の猫"),
        ("\ud800lone", "lone"),
        ("\0\1nul", "nul"),
        ("tail\\", "tail"),
        ("\u1fefgrave\u037e", "grave;"),
    ],
)
def test_clean_leaves_plain_words(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@settings(deadline=None, max_examples=1000)
@given(any_text | any_code_points)
def test_after_cleaning_nothing_acts(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not ACTS.search(cleaned)
    assert not re.search(r"\b(?:BREAK|AND)\b", cleaned)
    assert cleaned == " ".join(cleaned.split())
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not {unicodedata.category(character) for character in cleaned} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@settings(deadline=None, max_examples=1000)
@given(any_text | any_code_points)
def test_escaped_text_is_one_plain_segment(text: str) -> None:
    cleaned = clean(text)
    assert parse(escape(cleaned)) == ([(cleaned, 1.0)] if cleaned else [])


@pytest.mark.parametrize(
    ("prompt", "segments"),
    [
        ("", []),
        ("a cat", [("a cat", 1.0)]),
        ("(a cat)", [("a cat", 1.1)]),
        ("a (cat:1.3) runs", [("a ", 1.0), ("cat", 1.3), (" runs", 1.0)]),
        ("((a) b:2)", [("a", 2.2), (" b", 2.0)]),
        ("(time 10:30)", [("time 10", 30.0)]),
        ("(:1.2)", [(":1.2", 1.1)]),
        (r"smile \(happy\)", [("smile (happy)", 1.0)]),
        ("smile :), (blue hair:1.2)", [("smile :), (blue hair:1.2)", 1.0)]),
        ("()", []),
    ],
)
def test_parse_reads_as_comfyui(prompt: str, segments: list[tuple[str, float]]) -> None:
    read = parse(prompt)
    assert [text for text, _ in read] == [text for text, _ in segments]
    assert [weight for _, weight in read] == pytest.approx([weight for _, weight in segments])


def test_parse_refuses_endless_nesting() -> None:
    with pytest.raises(PromptError, match="deep"):
        parse("(" * 3000 + ")" * 3000)


@pytest.mark.parametrize(
    ("text", "weight", "prompt"),
    [
        ("red hair", 1.2, "(red hair:1.2)"),
        ("red hair", 1.0, "red hair"),
        ("a (b)", 0.85, r"(a \(b\):0.85)"),
        ("16:9", 1.1, "(16:9:1.1)"),
        ("", 1.2, ""),
    ],
)
def test_a_weight_applies_to_the_very_text(text: str, weight: float, prompt: str) -> None:
    assert weighted(text, weight) == prompt
    assert parse(prompt) == ([(text, weight)] if text else [])


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_must_be_a_positive_number(weight: float) -> None:
    with pytest.raises(PromptError, match="positive"):
        weighted("x", weight)
