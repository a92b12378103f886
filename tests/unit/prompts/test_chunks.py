"""CLIP's chunks of 75 tokens: where ComfyUI cuts, and that no tag of ours is cut there (tests/comfyui compares)."""

from __future__ import annotations

import math

import pytest
from img2prompt.prompts import PromptError, RenderOptions, count_tokens, family_names, load_family, parse, render
from img2prompt.prompts.chunks import clip_chunks, cut_tag, segment
from img2prompt.prompts.families import CLIP_CHUNK
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR, analysis, subject

CLIP_FAMILIES = [name for name in family_names() if load_family(name).encoder == "clip"]
TEN = ", ".join(["cat"] * 5)  # 9 tokens; with a comma after it, 10


@pytest.mark.parametrize(
    ("prompt", "chunks"),
    [
        ("", [""]),
        ("a cat", ["a cat"]),
        (", ".join([TEN] * 7 + ["a, b, cd"]), None),
        (", ".join([TEN] * 7) + ", extraordinarily long hair, x", None),
        (", ".join([TEN] * 7) + ", a, (b c d e f:1.0), x", [", ".join([TEN] * 7) + ", a, ", "b c d e f, x"]),
        (", ".join([TEN] * 7) + ", a, (b c d:1.0), x", [", ".join([TEN] * 7) + ", a, b c d", ", x"]),
    ],
)
def test_a_prompt_is_read_in_chunks_that_together_are_the_prompt(prompt: str, chunks: list[str] | None) -> None:
    read = list(clip_chunks(prompt))
    assert "".join(read) == "".join(text for text, _ in parse(prompt))
    assert all(count_tokens(chunk.replace("(", r"\(").replace(")", r"\)"), "clip") <= CLIP_CHUNK for chunk in read)
    if chunks is not None:
        assert read == chunks


@pytest.mark.parametrize(
    ("prompt", "tag"),
    [
        (", ".join(["red hair"] * 24), None),
        (", ".join(["red hair"] * 26), None),  # 75 tokens are 25 times three
        (", ".join(["cat", *["red hair"] * 30]), 25),
        (", ".join(["cat", *["red hair"] * 24, "(red hair:1.0)", "red hair"]), None),
        (", ".join(["cat", "a b", *["red hair"] * 50]), 25),
    ],
)
def test_the_tag_that_is_cut_is_found(prompt: str, tag: int | None) -> None:
    assert cut_tag(prompt) == tag


@pytest.mark.parametrize(
    ("text", "weight", "written"),
    [
        ("red hair", 1.0, "(red hair:1.0)"),
        ("saber (fate)", 1.2, r"(saber \(fate\):1.2)"),
        ("a b c d e f g h i", 1.0, "(a b c d e f g:1.0) h i"),
        ("a b c d e f g h i", 1.2, "(a b c d e f g:1.2)( h i:1.2)"),
    ],
)
def test_a_segment_of_its_own(text: str, weight: float, written: str) -> None:
    assert segment(text, weight) == written
    assert "".join(part for part, _ in parse(written)) == text
    assert {of for _, of in parse(written)} == {weight}


LONG = [f"{color} {thing}" for thing in ("kimono", "suspenders", "kneehighs") for color in ("crimson", "teal", "ash")]
CROWD = analysis(
    subjects=[
        subject(appearance=["freckles", "tail"], clothing=LONG, known_character="Saber Alter Of Old (Fate Stay Night)"),
        subject(gender="male", appearance=["extraordinarily long blonde braided hair"], clothing=LONG[::-1]),
    ],
    setting=["a winter forest near the river", "torii", "snow"],
    tags=[f"{animal} in the snow" for animal in ("fox", "hare", "stag", "owl", "wolf", "lynx", "otter", "marten")],
)


@pytest.mark.parametrize("emphasis", ["none", "subject", "style"])
@pytest.mark.parametrize("family", CLIP_FAMILIES)
@pytest.mark.parametrize("found", [CAFE, DUEL, HARBOUR, CROWD], ids=["cafe", "duel", "harbour", "crowd"])
def test_no_tag_is_cut_and_the_budget_is_used(family: str, found: object, emphasis: str) -> None:
    for budget in (0, *range(30, 240, 7)):
        options = RenderOptions.from_texts(token_budget=budget, emphasis=emphasis, prefix="ohwx")
        try:
            prompt = render(found, family, options)  # type: ignore[arg-type]
        except PromptError as error:
            assert "budget" in str(error)
            continue
        assert cut_tag(prompt.positive) is None
        assert prompt.tokens == count_tokens(prompt.positive, "clip") <= prompt.budget
        assert len(clip_chunks(prompt.positive)) <= math.ceil(prompt.budget / CLIP_CHUNK)


@pytest.mark.parametrize("family", ["pony", "illustrious", "noobai", "animagine4"])
def test_what_tells_most_is_in_the_first_chunk(family: str) -> None:
    first, *more = clip_chunks(render(CROWD, family, RenderOptions(prefix="ohwx")).positive)
    assert more
    for essential in ("ohwx", "1girl, 1boy", "saber alter of old (fate stay night)", "freckles", "crimson kimono"):
        assert essential in first
    if word := load_family(family).rating.get("general"):
        assert word in first


def test_a_tag_that_no_chunk_boundary_could_spare_is_left_out() -> None:
    monster = "supercalifragilisticexpialidocious"  # one word of more than seven tokens
    assert count_tokens(monster, "clip") > 7
    found = analysis(tags=[f"cat{number}" for number in range(23)] + [f"{monster}{letter}" for letter in "abcdef"])
    for budget in range(76, 150, 5):
        prompt = render(found, "sdxl", RenderOptions(token_budget=budget))
        assert cut_tag(prompt.positive) is None
