"""render(): one table per promise, on analyses in which one thing matters."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any, cast, get_args

import pytest
from img2prompt.prompts import (
    ImageAnalysis,
    LookAt,
    PromptError,
    RenderOptions,
    UnknownFamily,
    count_tokens,
    load_family,
    render,
)
from img2prompt.prompts.slots import LIMITS, SLOTS_OF
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR, SKETCH, analysis, color, style, subject

FAMILIES = ("sdxl", "flux1")


def tags(found: ImageAnalysis, **options: Any) -> list[str]:
    return render(found, "sdxl", RenderOptions(**options)).positive.split(", ")


def seen(text: str, where: str = "") -> dict[str, str]:
    return {"text": text, "where": where}


def prose(found: ImageAnalysis, **options: Any) -> str:
    return render(found, "flux1", RenderOptions(**options)).positive


@pytest.mark.parametrize(
    ("fields", "printed"),
    [
        ({"tags": ["red_hair", "Red-Hair", "RED HAIR", " red  hair. "]}, ["red hair"]),
        ({"tags": ["red hair, blue eyes; hat"]}, ["red hair", "blue eyes", "hat"]),
        ({"tags": ["masterpiece", "best quality", "8k", "highly detailed", "score_9", "tree"]}, ["tree"]),
        ({"tags": ["1girl", "solo", "2boys", "no humans", "tree"]}, ["tree"]),
        ({"tags": ["unknown", "not applicable", "other", "none", "", "tree"]}, ["tree"]),
        ({"tags": ["smile :)", "(red:1.4)", "<lora:x:1>", "{a|b}"]}, [r"smile :\)", r"\(red:1.4\)", "a b"]),
        ({"tags": ["tree", "x" * 31 + " cut offa"]}, ["tree", "x" * 31 + " cut"]),  # 40 characters: cut by the schema
        ({"tags": ['"open" sign']}, ["open sign"]),
        ({"medium": "other", "tags": ["tree"]}, ["tree"]),
        ({"medium": "oil painting"}, ["oil painting"]),
        ({"style": style(movement="cubism", confidence="low"), "tags": ["tree"]}, ["tree"]),
        ({"style": style(movement="cubism")}, ["cubism"]),
        ({"style": style(influences=["Somebody"]), "tags": ["tree"]}, ["tree"]),
        ({"contrast": "low key", "light": "unknown"}, ["low-key lighting"]),
        ({"lens": "normal", "focus": "shallow"}, ["shallow depth of field"]),
        ({"palette": [color("Sea_Green", "accent"), color("red", "dominant")]}, ["red and sea green color palette"]),
        ({"setting": ["beach"], "tags": ["beach", "sandy beach"]}, ["beach", "sandy beach"]),
        ({"setting": ["sandy beach"], "tags": ["beach"]}, ["sandy beach"]),
        ({"caption": "This image shows a house, stunning. Red roof."}, ["a house", "red roof"]),
        ({"caption": "A house.", "tags": ["tree"]}, ["tree"]),
        ({"caption": "Photograph, a house. A house.", "medium": "photograph"}, ["photograph", "a house"]),
    ],
)  # fmt: skip
def test_fields_become_tags(fields: dict[str, Any], printed: list[str]) -> None:
    assert tags(analysis(**fields)) == printed


@pytest.mark.parametrize(
    ("subjects", "printed"),
    [
        ([{}], "woman"),
        ([{"gender": "male", "age": "elderly"}], "elderly man"),
        ([{"age": "young adult", "count": 3}], "three young women"),
        ([{"gender": "unknown", "age": "unknown", "count": 2}], "two people"),
        ([{"gender": "unknown", "age": "elderly"}], "elderly person"),
        ([{"gender": "androgynous"}], "androgynous person"),
        ([{"age": "child"}], "girl"),
        ([{"gender": "male", "age": "teen", "count": 2}], "two teenage boys"),
        ([{"gender": "unknown", "age": "child", "count": 20}], "twenty children"),
        ([{"gender": "not applicable", "age": "teen"}], "teenager"),
        ([{"appearance": ["red hair"]}, {"appearance": ["black hair"]}], "two women, red hair, black hair"),
        ([{"count": 2}, {"gender": "male"}], "two women, man"),
        ([{"kind": "character", "gender": "unknown"}], "character"),
        ([{"kind": "character", "known_character": "Rin (series)"}], r"woman, rin \(series\)"),
        ([{"kind": "animal", "appearance": ["tabby cat"]}], "tabby cat"),
        ([{"kind": "animal", "appearance": ["tabby cat"], "count": 2}], "two animals, tabby cat"),
        ([{"kind": "robot", "appearance": ["rusty"]}], "robot, rusty"),
        ([{"kind": "food", "count": 4}], "four dishes"),
        ([{"kind": "object", "appearance": ["red circle"]}], "red circle"),
        ([{"clothing": ["hat"], "action": ["running"], "expression": "happy"}], "woman, hat, running, happy"),
    ],
)
def test_subjects_are_named_and_counted(subjects: list[dict[str, Any]], printed: str) -> None:
    found = analysis(subjects=[subject(**fields) for fields in subjects])
    assert render(found, "sdxl", RenderOptions(look_at="subject")).positive == printed


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
    options = {"leave_out": leave_out, "token_budget": 300}
    everything, less = tags(CAFE, token_budget=300), tags(CAFE, **options)
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


@pytest.mark.parametrize(
    ("caption", "printed"),
    [
        ("This image shows a cat.", "A cat."),
        ("In this picture, we can see a cat.", "A cat."),
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
    assert prose(found).removesuffix(" Centered subject.") == printed


def test_prose_says_only_once_what_the_caption_says() -> None:
    found = analysis(
        caption="A woman in a red hat waits in the rain.",
        subjects=[subject(appearance=["green eyes"], clothing=["red hat"], action=["waiting"])],
        setting=["rain", "bus stop"],
        visible_text=[seen('No "EXIT" (here)', "the wall"), seen(""), seen("7"), seen("red hat", "a label")],
        tags=["hat", "puddle"],
    )
    assert prose(found) == (
        "A woman in a red hat waits in the rain. The woman, green eyes. The setting: bus stop. Centered subject. "
        'Text "No \'EXIT\' \\(here\\)" on the wall. Text "7". Also visible: puddle.'
    )


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


@pytest.mark.parametrize("family", FAMILIES)
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


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_sketch_engine_finds_makes_a_prompt(family: str) -> None:
    for look_at in ("everything", "style"):
        assert "navy" in render(SKETCH, family, RenderOptions(look_at=look_at)).positive.lower()
    assert not re.search(r"\b(other|unknown|not applicable|subject)\b", render(SKETCH, family).positive)


CHILD_SIGNS = [
    {"subjects": [subject(age="child")]},
    {"subjects": [subject(age="adult"), subject(age="teen", gender="male")]},
    {"caption": "Two kids at a lake."},
    {"tags": ["school_girl"]},
    {"tags": ["chi\u200bld"]},
    {"setting": ["14 years old"]},
    {"subjects": [subject(appearance=["14-year-old"])]},
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sign", CHILD_SIGNS)
def test_with_a_child_no_adult_wording_gets_out(family: str, sign: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"rating": "explicit", "tags": [], "caption": ""} | sign
    fields["tags"] = [*fields["tags"], "nude", "sexy_pose", "see-through dress", "tree"]
    fields["caption"] += " A naked figure, cleavage shown, stands by a tree. She is topless."
    fields["style"] = style(technique=["erotic art", "pencil"], mood=["sensual", "calm"])
    found = render(analysis(**fields), family)
    everything = f"{found.positive} {found.style} {found.caption}".lower()
    assert not re.search(r"nude|naked|sexy|see.through|cleavage|topless|erotic|sensual|explicit", everything)
    assert "tree" in found.positive
    assert "pencil" in found.style


def test_with_a_child_the_negative_says_so_and_the_prefix_may_not_be_adult() -> None:
    child = analysis(subjects=[subject(age="child")])
    assert render(child, "sdxl").negative.startswith("nsfw, ")
    with pytest.raises(PromptError, match="take 'nude' out of the prefix"):
        render(child, "sdxl", RenderOptions(prefix="(nude:1.2)"))


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_child_the_analysis_is_rendered_as_it_is(family: str) -> None:
    found = render(analysis(caption="A nude statue.", tags=["nude"], rating="questionable"), family)
    assert "nude" in found.positive.lower()


@pytest.mark.parametrize(
    ("flaws", "tags", "negative"),
    [
        ([], [], "blurry, deformed, low resolution, watermark"),
        (
            ["blur", "text overlay", "extra fingers"],
            [],
            "blurry, deformed, low resolution, watermark, text, extra fingers",
        ),
        (["noise"], ["blurry", "watermark"], "deformed, low resolution, noisy"),
    ],
)
def test_the_negative_is_the_familys_and_the_flaws_seen(flaws: list[str], tags: list[str], negative: str) -> None:
    found = analysis(flaws={"items": flaws}, tags=["tree", *tags])
    assert render(found, "sdxl").negative == negative
    assert render(found, "flux1").negative == ""


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (
            CAFE,
            [
                "Medium: photograph",
                "Technique: film grain",
                "Palette: amber, navy blue, grey",
                "Light: golden hour light, side lighting",
                "Composition: three-quarter length shot, three-quarter view, shallow depth of field, telephoto lens, "
                "rule of thirds",
                "Mood: calm, nostalgic",
            ],
        ),
        (
            HARBOUR,
            [
                "Medium: oil painting",
                "Movement: impressionism",
                "Era: 19th century",
                "Technique: visible brushstrokes, canvas",
                "Palette: pink, slate blue",
                "Light: daylight, backlighting, low-key lighting",
                "Composition: wide shot, high horizon",
            ],
        ),
        (SKETCH, ["Palette: navy, gold, crimson", "Light: low-key lighting"]),
        (analysis(tags=["x"], style=style(movement="Op (art)", confidence="low")), ["Movement: op (art) (uncertain)"]),
        (analysis(tags=["tree"]), []),
    ],
)  # fmt: skip
def test_the_art_style_analysis(found: ImageAnalysis, lines: list[str]) -> None:
    assert render(found, "sdxl").style.splitlines() == lines


def test_the_caption_is_for_reading() -> None:
    found = analysis(caption="This image shows a (big)\ncat {x|y} sat.", tags=["cat"])
    assert (
        render(found, "flux1", RenderOptions(leave_out=("cat",), prefix="p")).caption
        == "This image shows a (big) cat x y sat."
    )


def test_an_unknown_family_is_an_error() -> None:
    with pytest.raises(UnknownFamily, match="did you mean 'flux1'"):
        render(CAFE, "flux")
    with pytest.raises(UnknownFamily):
        RenderOptions().check("flux")


@pytest.mark.parametrize(
    ("typed", "options"),
    [
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


def test_the_limits_are_the_schemas() -> None:
    def longest(*path: str) -> int:
        schema = ImageAnalysis.model_json_schema()
        node = schema
        for name in path:
            node = node["properties"][name]
            node = node.get("items", node)
            node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        return cast(int, node["maxLength"])

    assert {
        "tag": longest("tags"),
        "expression": longest("subjects", "expression"),
        "known_character": longest("subjects", "known_character"),
        "mood": longest("style", "mood"),
        "color": longest("palette", "name"),
        "visible_text": longest("visible_text", "text"),
        "where": longest("visible_text", "where"),
    } == LIMITS


def test_importing_the_package_loads_nothing_heavy_and_render_stays_the_function() -> None:
    program = """
import sys, img2prompt.prompts
heavy = {"pydantic", "PIL", "numpy", "tokenizers", "tomllib"} & sys.modules.keys()
assert not heavy, heavy
import img2prompt.prompts.render
from img2prompt.prompts import *
from img2prompt.prompts import __all__, render
assert callable(render) and all(name in globals() for name in __all__)
assert "tokenizers" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_three_examples_differ_by_family() -> None:
    for found in (CAFE, HARBOUR, DUEL):
        assert len({render(found, family).positive for family in FAMILIES}) == 2
