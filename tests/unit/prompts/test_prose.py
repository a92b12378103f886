"""Prompts in sentences: the caption's, shortened if need be, and what is added to it."""

from __future__ import annotations

from typing import Any

import pytest
from img2prompt.prompts import ImageAnalysis, RenderOptions, render
from img2prompt.tests.unit.prompts.examples import analysis, subject


def seen(text: str, where: str = "") -> dict[str, str]:
    return {"text": text, "where": where}


def prose(found: ImageAnalysis, **options: Any) -> str:
    return render(found, "flux1", RenderOptions(**options)).positive


@pytest.mark.parametrize(
    ("caption", "printed"),
    [
        ("This image shows a cat.", "A cat."),
        ("In this picture, we can see a cat.", "A cat."),
        ("A black_ cat _sits_ .", "A black cat sits."),
        ("The image is a painting of a cat.", "A painting of a cat."),
        ("The photograph beautifully captures the cat.", "The cat."),
        ("A cat, stunning, highly detailed. Masterpiece.", "A cat."),
        ("A cat {on|under} a mat (old) // yes", r"A cat on under a mat \(old\) yes."),
        ('He said "Go." Then he went', 'He said "Go." Then he went.'),
        ("3.5 metres of wall, e.g. brick.", "3.5 metres of wall, e.g. brick."),
        ("猫が眠る。犬が走る。", "猫が眠る。 犬が走る。"),
        ("A cat. " + "Word " * 178 + "cut o", "A cat."),
    ],
)
def test_captions_become_sentences(caption: str, printed: str) -> None:
    assert prose(analysis(caption=caption[:900])) == printed


@pytest.mark.parametrize(
    ("budget", "printed"),
    [
        (0, "A grey cat with white paws sleeps on a red sofa, near a window. It rains."),
        (25, "A grey cat with white paws sleeps on a red sofa, near a window. It rains."),
        (24, "A grey cat with white paws sleeps on a red sofa, near a window."),
        (20, "A grey cat with white paws sleeps on a red sofa."),
        (15, "A grey cat with white paws sleeps."),
        (10, "A grey cat."),
        (3, "A grey."),
    ],
)
def test_prose_is_cut_at_sentences_then_clauses_then_words(budget: int, printed: str) -> None:
    found = analysis(caption="A grey cat with white paws sleeps on a red sofa, near a window. It rains.")
    assert prose(found, token_budget=budget) == printed


@pytest.mark.parametrize(
    ("caption", "subjects", "printed"),
    [
        ("", [{"appearance": ["tall"]}], "A woman, tall."),
        ("", [{"age": "elderly"}], "An elderly woman."),
        ("", [{"count": 3, "clothing": ["hats", "coats"]}], "Three women, wearing hats and coats."),
        ("A woman waits.", [{}], "A woman waits."),
        ("A mother waits.", [{}], "A mother waits."),
        ("A woman waits.", [{"appearance": ["tall"]}], "A woman waits. The woman, tall."),
        ("Two women.", [{"action": ["sad"]}, {"action": ["old"]}], "Two women. One woman, sad. Another woman, old."),
        ("A cat sleeps.", [{"kind": "animal", "appearance": ["tabby cat"]}], "A cat sleeps. Tabby cat."),
    ],
)  # fmt: skip
def test_prose_speaks_of_the_subjects_that_the_caption_named(
    caption: str, subjects: list[dict[str, Any]], printed: str
) -> None:
    found = analysis(caption=caption, subjects=[subject(**fields) for fields in subjects])
    assert prose(found).removesuffix("") == printed


def test_prose_says_only_once_what_the_caption_says() -> None:
    found = analysis(
        caption="A woman in a red hat waits in the rain.",
        subjects=[subject(appearance=["green eyes"], clothing=["red hat"], action=["waiting"])],
        setting=["rain", "bus stop"],
        visible_text=[seen('No "EXIT" (here)', "the wall"), seen(""), seen("7"), seen("red hat", "a label")],
        tags=["hat", "puddle"],
    )
    assert prose(found) == (
        "A woman in a red hat waits in the rain. The woman, green eyes. The setting: bus stop. "
        'Text "No \'EXIT\' \\(here\\)" on the wall. Text "7". Also visible: puddle.'
    )


def test_the_caption_is_for_reading() -> None:
    found = analysis(caption="This image shows a (big)\ncat {x|y} sat.", tags=["cat"])
    assert (
        render(found, "flux1", RenderOptions(leave_out=("cat",), prefix="p")).caption
        == "This image shows a (big) cat x y sat."
    )
