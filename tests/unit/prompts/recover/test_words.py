"""Prompts in every generator's syntax, as words."""

from __future__ import annotations

import re

import pytest
from img2prompt.prompts.recover.words import words_only

ROWS = [
    ("a red fox, in deep snow", "a red fox, in deep snow"),
    ("", ""),
    (" \n,, ", ""),
    ("(masterpiece:1.2), ((best quality)), [dull]", "masterpiece, best quality, dull"),
    ("cat <lora:Add_Detail-v2.1:0.8>, dog", "cat, dog"),
    ("<lora:a:1> <LORA:b:0.5:0.3><lyco:c:1> cat", "cat"),
    ("cat <lora:broken:0.8, dog", "cat, dog"),
    ("<hypernet:anime:1>cat", "cat"),
    ("<segment:face,0.6> cat, <embed:bad>", "cat"),
    ("cat, embedding:easynegative, (embedding:bad-hands:1.2), dog", "cat, dog"),
    ("<easynegative>, cat", "cat"),
    ("i <3 cats", "i 3 cats"),
    (r"hatsune miku \(vocaloid\), (blue hair:0.9)", r"hatsune miku \(vocaloid\), blue hair"),
    (r"(miku \(vocaloid\):1.3)", r"miku \(vocaloid\)"),
    ("[cat:dog:0.5] in [the rain:10] and [fog::0.4]", "cat, dog in the rain and fog"),
    ("a cat BREAK a dog AND a bird", "a cat, a dog, a bird"),
    ("{{cute}}, [[dull]], 1.5::smile ::, -1::frown::", "cute, dull, smile, frown"),
    ("a space ship:: a moon::2 --ar 3:2 --v 6.1", "a space ship a moon"),
    ("a fox --no snow --s 250", "a fox"),
    ("a fox --exp 5 --draft", "a fox"),
    ("a fox|--v 6", "a fox"),
    ("a fox,--v 6", "a fox"),
    ("a fox\n--ar 3:2\n--v 6", "a fox"),
    ("a fox —oref x.png", "a fox"),
    ("(cat:\u200b1.2), <lo\u200bra:a:1>, dog:\u200b:2", "cat, dog"),
    ("a well-lit room -- not dark", "a well-lit room -- not dark"),
    ("(red fox)++ in (snow)1.2, a (tree)--", "red fox in snow, a tree"),
    ("at 10:30, 16:9, ratio 2:1", "at 10:30, 16:9, ratio 2:1"),
    ("雪の中の狐、(赤い:1.1)", "雪の中の狐、 赤い"),
]


@pytest.mark.parametrize(("text", "words"), ROWS)
def test_words_stay_and_the_rest_goes(text: str, words: str) -> None:
    assert words_only(text) == words
    assert words_only(words) == words


@pytest.mark.parametrize("name", ["lora", "LoRA", "lyco", "hypernet"])
@pytest.mark.parametrize(
    "frame", ["{}", "({}:1.2)", "[{}:cat:0.5]", "x{}y", "<{}", "{}>", "\\({}\\)", "{{{}|cat}}", "<{}>"]
)
def test_no_lora_tag_remains(name: str, frame: str) -> None:
    assert not re.search(name, words_only(frame.format(f"<{name}:some-file:0.8>")), re.IGNORECASE)


@pytest.mark.parametrize(
    "part", ["<lora:", "[a:", "(a:1", ":1", "::", "<", "--ar ", "embedding:", " ,", "9", "(", "\\("]
)
def test_a_hostile_text_takes_no_time(part: str) -> None:
    assert len(words_only(part * (200_000 // len(part)))) <= 400_000
