"""Free texts: what is asked, and what of an answer is passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from img2prompt.prompts import (
    ImageText,
    NothingToSay,
    PresetError,
    PromptError,
    finished_text,
    finished_texts,
    text_request,
    text_requests,
)
from img2prompt.prompts.presets import text_preset_names
from img2prompt.prompts.questions import MAX_NAME_CHARACTERS
from img2prompt.prompts.texts import MAX_TEXT_CHARACTERS
from PIL import Image

PICTURE = Image.new("RGB", (2, 2))
WISH = "Mention the $5 hat."
BUNDLED = text_preset_names()


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of presets, empty."""
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    folder = tmp_path / "presets"
    folder.mkdir()
    return folder


def test_it_asks_for_one_text_about_that_picture() -> None:
    request = text_request(PICTURE, seed=7)
    assert (request.pictures, request.answer, request.sampling.seed) == ((PICTURE,), ImageText, 7)
    assert request.sampling.max_tokens >= MAX_TEXT_CHARACTERS  # a Chinese character may be a token
    assert ImageText.model_json_schema()["properties"].keys() == {"text"}


@pytest.mark.parametrize("preset", BUNDLED)
def test_language_and_wish_reach_a_bundled_preset_once(preset: str) -> None:
    instruction = text_request(PICTURE, preset=preset, language="中文", extra=WISH).instruction
    assert instruction.count("中文") == instruction.count(WISH) == instruction.count("The user also asks") == 1
    assert 'the field "text"' in instruction
    plain = text_request(PICTURE, preset=preset).instruction
    assert plain.count("Write in English") == 1
    assert "The user also asks" not in plain and "$" not in plain and "\n\n\n" not in plain


@pytest.mark.parametrize(
    "text",
    [
        "Write a haiku.",
        "Write a haiku in $language.",
        "Write a haiku.\n$extra",
        "$extra\n\nA haiku, in ${language}.",
        "Nothing over $$5, in $language.",
    ],
)
def test_language_and_wish_reach_a_users_preset_once(mine: Path, text: str) -> None:
    (mine / "haiku.md").write_text(text, encoding="utf-8")
    instruction = text_request(PICTURE, preset="haiku", language="Deutsch", extra=WISH).instruction
    assert instruction.count("Deutsch") == instruction.count(WISH) == 1
    assert instruction.index("aiku" if "aiku" in text else "over $5") < instruction.index('the field "text"')
    assert "$language" not in instruction and "$extra" not in instruction and "$$" not in instruction


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("", "English"),
        (" \n ", "English"),
        ("  Português \n do Brasil ", "Português do Brasil"),
        ("<|im_end|>French\0", "im_end French"),
        ("$extra", "$extra"),
        ("x" * MAX_NAME_CHARACTERS, "x" * MAX_NAME_CHARACTERS),
    ],
)
def test_the_language_is_any_words_on_one_line(language: str, told: str) -> None:
    assert f"Write in {told}, as" in text_request(PICTURE, preset="alt-text", language=language).instruction


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"preset": "poem"}, PresetError, "known are alt-text"),
        ({"language": "x" * (MAX_NAME_CHARACTERS + 1)}, PromptError, "has 61 characters; name it in 60"),
        ({"extra": "x" * 2001}, PromptError, "shorten it to 2,000"),
    ],
)
def test_what_cannot_be_asked_fails_before_a_picture_is_taken(
    asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    taken = []
    with pytest.raises(error, match=message):
        text_requests((taken.append(picture) or picture for picture in [PICTURE]), **asked)
    assert not taken


def test_requests_are_made_one_by_one() -> None:
    pictures = iter([PICTURE, PICTURE])
    requests = text_requests(pictures, seed=3)
    first = next(requests)
    assert len(list(pictures)) == 1  # the second picture was not made yet
    assert first.sampling.seed == 3


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("  A cat.  ", "A cat."),
        ("A\r\nB\rC\u2028D", "A\nB\nC\nD"),
        ("- soft\t\n\n\n\n- warm ", "- soft\n\n- warm"),
        ("a\tb\0c\x1b[31m", "a b c [31m"),
        ("So good \U0001f469\u200d\U0001f373\ufe0f ❤️", "So good \U0001f469\u200d\U0001f373\ufe0f ❤️"),
        ("me\u202egnp\u2066\u00ad\ufeff", "megnp"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("(soft:1.3) {a|b} // <lora:x:1>", "(soft:1.3) {a|b} // <lora:x:1>"),  # a text to read, not a prompt
        ("三", "三"),
        ("\U0001f600", "\U0001f600"),
    ],
)
def test_a_text_is_passed_on_as_it_reads(written: str, text: str) -> None:
    assert finished_text(ImageText(text=written)) == text


@pytest.mark.parametrize("written", ["", " \n\t", "\0", "\u200d\u200f", "...", "—"])
def test_an_empty_text_is_an_error(written: str) -> None:
    with pytest.raises(NothingToSay, match="another seed"):
        finished_text(ImageText(text=written))


@pytest.mark.parametrize(
    ("whole", "broken"),
    [
        ("It is warm.", " It costs 3.5 and is"),
        ('She says: "Come!"', " And then the"),
        ("What a day! \U0001f60d", "\nAnd the"),
        ("- Soft wool\n- Warm lining", "\n- Deep poc"),
        ("雨停了。", "街上的灯还"),
        ("他说\uff1a「好\uff01」", "然后他"),
        ("यह एक घर है।", " और फिर"),
        ("no end at all but", " word"),
        ("Ends just there.", ""),
    ],
)
def test_a_text_that_hit_the_bound_ends_whole(whole: str, broken: str) -> None:
    filler = "Wide. " * MAX_TEXT_CHARACTERS if whole[-1] != "t" else "wide " * MAX_TEXT_CHARACTERS
    text = filler[: MAX_TEXT_CHARACTERS - len(whole) - len(broken)]
    text = text[: text.rindex(" ") + 1].ljust(MAX_TEXT_CHARACTERS - len(whole) - len(broken)) + whole
    assert finished_text(ImageText(text=text + broken)).endswith(whole)
    # one character less, and it ended by itself
    assert finished_text(ImageText(text=(text + broken)[1:])).endswith(whole + broken.rstrip())


def test_a_cut_text_without_any_end_stays() -> None:
    text = "雨" * MAX_TEXT_CHARACTERS
    assert finished_text(ImageText(text=text)) == text


def test_the_picture_without_a_text_is_named() -> None:
    answers = [ImageText(text="A cat."), ImageText(text=" ")]
    assert finished_texts(answers[:1], ["a.png"]) == ["A cat."]
    with pytest.raises(NothingToSay, match=r"^b\.png: The model wrote no text"):
        finished_texts(answers, ["a.png", "b.png"])
