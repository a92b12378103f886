"""RenderOptions: each promise about what is looked at, the prefix, the words left out and the budget."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from img2prompt.prompts import (
    ImageAnalysis,
    LookAt,
    PromptError,
    RenderOptions,
    count_tokens,
    family_names,
    load_family,
    parse,
    render,
)
from img2prompt.prompts.slots import SLOTS_OF
from img2prompt.tests.unit.prompts.examples import CAFE, HARBOUR, analysis, style, subject

FAMILIES = ("sdxl", "flux1")


def tags(found: ImageAnalysis, **options: Any) -> list[str]:
    return render(found, "sdxl", RenderOptions(**options)).positive.split(", ")


def prose(found: ImageAnalysis, **options: Any) -> str:
    return render(found, "flux1", RenderOptions(**options)).positive


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("look_at", "says", "keeps_quiet_about"),
    [
        ("subject", "red hair/blue dress/smile", "photograph/alley/golden/amber/telephoto/calm"),
        ("style", "film grain/calm/golden hour/amber", "woman/hair/bench/alley/hat/telephoto"),
        ("composition", "narrow alley/rule of thirds/depth of field/on the left", "woman/hair/amber/grain"),
    ],
)  # fmt: skip
def test_looking_at_one_aspect(family: str, look_at: LookAt, says: str, keeps_quiet_about: str) -> None:
    positive = render(CAFE, family, RenderOptions(look_at=look_at)).positive.lower()
    assert [word for word in says.split("/") if word not in positive] == []
    assert [word for word in keeps_quiet_about.split("/") if word in positive] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_style_prompt_names_no_subject_that_slipped_into_the_style(family: str) -> None:
    found = analysis(
        subjects=[subject(kind="character", known_character="Rin (series)")],
        style=style(
            technique=["soft shading on the woman's skin", "rin (series) style", "halftone dots", "outlined man"]
        ),
    )
    assert render(found, family, RenderOptions(look_at="style")).positive.strip(".").lower() == "halftone dots"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "prefix",
    ["ohwx_style", "(ohwx:1.2)", r"a \(b\)", "embedding:mine", "<lora:x:0.8>, a", "[a|b]", "a {b|c},", "Ünï ", "16:9"],
)
def test_the_prefix_comes_first_exactly_as_written(family: str, prefix: str) -> None:
    with_prefix, without = render(HARBOUR, family, RenderOptions(prefix=prefix)), render(HARBOUR, family)
    assert with_prefix.positive.startswith(prefix.strip())
    assert with_prefix.positive[len(prefix.strip()) :].lstrip(", ")[:20] == without.positive[:20]
    assert with_prefix.tokens == count_tokens(with_prefix.positive, load_family(family).encoder)


def test_no_tag_repeats_the_prefix() -> None:
    assert tags(CAFE, prefix="(Red_Hair:1.2), straw hat")[2:5] == ["young woman", "freckles", "green eyes"]
    assert "straw hat" not in tags(CAFE, prefix="(Red_Hair:1.2), straw hat")[2:]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("(open", "do not balance"),
        ("shut)", "do not balance"),
        (")(", "do not balance"),
        (r"\(a)", "do not balance"),
        ("embedding:", "without a name"),
        ("a, embedding: cat", "without a name"),
        ("(EMBEDDING:)", "without a name"),
        ("embedding:, a", "without a name"),
        ("(a:nan)", "finite"),
        ("(a:1e999)", "finite"),
        ("a\0b", "control characters"),
        ("\ud800", "control characters"),
        ("(" * 99 + ")" * 99, "deep"),
        ("long " * 600, "takes 600 tokens|takes 601 tokens"),
    ],
)
def test_a_prefix_that_would_change_what_follows_is_refused(family: str, prefix: str, message: str) -> None:
    options = RenderOptions(prefix=prefix)
    for use in (lambda: render(CAFE, family, options), lambda: options.check(family)):
        with pytest.raises(PromptError, match=message):
            use()


@pytest.mark.parametrize(
    ("leave_out", "gone", "stays"),
    [
        (("hat",), ["straw hat"], ["blue dress"]),
        (("HAIR",), ["red hair", "long hair"], ["freckles"]),
        (("green_eyes", "stone  walls"), ["green eyes", "stone walls"], ["red hair"]),
        (("hai", "dres", "bencher", "ha"), [], ["red hair", "blue dress", "sitting on bench"]),
        (("photograph",), ["photograph"], ["film grain"]),
        (("close-up",), [], ["red hair"]),
        (("three quarter",), ["three-quarter view"], []),
        ((" ", "", ",", "("), [], ["red hair"]),
    ],
)
def test_words_left_out_of_tags(leave_out: tuple[str, ...], gone: list[str], stays: list[str]) -> None:
    everything, less = (
        "".join(text for text, _ in parse(", ".join(tags(CAFE, token_budget=300, leave_out=words)))).split(", ")
        for words in ((), leave_out)
    )
    assert set(gone) <= set(everything)
    assert not set(gone) & set(less)
    assert set(stays) <= set(less)


@pytest.mark.parametrize(
    ("caption", "leave_out", "printed"),
    [
        ("A dog runs, a cat sleeps, and birds sing.", "cat", "A dog runs, and birds sing."),
        ("A dog runs, and a cat sleeps.", "dog", "A cat sleeps."),
        ("A dog runs; a cat sleeps.", "cat", "A dog runs."),
        ("A dog runs. A cat sleeps.", "dog", "A cat sleeps."),
        ("A dog \u2014 a big one \u2014 runs.", "big one", "A dog \u2014 runs."),
        ("A red circle on a white background.", "white", "A red circle on a background."),
        ("A circle on a white_background.", "white background", "A circle."),
        ("Dogs run.", "dog", "Dogs run."),
    ],
)
def test_words_left_out_of_prose_go_with_their_clause(caption: str, leave_out: str, printed: str) -> None:
    assert prose(analysis(caption=caption), leave_out=(leave_out,)) == printed


@pytest.mark.parametrize("family", FAMILIES)
def test_a_budget_is_kept_whatever_it_is(family: str) -> None:
    lengths = {}
    for budget in range(1, 90):
        for prefix in ("", "(ohwx:1.2)!"):
            try:
                found = render(CAFE, family, RenderOptions(prefix=prefix, token_budget=budget))
            except PromptError as error:
                assert budget < 8, error
                assert "budget" in str(error)
            else:
                assert (
                    found.tokens == count_tokens(found.positive, load_family(family).encoder) <= budget == found.budget
                )
                lengths[budget] = found.tokens
    assert all(budget - tokens < 12 for budget, tokens in lengths.items())  # and it is used


def test_every_kind_of_thing_gets_into_a_tight_budget_before_any_gets_everything() -> None:
    many = [f"{color} thing" for color in ("red", "blue", "green", "pink", "black", "white", "grey", "teal")]
    found = analysis(
        subjects=[subject(clothing=many)], setting=["beach"], light="night", medium="pastel", tags=[*many[:3], "kite"]
    )
    printed = tags(found, token_budget=24)
    assert {"woman", "pastel", "beach", "night", "kite", "red thing"} <= set(printed)
    assert "teal thing" not in printed


@pytest.mark.parametrize("budget", [-1, -75])
def test_a_negative_budget_is_refused(budget: int) -> None:
    with pytest.raises(PromptError, match="cannot be kept"):
        render(CAFE, "sdxl", RenderOptions(token_budget=budget))


@pytest.mark.parametrize("family", family_names())
@pytest.mark.parametrize(
    ("found", "options"),
    [
        (analysis(), {}),
        (analysis(tags=["masterpiece", "unknown"]), {}),
        (analysis(tags=["tree"], caption="A tree."), {"leave_out": ("tree",)}),
        (analysis(tags=["tree"]), {"look_at": "subject"}),
        (analysis(caption="A tree."), {"look_at": "style"}),
        (analysis(), {"prefix": "ohwx"}),
    ],
)
def test_nothing_to_say_is_an_error_not_an_empty_prompt(
    family: str, found: ImageAnalysis, options: dict[str, Any]
) -> None:
    with pytest.raises(PromptError, match="says nothing"):
        render(found, family, RenderOptions(**options))


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        (
            ("style", "", "眼镜，帽子、hat, tie\ncup", 0),
            RenderOptions("style", "", ("眼镜", "帽子", "hat", "tie", "cup"), 0),
        ),
        (
            ("style", " ohwx ", "hat, red  hair,\n,dog", 5),
            RenderOptions("style", "ohwx", ("hat", "red  hair", "dog"), 5),
        ),
        (("everything", "", "", 0), RenderOptions()),
    ],
)
def test_options_as_typed(typed: tuple[str, str, str, int], options: RenderOptions) -> None:
    assert RenderOptions.from_texts(*typed) == options


def test_options_know_what_can_be_looked_at() -> None:
    with pytest.raises(PromptError, match="choose one of everything, subject, style, composition"):
        RenderOptions.from_texts("price", "", "", 0)
    assert SLOTS_OF.keys() == set(get_args(LookAt))
