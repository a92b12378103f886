"""Families trained on Danbooru's tags: how many of whom, what is seen, and the tags that are none."""

from __future__ import annotations

from typing import Any

import pytest
from img2prompt.prompts import ImageAnalysis, RenderOptions, family_names, load_family, render
from img2prompt.prompts.chunks import clip_chunks
from img2prompt.tests.unit.prompts.examples import CAFE, DUEL, HARBOUR, analysis, style, subject

BOORU = [name for name in family_names() if load_family(name).vocabulary == "danbooru"]


def tags(found: ImageAnalysis, **options: Any) -> list[str]:
    """The tags for Illustrious, which has neither prefix nor rating, without its suffix."""
    return render(found, "illustrious", RenderOptions(**options)).positive.split(", ")[:-2]


def people(*subjects: dict[str, Any], **fields: Any) -> list[str]:
    return tags(analysis(subjects=[subject(**one) for one in subjects], **fields))


def test_there_are_four() -> None:
    assert BOORU == ["animagine4", "illustrious", "noobai", "pony"]


@pytest.mark.parametrize(
    ("subjects", "counted"),
    [
        ([{}], ["1girl", "solo"]),
        ([{"gender": "male"}], ["1boy", "solo"]),
        ([{"gender": "androgynous"}], ["1other", "solo"]),
        ([{"count": 2}], ["2girls"]),
        ([{}, {}, {"gender": "male"}], ["2girls", "1boy"]),
        ([{"count": 5}], ["5girls"]),
        ([{"count": 6}], ["6+girls"]),
        ([{"count": 20, "gender": "male"}, {"kind": "animal", "appearance": ["dog"]}], ["6+boys", "dog"]),
        ([{"kind": "animal", "appearance": ["cat"]}], ["no humans", "cat"]),
        ([{"kind": "robot", "gender": "not applicable"}], ["no humans", "robot"]),
        ([{"kind": "robot"}], ["1girl", "solo", "robot"]),
        ([{"kind": "creature", "appearance": ["mermaid"]}], ["1girl", "solo", "mermaid"]),
        ([{"kind": "character", "gender": "unknown"}], ["1other", "solo"]),
        ([{"age": "child"}], ["1girl", "solo", "child"]),
        ([{"age": "elderly", "gender": "male"}], ["1boy", "solo", "old man"]),
    ],
)
def test_people_are_counted(subjects: list[dict[str, Any]], counted: list[str]) -> None:
    assert people(*subjects) == counted


@pytest.mark.parametrize(
    ("seen", "counted"),
    [
        (["1girl", "solo", "hat"], ["1girl", "solo", "hat"]),
        (["6+Girls", "hat"], ["6+girls", "hat"]),
        (["No_Humans", "beach"], ["no humans", "beach"]),
        (["beach"], ["beach"]),  # nobody was told of: that is not the same as nobody being there
    ],
)
def test_without_subjects_the_models_own_tags_count(seen: list[str], counted: list[str]) -> None:
    assert tags(analysis(tags=seen)) == counted


@pytest.mark.parametrize(
    ("fields", "printed"),
    [
        ({"tags": ["gray hair", "grey_hair"]}, ["grey hair"]),
        ({"tags": ["long red hair"]}, ["long hair", "red hair"]),
        ({"tags": ["animal ears", "cat ears"]}, ["cat ears"]),
        ({"tags": ["sword", "holding sword", "weapon"]}, ["holding sword"]),
        ({"tags": ["^_^", "(O)_(O)", ":d", "tree"]}, ["^_^", r"\(o\)_\(o\)", ":d", "tree"]),
        ({"tags": ["score_9", "source_anime", "rating_explicit", "masterpiece", "tree"]}, ["tree"]),
        ({"tags": ["woman", "a girl", "men", "tree"]}, ["tree"]),
        ({"tags": ["flobbert", "tree"]}, ["flobbert", "tree"]),
        ({"setting": ["sitting on a wooden chair"]}, ["no humans", "sitting", "wooden chair"]),
        ({"setting": ["beach"], "tags": ["woman"]}, ["beach"]),
        ({"tags": ["watermark", "signature", "tree"]}, ["tree"]),
        ({"tags": ["blurry", "tree"], "flaws": {"items": ["blur"]}}, ["tree"]),
        ({"contrast": "high contrast", "tags": ["tree"]}, ["high contrast", "tree"]),
        ({"palette": [{"name": "red", "role": "dominant"}, {"name": "teal", "role": "accent"}]}, ["red theme"]),
        ({"shot": "cowboy shot", "angle": "from below"}, ["cowboy shot", "from below"]),
        ({"view": "back", "tags": ["tree"]}, ["from behind", "tree"]),
        ({"medium": "watercolor"}, [r"watercolor \(medium\)"]),
        ({"medium": "anime illustration", "tags": ["tree"]}, ["tree"]),
        ({"light": "golden hour", "light_direction": "back"}, ["sunset", "backlighting"]),
        ({"style": style(era="19th century"), "tags": ["tree"]}, ["tree"]),
        ({"caption": "A girl in a black dress. A tree."}, ["black dress", "tree"]),
    ],
)  # fmt: skip
def test_what_is_seen_becomes_danbooru_s_tags(fields: dict[str, Any], printed: list[str]) -> None:
    assert sorted(tags(analysis(**fields))) == sorted(printed)


@pytest.mark.parametrize(
    ("unknown", "printed"),
    [
        ("keep", ["no humans", "holding paper cup", "narrow alley", "flobbert"]),
        ("drop", ["no humans", "holding cup", "alley"]),
    ],
)
def test_tags_that_danbooru_does_not_have_are_kept_or_dropped(unknown: str, printed: list[str]) -> None:
    found = analysis(setting=["narrow alley"], tags=["holding paper cup", "flobbert"])
    options = RenderOptions.from_texts(unknown_tags=unknown)
    prompt = render(found, "illustrious", options).positive
    assert sorted(prompt.split(", ")[:-2]) == sorted(printed)


@pytest.mark.parametrize("family", BOORU)
def test_a_character_comes_with_its_series_after_the_count(family: str) -> None:
    found = analysis(subjects=[subject(known_character="Saber (Fate)", appearance=["blonde hair"])])
    prompt = render(found, family).positive
    assert r"1girl, solo, saber \(fate\), fate, " in prompt


@pytest.mark.parametrize("family", BOORU)
def test_a_second_subjects_details_stay_together(family: str) -> None:
    prompt = render(DUEL, family, RenderOptions(token_budget=300)).positive
    assert "2girls" in prompt
    assert prompt.index("silver hair") < prompt.index("armor") < prompt.index("black hair") < prompt.index("scar")


@pytest.mark.parametrize(
    ("family", "rating", "printed"),
    [
        ("pony", "general", "rating_safe"),
        ("pony", "sensitive", "rating_safe"),
        ("pony", "explicit", "rating_explicit"),
        ("noobai", "general", "safe"),
        ("noobai", "explicit", "explicit"),
        ("animagine4", "questionable", "nsfw"),
    ],
)
def test_the_rating_word(family: str, rating: str, printed: str) -> None:
    grown = analysis(subjects=[subject(appearance=["red hair"])], rating=rating)
    assert printed in render(grown, family).positive.split(", ")
    child = analysis(subjects=[subject(appearance=["red hair"], age="child")], rating=rating)
    general = load_family(family).rating["general"]
    prompt = render(child, family)
    assert general in prompt.positive.split(", ")
    assert printed == general or printed not in prompt.positive.split(", ")


def test_a_negative_does_not_forbid_what_the_rating_allows() -> None:
    grown = analysis(subjects=[subject(appearance=["red hair"])], rating="explicit")
    assert "nsfw" not in render(grown, "noobai").negative.split(", ")
    assert "nsfw" in render(CAFE, "noobai").negative.split(", ")


def test_noobai_forbids_animals_only_where_there_is_none() -> None:
    cat = analysis(subjects=[subject(kind="animal", appearance=["cat"])])
    assert "mammal" in render(CAFE, "noobai").negative
    assert "mammal" not in render(cat, "noobai").negative


@pytest.mark.parametrize(
    ("medium", "source"),
    [("anime illustration", "source_anime"), ("cartoon", "source_cartoon"), ("photograph", None)],
)
def test_pony_is_told_the_source(medium: str, source: str | None) -> None:
    found = analysis(medium=medium, tags=["tree"])
    printed = [tag for tag in render(found, "pony").positive.split(", ") if tag.startswith("source_")]
    assert printed == ([source] if source else [])


@pytest.mark.parametrize("family", [name for name in family_names() if load_family(name).form == "tags"])
@pytest.mark.parametrize("found", [CAFE, DUEL, HARBOUR], ids=["cafe", "duel", "harbour"])
def test_each_chunk_is_in_the_family_s_order(family: str, found: ImageAnalysis) -> None:
    facts = load_family(family)
    one_of_each = {
        "count": "1girl", "subject": "woman", "appearance": "mauve hair", "clothing": "straw hat", "action": "waving",
        "setting": "beach", "shot": "close-up", "light": "night", "style": "cubism", "mood": "calm", "general": "kite",
        "rating": facts.rating.get("general", "?"), "character": r"rin \(series\)",
    }  # fmt: skip
    single = analysis(
        subjects=[
            subject(
                known_character="Rin (series)", appearance=["mauve hair"], clothing=["straw hat"], action=["waving"]
            )
        ],
        setting=["beach"], shot="close-up", light="night", style=style(movement="cubism", mood=["calm"]), tags=["kite"],
    )  # fmt: skip
    prompt = render(single, family, RenderOptions(token_budget=300)).positive
    assert len(clip_chunks(prompt)) <= 2
    places = [prompt.find(one_of_each[slot]) for slot in facts.order if slot in one_of_each]
    said = [place for place in places if place >= 0]
    assert said == sorted(said)
    assert len(said) >= len(places) - 1  # either counted or named
    assert render(found, family).positive


@pytest.mark.parametrize(
    ("family", "emphasis", "written"),
    [
        ("sdxl", "subject", "(young woman:1.2), (red hair:1.2)"),
        ("sdxl", "style", "(photograph:1.2), (film grain:1.2)"),
        ("noobai", "subject", "(red hair:1.2), (freckles:1.2)"),
        ("noobai", "style", r"(photo \(medium\):1.2), (film grain:1.2)"),
    ],
)
def test_emphasis_is_a_weight_where_clip_reads_it(family: str, emphasis: str, written: str) -> None:
    prompt = render(CAFE, family, RenderOptions.from_texts(emphasis=emphasis)).positive
    assert written in prompt
    assert ":1.2)" not in render(CAFE, family).positive


@pytest.mark.parametrize("family", [name for name in family_names() if not load_family(name).weights_allowed])
def test_elsewhere_what_is_stressed_is_said_first(family: str) -> None:
    plain, subject_first, style_first = (
        render(CAFE, family, RenderOptions.from_texts(emphasis=emphasis)).positive
        for emphasis in ("none", "subject", "style")
    )
    assert subject_first == plain
    assert plain.startswith("A young woman")
    assert style_first.startswith(("Film grain", "Photograph"))
    assert "A young woman" in style_first
    assert ":1" not in style_first
