"""What counts as one and the same tag."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2prompt.evaluation.tag_sets import TagSets
from img2prompt.prompts import family_names, load_family, read_analysis, render
from img2prompt.prompts.syntax import escape, weighted
from img2prompt.prompts.vocabulary import vocabulary

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "astronaut.json"
PLAIN = TagSets()
EVERYDAY = sorted(tag for tag in vocabulary().tags if tag.replace(" ", "").isalnum())
TAG = st.sampled_from(EVERYDAY)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("1girl, solo", {"1girl", "solo"}),
        ("Long_Hair,  (blue eyes:1.2), ((smile))", {"long hair", "blue eyes", "smile"}),
        ("(blue eyes, smile:1.3), sky", {"blue eyes", "smile", "sky"}),
        ("[smile], sky BREAK tree\nhat", {"smile", "sky", "tree", "hat"}),
        (
            "masterpiece, best_quality, absurdres, score_9, score_8_up, 4k, rating:safe, rating_safe, sky",
            {"sky"},
        ),
        ("<lora:detail:0.8>, sky", {"sky"}),
        ("long red hair", {"long hair", "red hair"}),
        ("cat ears", {"cat ears", "animal ears"}),
        ("woman, sky", {"sky"}),  # the counts say it
        ("^_^, sky", {"^_^", "sky"}),
        ("\uff11\uff47\uff49\uff52\uff4c\uff0c\uff53\uff4b\uff59", {"1girl", "sky"}),  # wide letters
        ("a thing unheard of, sky", {"a thing unheard of", "sky"}),
        (r"saber \(fate\)", {"saber fate"}),
        ("saber_(fate)", {"saber fate"}),
        ("", set()),
        (", ,,", set()),
    ],
)
def test_tags_of_a_text(text: str, tags: set[str]) -> None:
    assert PLAIN.tags(text) == tags


def test_a_tag_with_brackets_is_known_however_it_is_written() -> None:
    assert "calligraphy brush (medium)" in vocabulary().tags
    spellings = ["calligraphy_brush_(medium)", r"calligraphy brush \(medium\)", "(Calligraphy brush medium:1.1)"]
    assert {PLAIN.tags(one) for one in spellings} == {frozenset({"calligraphy brush medium"})}


def test_the_families_own_words_count_nowhere() -> None:
    pony, noobai = map(load_family, ("pony", "noobai"))
    text = "score_9, source_anime, rating_safe, safe, nsfw, sensitive, absurdres, sky"
    assert TagSets([noobai]).tags(text) == {"sky"}
    assert TagSets([pony]).tags(text) == {"sky", "safe", "nsfw", "sensitive"}  # words of others may be tags
    assert TagSets([pony, noobai]).tags(text) == {"sky"}


def test_phrases_are_counted_as_often_as_they_come() -> None:
    keys = PLAIN.keys("Blue_eyes, (blue eyes:1.2), sky, woman", "sky")
    assert keys == [("blue eyes",), ("blue eyes",), ("sky",), ("sky",)]


@pytest.mark.parametrize("name", [name for name in family_names() if load_family(name).form == "tags"])
def test_a_rendered_prompt_has_the_pictures_tags_and_no_other(name: str) -> None:
    family = load_family(name)
    analysis = read_analysis(EXAMPLE.read_text(encoding="utf-8"))
    plain = render(analysis, family.model_copy(update={"prefix": [], "suffix": []})).positive
    found = TagSets([family]).tags(render(analysis, family).positive)
    assert len(found) > 10
    assert found <= TagSets([family]).tags(plain)


@given(st.lists(TAG, min_size=1, max_size=8), st.sampled_from([1.0, 0.8, 1.25]))
@settings(max_examples=100, deadline=None)
def test_how_tags_are_written_changes_nothing(tags: list[str], weight: float) -> None:
    plain = PLAIN.tags(", ".join(tags))
    assert PLAIN.tags(*tags) == plain
    assert PLAIN.tags(", ".join(weighted(tag, weight) for tag in tags)) == plain
    assert PLAIN.tags(",".join(tag.replace(" ", "_").upper() for tag in tags)) == plain
    assert PLAIN.tags(", ".join(map(escape, sorted(plain)))) == plain, "read again it is the same"
