"""The prompts of a story: everybody looks the same in every beat, within every family's budget."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.prompts import (
    PromptError,
    RenderOptions,
    Story,
    Storyboard,
    check_story_options,
    clean,
    count_tokens,
    family_names,
    load_family,
    parse,
    render_story,
)
from img2prompt.prompts.faces import FACES
from img2prompt.prompts.keep import Keep
from img2prompt.prompts.minors import adult_words
from img2prompt.prompts.story_prompts import StoryPrompts
from img2prompt.tests.unit.prompts.stories import LANTERN, MARA, TOM, beat, lantern, long_story, options, role, stories

WORDS = {
    "A": ("red braided hair", "green eyes", "freckles", "scar on cheek", "yellow raincoat", "rubber boots"),
    "B": ("short black hair", "round glasses"),
}


def said(prompt: str) -> str:
    """What ComfyUI reads, in lower case."""
    return "".join(text for text, _ in parse(prompt)).lower()


def without_faces(text: str) -> str:
    for face in FACES:
        text = text.replace(face, "")
    return " ".join(text.split())


@pytest.mark.parametrize("family", family_names())
def test_a_character_looks_the_same_in_every_beat(family: str) -> None:
    board = render_story(lantern(), family)
    assert [panel.number for panel in board.panels] == [panel.image for panel in board.panels] == [1, 2, 3]
    prompts = [said(panel.prompt) for panel in board.panels]
    danbooru = load_family(family).vocabulary == "danbooru"
    mara = ("red hair", "braid", *WORDS["A"][1:]) if danbooru else WORDS["A"]
    tom = ("short hair", "black hair", "round eyewear") if danbooru else WORDS["B"]
    assert [all(words in prompt for words in mara) for prompt in prompts] == [True, True, False]
    assert [all(words in prompt for words in tom) for prompt in prompts] == [False, True, True]
    assert all("watercolor" in prompt and "soft edges" in prompt and "muted color" in prompt for prompt in prompts)
    assert "blue sweater" in prompts[1] and "blue sweater" not in prompts[2]
    assert "grey blanket over shoulders" in prompts[2]
    assert all("carried brass lantern" in prompt for prompt in prompts[:2])
    assert not re.search(r"\b(mara|voss|tom)\b", " ".join(prompts))
    assert all(panel.tokens <= panel.budget == load_family(family).budget for panel in board.panels)
    assert board.notes == ()


@settings(deadline=None, max_examples=150)
@given(story=stories, family=st.sampled_from(family_names()), options=options)
def test_any_story(story: Story, family: str, options: RenderOptions) -> None:
    facts = load_family(family)
    try:
        board = render_story(story, family, options)
    except PromptError as error:
        assert re.search("says nothing that could be drawn|A story needs|does not hold|of a budget", str(error))
        return
    assert render_story(story, family, options) == board
    prompts = StoryPrompts.of(story, facts, options)
    for panel, scene in zip(board.panels, prompts.scenes, strict=True):
        text = said(panel.prompt)
        for one, outfit in scene.who:
            for phrase in prompts.wardrobe.body(one, outfit):
                assert phrase.text.casefold() in text.casefold()
        for phrase in prompts.wardrobe.look():
            assert phrase.text.casefold() in text.casefold()
        assert panel.tokens == count_tokens(panel.prompt, facts.encoder) <= panel.budget
        assert all(region.prompt for region in panel.regions)
        silent = {one.id for one, outfit in scene.who if not prompts.wardrobe.alone(one, outfit)}
        there = [one.id for one, _ in scene.who]
        drawn = [region.id for region in panel.regions]
        assert [letter for letter in there if letter in drawn] == drawn and set(there) - set(drawn) <= silent
        for prompt in (panel.prompt, *(region.prompt for region in panel.regions)):
            plain = "".join(part for part, _ in parse(prompt))
            assert {weight for _, weight in parse(prompt)} <= {1.0}
            assert clean(without_faces(plain)) == without_faces(plain)
            assert Keep.of(options.leave_out, minor=False).allows(plain)
            if prompts.minor:
                assert not adult_words(plain)
        if prompts.minor:
            assert not any(map(adult_words, (panel.title, panel.seen, panel.happens)))
    if prompts.minor:
        assert not any(map(adult_words, (board.text, board.cast_sheet, board.logline, *board.observations)))


@pytest.mark.parametrize("family", ["sdxl", "noobai", "flux1"])
@pytest.mark.parametrize("budget", [46, 60, 75])
def test_a_small_budget_shortens_a_character_in_every_beat_alike(family: str, budget: int) -> None:
    many = [f"mark{number}x on arm" for number in range(8)]
    story = lantern(
        cast=[
            MARA | {"identity": many},
            TOM | {"identity": [f"ring{n}x on hand" for n in range(8)]},
            LANTERN["cast"][2],
        ]
    )
    options = RenderOptions(token_budget=budget)
    if family == "noobai" and budget == 46:
        with pytest.raises(PromptError, match="A story needs"):
            render_story(story, family, options)
        return
    board = render_story(story, family, options)
    kept = [[mark for mark in many if mark in said(panel.prompt)] for panel in board.panels[:2]]
    assert kept[0] == kept[1] == many[: len(kept[0])] and 0 < len(kept[0]) < 8
    assert all(panel.tokens <= budget for panel in board.panels)
    assert board.notes and "Mara Voss" in board.notes[0] and "token budget" in board.notes[0]


@pytest.mark.parametrize(
    ("family", "options", "words"),
    [
        ("sdxl", RenderOptions(token_budget=30), "A story needs 38 tokens"),
        ("sdxl", RenderOptions(prefix=", ".join(["a trigger word"] * 14)), "shorten the prefix"),
        ("flux1", RenderOptions(token_budget=20), "A story needs"),
        ("sdxl", RenderOptions(prefix="(open"), "parentheses"),
        ("sdxl", RenderOptions(look_at="style"), "told of everything"),
    ],
)
def test_what_the_budget_cannot_hold_is_said_before_the_model_is_asked(
    family: str, options: RenderOptions, words: str
) -> None:
    with pytest.raises(PromptError, match=words):
        check_story_options(family, options)


@pytest.mark.parametrize("family", family_names())
def test_every_familys_own_budget_holds_a_story(family: str) -> None:
    check_story_options(family)


def test_what_must_go_on_comes_before_the_place() -> None:
    story = lantern(
        cast=[MARA],
        beats=[
            beat(
                1, "", [role("A")], setting=["old harbor quay", "stormy weather", "lighthouse far away"],
                tags=["lightning", "sea gulls"], continuity=["carried brass lantern"],
            )
        ],
    )  # fmt: skip
    for budget in range(42, 70):
        prompt = said(render_story(story, "sdxl", RenderOptions(token_budget=budget)).panels[0].prompt)
        assert "carried brass lantern" in prompt or not re.search("harbor|stormy|lighthouse|lightning", prompt)


def test_each_character_has_a_prompt_and_a_place_of_its_own() -> None:
    left, right = render_story(lantern(), "sdxl").panels[1].regions
    assert (left.id, left.name, right.id, right.name) == ("A", "Mara Voss", "B", "Tom")
    assert (left.x, left.width, right.x, right.width) == (0.0, 0.5, 0.5, 0.5)
    assert "red braided hair" in left.prompt and "holding lantern" in left.prompt and "glasses" not in left.prompt
    assert "round glasses" in right.prompt and "red" not in right.prompt
    assert all("watercolor" in region.prompt for region in (left, right))


def test_negatives_are_the_familys_and_what_the_story_avoids() -> None:
    for family in family_names():
        panels = render_story(lantern(), family).panels
        assert all(("lens flare" in panel.negative) == bool(load_family(family).negative) for panel in panels)


def test_the_story_can_be_read() -> None:
    board = render_story(lantern(), "sdxl")
    assert board.text.split("\n\n") == [
        "Mara brings the lantern home.",
        "1. Storm\nShe must be home before dark.",
        "2. The door\nHe has waited.",
        "3. The letter\nAll is forgiven.",
        "The light burns again.",
    ]
    assert board.style_bible.splitlines() == [
        "Medium: watercolor", "Look: soft edges, muted colors", "Palette: blue", "Light: overcast", "Avoid: lens flare",
    ]  # fmt: skip
    assert board.cast_sheet.splitlines()[0] == (
        "A Mara Voss (woman): red braided hair, green eyes, freckles, scar on cheek; wears yellow raincoat, rubber "
        "boots; in pictures 1, 2"
    )
    assert [panel.camera for panel in board.panels] == [
        "wide shot, from above, push in", "full body, then dissolve", "close-up",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("time", "light", "told"),
    [
        ("night", "daylight", False),
        ("noon", "moonlight", False),
        ("night", "moonlight", True),
        ("noon", "daylight", True),
    ],
)
def test_the_light_does_not_contradict_the_hour(time: str, light: str, told: bool) -> None:
    style = LANTERN["style"] | {"light": light}
    story = lantern(style=style, beats=[beat(1, "", [role("A")], time=time)])
    assert (light in said(render_story(story, "sdxl").panels[0].prompt)) == told


def test_a_child_makes_the_whole_story_fit_for_all_ages() -> None:
    story = lantern(
        cast=[MARA, TOM | {"age": "child"}, LANTERN["cast"][2]], rating="explicit", logline="A sultry night."
    )
    story = story.model_copy(
        update={"beats": [one.model_copy(update={"tags": ["lingerie", "steam"]}) for one in story.beats]}
    )
    for family in ("sdxl", "pony", "flux1"):
        board = render_story(story, family)
        assert not any(adult_words(said(panel.prompt)) for panel in board.panels)
        assert "rating_explicit" not in board.panels[0].prompt
        assert not adult_words(board.text)


@pytest.mark.parametrize(
    ("name", "seen", "prompt"),
    [
        ("Red", "Red runs. Her red hair shines.", "the woman runs. her red hair shines."),
        ("The Baker", "The Baker sleeps.", "the woman sleeps."),
        ("Mara Voss", "Voss and MARA's lamp.", "the woman and the woman's lamp."),
        ("a", "a dog barks", "a dog barks."),
        ("Rain", "Heavy rain under a night sky.", "heavy rain under a night sky."),
        ("Old Tom", "An old harbor; Tom waves.", "an old harbor; the woman waves."),
        ("José", "Jose and JOSÉ wave.", "the woman and the woman wave."),
    ],
)
def test_names_stay_out_of_what_is_drawn(name: str, seen: str, prompt: str) -> None:
    story = lantern(cast=[MARA | {"name": name}], beats=[beat(1, "", [role("A")], what_is_seen=seen)])
    assert prompt in said(render_story(story, "flux1").panels[0].prompt)


def test_a_beat_that_shows_nothing_is_an_error() -> None:
    style = {"medium": "other", "look": [], "palette": [], "light": "unknown", "avoid": []}
    empty = lantern(cast=[], style=style, beats=[beat(1, "", [], shot="not applicable")])
    with pytest.raises(PromptError, match="Beat 1 says nothing that could be drawn"):
        render_story(empty, "sdxl")


def test_sixteen_beats() -> None:
    board: Storyboard = render_story(long_story(), "sd15")
    assert len(board.panels) == 16
    assert {panel.prompt for panel in board.panels} == {panel.prompt for panel in board.panels[:3]}


def test_names_stay_out_of_tags_and_negatives() -> None:
    story = lantern(
        cast=[
            MARA | {"identity": ["mara", "red hair"]},
            LANTERN["cast"][2] | {"identity": ["mara's lantern", "dented"]},
        ],
        style=LANTERN["style"] | {"avoid": ["mara smiling"]},
        beats=[beat(1, "", [role("A"), role("C")], tags=["mara_voss", "voss_running"], setting=["mara_house"])],
    )
    for family in ("sdxl", "flux1", "noobai"):
        panel = render_story(story, family).panels[0]
        assert not re.search("mara|voss", said(panel.prompt) + said(panel.negative))
        assert "red hair" in said(panel.prompt)


@pytest.mark.parametrize(
    "changed",
    [
        {"style": LANTERN["style"] | {"look": ["loli style", "naked body"]}},
        {"cast": [MARA | {"name": "Little Girl", "identity": ["red hair", "naked"]}]},
        {"cast": [MARA | {"identity": ["little girl", "naked"]}]},
    ],
)
def test_any_sign_of_a_child_counts(changed: dict[str, Any]) -> None:
    story = lantern(rating="explicit", **({"beats": [beat(1, "", [role("A")], tags=["lingerie"])]} | changed))
    for family in ("sdxl", "noobai"):
        panel = render_story(story, family).panels[0]
        assert not adult_words(said(panel.prompt)), panel.prompt
        assert "explicit" not in panel.prompt


def test_nothing_adult_is_left_to_read_of_a_child() -> None:
    style = LANTERN["style"] | {"palette": [{"name": "nude pink", "role": "dominant"}]}
    child = MARA | {"name": "Naked Lady", "age": "child"}
    board = render_story(lantern(cast=[child], style=style, beats=[beat(1, "", [role("A")])]), "sdxl")
    assert not adult_words(" ".join((board.style_bible, board.cast_sheet, board.panels[0].regions[0].name)))


def test_a_character_of_many_short_words_is_told_whole_where_there_is_room() -> None:
    identity = ["red hair, green eyes", "freckles, scar", "tall, slim", "pale skin, thin lips", "long nose, high brow"]
    board = render_story(lantern(cast=[MARA | {"identity": identity}], beats=[beat(1, "", [role("A")])]), "flux1")
    assert "high brow" in board.panels[0].prompt and board.notes == ()


def test_props_and_the_hour_are_said_before_places() -> None:
    places = [f"place number {number} by the old harbor wall" for number in range(5)]
    told = beat(1, "", [role("A")], setting=places, continuity=["lamp", "rope", "oar"], time="night")
    story = lantern(cast=[MARA], beats=[told])
    assert "night" in said(render_story(story, "flux1").panels[0].prompt)
    for budget in range(70, 130, 5):
        prompt = said(render_story(story, "flux1", RenderOptions(token_budget=budget)).panels[0].prompt)
        assert all(prop in prompt for prop in ("lamp.", "rope.", "oar.")) or "place number" not in prompt
