"""A mix takes each aspect from where it says and nothing from anywhere else, and a child stays a child."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.prompts import (
    ImageAnalysis,
    NothingToSay,
    PromptError,
    Recipe,
    RenderOptions,
    family_names,
    mix,
    read_analysis,
    render,
)
from img2prompt.prompts.minors import adult_words, shows_minor
from img2prompt.prompts.mix import ASPECTS, SOURCES
from img2prompt.tests.unit.prompts.examples import CAFE, HARBOUR, analysis, color, style, subject
from img2prompt.tests.unit.prompts.strategies import analyses

FAMILIES = ("sdxl", "flux1")
"""One of tags and one of sentences."""
ROOM = RenderOptions(token_budget=2000)
"""A budget that leaves nothing out."""
NEITHER = dict.fromkeys(ASPECTS, "neither")

BAKER = analysis(
    caption="Zigzags everywhere.",
    subjects=[
        subject(
            known_character="Mirabel (Ovenland)",
            appearance=["auburn braid"],
            clothing=["linen apron"],
            action=["kneading dough"],
            expression="grinning",
            position="left",
        )
    ],
    setting=["rustic bakery"],
    visible_text=[{"text": "BREAD", "where": "shelf"}],
    shot="close-up",
    angle="from above",
    view="profile",
    lens="macro",
    focus="shallow",
    composition=["leading lines"],
    light="candlelight",
    light_direction="side",
    contrast="low key",
    palette=[color("amber", "dominant")],
    medium="watercolor",
    style=style(
        movement="romanticism", technique=["wet wash"], texture=["rough paper"], mood=["cosy"], era="medieval",
        influences=["Someone"],
    ),
    tags=["flour dust"],
    flaws={"items": ["noise"]},
)  # fmt: skip
SAILOR = analysis(
    caption="Polka dots abound.",
    subjects=[
        subject(
            gender="male",
            age="elderly",
            known_character="Ahab (Whaledom)",
            appearance=["grey beard"],
            clothing=["oilskin coat"],
            action=["hauling ropes"],
            expression="frowning",
            position="right",
        )
    ],
    setting=["windy pier"],
    visible_text=[{"text": "FERRY", "where": "hull"}],
    shot="wide shot",
    angle="dutch angle",
    view="back",
    lens="telephoto",
    focus="deep",
    composition=["golden ratio"],
    light="neon",
    light_direction="rim",
    contrast="high contrast",
    palette=[color("teal", "dominant")],
    medium="pixel art",
    style=style(
        movement="bauhaus", technique=["dithering"], texture=["scanlines"], mood=["eerie"], era="futuristic",
        influences=["Nobody"],
    ),
    tags=["seagulls"],
    flaws={"items": ["blur"]},
)  # fmt: skip
TOLD: dict[str, dict[str, list[str]]] = {
    "A": {
        "subject": ["woman", "mirabel", "auburn braid", "linen apron", "kneading dough", "grinning"],
        "setting": ["rustic bakery"],
        "composition": ["close-up", "from above", "profile view", "macro lens", "shallow", "leading lines"],
        "light": ["candlelight", "side lighting", "low-key"],
        "color": ["amber"],
        "style": ["watercolor", "romanticism", "wet wash", "rough paper", "cosy", "medieval"],
    },
    "B": {
        "subject": ["elderly man", "ahab", "grey beard", "oilskin coat", "hauling ropes", "frowning"],
        "setting": ["windy pier"],
        "composition": ["wide shot", "dutch angle", "seen from behind", "telephoto", "deep focus", "golden ratio"],
        "light": ["neon", "rim lighting", "high contrast"],
        "color": ["teal"],
        "style": ["pixel art", "bauhaus", "dithering", "scanlines", "eerie", "futuristic"],
    },
}
"""What a prompt says of each aspect of the two pictures; no phrase is part of another."""
NEVER = ("zigzag", "flour", "polka", "seagull", "someone", "nobody")
"""What only captions, tags and influences say."""


def everything_told() -> set[str]:
    return {phrase for aspects in TOLD.values() for phrases in aspects.values() for phrase in phrases}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", ["A", "B"])
@pytest.mark.parametrize("aspect", ASPECTS)
def test_one_aspect_alone(aspect: str, source: str, family: str) -> None:
    mixed = mix(BAKER, SAILOR, Recipe.from_texts(**NEITHER | {aspect: source}))
    text = render(mixed, family, ROOM).positive.lower()
    assert {phrase for phrase in everything_told() if phrase in text} == set(TOLD[source][aspect])
    assert not [word for word in NEVER if word in text]
    assert ("bread" in text, "ferry" in text) == (False, False) or aspect == "setting"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", SOURCES[1:])
@pytest.mark.parametrize("aspect", ASPECTS)
def test_one_aspect_changed(aspect: str, source: str, family: str) -> None:
    mixed = mix(BAKER, SAILOR, Recipe.from_texts(**dict.fromkeys(ASPECTS, "A") | {aspect: source}))
    text = render(mixed, family, ROOM).positive.lower()
    of_a = {phrase for name, phrases in TOLD["A"].items() if name != aspect for phrase in phrases}
    changed = set(TOLD[source][aspect] if source in TOLD else [])
    assert {phrase for phrase in everything_told() if phrase in text} == of_a | changed
    assert not [word for word in NEVER if word in text]


def test_by_default_what_is_in_a_is_made_as_b_was() -> None:
    text = render(mix(CAFE, HARBOUR, Recipe()), "flux1").positive
    assert "woman" in text and "alley" in text and "Oil painting, impressionism" in text and "slate blue" in text
    assert not [word for word in ("boat", "harbour", "photograph", "navy", "golden") if word in text.lower()]


@pytest.mark.parametrize("source", ["A", "B"])
def test_all_of_one_picture_is_its_analysis(source: str) -> None:
    recipe = Recipe.from_texts(**dict.fromkeys(ASPECTS, source))
    assert mix(BAKER, SAILOR, recipe) is {"A": BAKER, "B": SAILOR}[source]
    assert mix(BAKER, BAKER, Recipe()) == BAKER


def test_what_speaks_of_the_whole_picture_is_left_behind() -> None:
    mixed = mix(BAKER, SAILOR, Recipe(setting="B"))
    assert (mixed.caption, mixed.tags, mixed.flaws.items) == ("", [], [])
    assert [seen.text for seen in mixed.visible_text] == ["FERRY"]


@pytest.mark.parametrize(
    ("recipe", "place"),
    [
        ({"composition": "A"}, "left"),
        ({"composition": "B"}, "right"),
        ({"composition": "neither"}, "center"),
        ({"subject": "B", "composition": "A"}, "left"),
    ],
)
def test_where_the_subject_is_belongs_to_the_composition(recipe: dict[str, Any], place: str) -> None:
    mixed = mix(BAKER, SAILOR, replace(Recipe(), **recipe))
    assert [seen.position for seen in mixed.subjects] == [place]


def test_a_composition_of_other_subjects_places_none() -> None:
    two = BAKER.model_copy(update={"subjects": BAKER.subjects * 2})
    assert [seen.position for seen in mix(two, SAILOR, Recipe(composition="B")).subjects] == ["center", "center"]


def test_style_and_composition_do_not_name_the_other_subject() -> None:
    b = SAILOR.model_copy(
        update={
            "composition": ["old man in the middle", "tilted horizon"],
            "style": SAILOR.style.model_copy(update={"technique": ["sketch of a man", "stippling"]}),
        }
    )
    mixed = mix(BAKER, b, Recipe(composition="B"))
    assert (mixed.composition, mixed.style.technique) == (["tilted horizon"], ["stippling"])
    own = mix(BAKER, b, Recipe.from_texts(**dict.fromkeys(ASPECTS, "B") | {"setting": "A"}))
    assert (own.composition, own.style) == (b.composition, b.style)


@pytest.mark.parametrize(
    ("recipe", "rating", "confidence"),
    [
        (Recipe(), "sensitive", "low"),
        (Recipe(setting="B"), "explicit", "low"),
        (Recipe(subject="B"), "explicit", "low"),
        (Recipe(subject="neither", setting="neither"), "general", "low"),
        (Recipe(light="neither", color="neither", style="neither"), "sensitive", "medium"),
    ],
)
def test_rating_and_confidence(recipe: Recipe, rating: str, confidence: str) -> None:
    a = BAKER.model_copy(update={"rating": "sensitive", "confidence": "medium"})
    b = SAILOR.model_copy(update={"rating": "explicit", "confidence": "low"})
    mixed = mix(a, b, recipe)
    assert (mixed.rating, mixed.confidence) == (rating, confidence)


@pytest.mark.parametrize(
    "sign",
    [
        {"subjects": [subject(age="child")]},
        {"subjects": [subject(appearance=["14-year-old"])]},
        {"caption": "Two kids (naked) at a lake."},
        {"tags": ["nude school_girl"]},
        {"tags": ["chi\u200bld"]},
        {"setting": ["playground, 9 years old"]},
        {"composition": ["toddler in front"]},
        {"style": style(mood=["childlike"])},
    ],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_child_of_the_picture_that_gives_the_subject_is_kept(family: str, sign: dict[str, Any]) -> None:
    a = analysis(**{"subjects": [subject(clothing=["lingerie", "red scarf"])], "rating": "explicit"} | sign)
    b = SAILOR.model_copy(
        update={"rating": "explicit", "style": SAILOR.style.model_copy(update={"mood": ["sensual", "calm"]})}
    )
    mixed = mix(a, b, Recipe(setting="B", composition="B"))
    assert shows_minor(read_analysis(mixed.model_dump_json()))
    assert mixed.rating == "general"
    assert [seen.age for seen in mixed.subjects] == [seen.age for seen in a.subjects]
    found = render(mixed, family, ROOM)
    assert not adult_words(f"{found.positive} {found.style}") and "calm" in found.positive


def test_a_child_in_the_other_picture_changes_nothing() -> None:
    a = analysis(subjects=[subject(appearance=["nude"])], rating="explicit")
    b = SAILOR.model_copy(update={"caption": "Children at the sea.", "tags": ["baby"]})
    mixed = mix(a, b, Recipe())
    assert not shows_minor(mixed)
    assert (mixed.rating, mixed.tags) == ("explicit", [])
    assert "nude" in render(mixed, "sdxl", ROOM).positive


@pytest.mark.parametrize("words", [{"style": "b", "light": " Neither "}, {"style": "B", "light": "neither"}])
def test_a_recipe_in_words(words: dict[str, str]) -> None:
    assert Recipe.from_texts(**words) == Recipe(style="B", light="neither")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"style": "C"}, "The style cannot come from 'C'; choose one of A, B, neither"),
        (NEITHER, "choose A or B for one aspect at least"),
    ],
)
def test_a_recipe_that_cannot_be(words: dict[str, str], says: str) -> None:
    with pytest.raises(PromptError, match=says):
        Recipe.from_texts(**words)


recipes = st.fixed_dictionaries({aspect: st.sampled_from(SOURCES) for aspect in ASPECTS}).filter(
    lambda chosen: set(chosen.values()) != {"neither"}
)


@settings(deadline=None, max_examples=150)
@given(a=analyses, b=analyses, chosen=recipes, family=st.sampled_from(family_names()))
def test_any_two_analyses(a: ImageAnalysis, b: ImageAnalysis, chosen: dict[str, Any], family: str) -> None:
    recipe = Recipe(**chosen)
    mixed = mix(a, b, recipe)
    assert mix(a, b, recipe) == mixed == read_analysis(mixed.model_dump_json())
    shown = {"A": a, "B": b}.get(recipe.subject)
    try:
        found = render(mixed, family)
    except NothingToSay:
        found = None
    if shown is not None and shows_minor(shown):
        assert shows_minor(mixed)
        assert found is None or not any(map(adult_words, (found.positive, found.style)))
