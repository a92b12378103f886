"""Answers that are half written, as fields to read: from any prefix of any text, and never more than was written."""

from __future__ import annotations

import json
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2prompt.prompts import ImageAnalysis
from img2prompt.prompts.partial import MOST_FIELDS, MOST_LABEL, MOST_VALUE, partial_fields
from img2prompt.prompts.texts import ImageText
from img2prompt.tests.seeing import Sight, answer_for
from img2prompt.tests.unit.prompts.examples import CAFE, HARBOUR
from img2prompt.tests.unit.prompts.stories import LANTERN
from img2prompt.tests.unit.prompts.strategies import any_code_points, any_text

SIGHTS = [Sight("red", "white", 64, 48), Sight("navy", "pink", 64, 48)]
ANSWERS = {
    "seen": json.dumps(answer_for(ImageAnalysis.model_json_schema(), SIGHTS[:1])),
    "written": CAFE.model_dump_json(),
    "text": json.dumps(answer_for(ImageText.model_json_schema(), SIGHTS)),
    "story": json.dumps(LANTERN),
}


def told(text: str) -> dict[str, str]:
    return dict(partial_fields(text))


@pytest.mark.parametrize("name", ANSWERS)
def test_every_prefix_of_an_answer_is_the_beginning_of_it(name: str) -> None:
    text = ANSWERS[name]
    whole = partial_fields(text)
    lengths = set()
    for end in range(len(text) + 1):
        fields = partial_fields(text[:end])
        # a field that says nothing in the end, such as "not applicable", may be there while it is written
        before = [label for label, _ in fields[:-1]]
        assert before == [label for label, _ in whole][: len(before)]
        if fields and fields[0][1] != whole[0][1]:
            assert whole[0][1].startswith(fields[0][1].rstrip(".,")), "the first field grows"
            lengths.add(len(fields[0][1]))
    assert len(lengths) > 20 and partial_fields(text[: len(text) - 1]) == whole


def test_an_analysis_reads_as_words() -> None:
    fields = told(CAFE.model_dump_json())
    assert list(fields)[:4] == ["caption", "medium", "subjects", "setting"]
    assert fields["subjects"].startswith("young woman, red hair, freckles, green eyes")
    assert fields["palette"] == "grey, amber, Navy_blue"
    assert fields["light direction"] == "side"
    assert fields["visible text"] == "CAFÉ (open), sign above the door"
    assert "Someone" not in fields["style"], "whom it resembles is not told"
    empty = told(
        HARBOUR.model_copy(update={"subjects": [], "lens": "unknown", "shot": "not applicable"}).model_dump_json()
    )
    assert not empty.keys() & {"subjects", "lens", "shot"}


def test_a_story_reads_as_words() -> None:
    fields = told(json.dumps(LANTERN))
    assert next(iter(fields)) == "observations"
    assert fields["cast"].startswith("Mara Voss, red braided hair") or fields["cast"].startswith("woman, Mara Voss")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", []),
        ("{", []),
        ("no JSON", []),
        ("[1, 2", []),
        ('"a text"', []),
        ('{"capt', []),
        ('{"caption": "', []),
        ('{"caption": "A wom', [("caption", "A wom")]),
        ('{"caption": "A cat\\', [("caption", "A cat")]),
        ('{"caption": "A cat \\ud83d', [("caption", "A cat")]),
        ('{"caption": "A\ncat\x00\x1b[31m"', [("caption", "A cat 31m")]),
        ('{"caption": "\u202eA\ud800 cat"', [("caption", "A? cat")]),
        ('{"<|im_end|>": "x", "lens_type": "wide"}', [("lens type", "wide")]),
        ('{"lens": "unk', []),
        ('{"subjects": [{"kind": "pers', []),
        ('{"subjects": [{"kind": "person"', [("subjects", "person")]),
        ('{"subjects": [{"kind": "person", "count": 3, "gender": "fem', [("subjects", "person")]),
        ('{"subjects": [{"kind": "person", "gender": "female", "age": "eld', [("subjects", "woman")]),
        ('{"subjects": [{"kind": "cat", "gender": [], "age": {}, "id": "A"}]', []),
        ('{"tags": ["a", "a", ["b"], null, true, 7]', [("tags", "a, b")]),
    ],
)
def test_what_is_read_of_a_text(text: str, fields: list[tuple[str, str]]) -> None:
    assert partial_fields(text) == fields


def test_adult_wording_waits_for_the_whole_answer() -> None:
    # whether a child is in the picture is not known yet
    fields = told(
        '{"caption": "A hill at dawn. A naked body lies there.", "tags": ["nude", "hill"], "rating": "explicit"'
    )
    assert fields == {"caption": "A hill at dawn.", "tags": "hill"}


def test_a_name_that_is_adult_wording_is_not_shown() -> None:
    assert partial_fields('{"nude_girl_topless": "x", "light": "rim"}') == [("light", "rim")]


def test_small_words_without_end_are_read_at_once() -> None:
    fields = partial_fields(json.dumps({"caption": "A cat, nude" + ", the and a" * 3000}))
    assert "nude" not in str(fields)


def test_what_is_shown_is_bounded() -> None:
    many = json.dumps({f"{'name' * 20}{i}": "word " * 400 for i in range(100)})
    fields = partial_fields(many)
    assert 0 < len(fields) <= MOST_FIELDS
    assert all(len(label) <= MOST_LABEL and len(value) <= MOST_VALUE for label, value in fields)
    end = told('{"text": "' + "one two " * 200 + "the end")["text"]
    assert end.startswith("…") and end.endswith("the end"), "where it is being written"
    assert partial_fields('{"a": ' + "[" * 5000) == []


@given(
    st.recursive(
        any_text | any_code_points | st.none() | st.integers(),
        lambda part: st.lists(part, max_size=4) | st.dictionaries(any_text, part, max_size=4),
    ),
    st.booleans(),
    st.integers(0, 400),
)
def test_any_text_is_read_without_harm(value: object, ascii_only: bool, end: int) -> None:
    text = json.dumps({"a": value}, ensure_ascii=ascii_only)
    for prefix in (text[:end], text, str(value)):
        for shown in (part for field in partial_fields(prefix) for part in field):
            assert not {"Cc", "Cf", "Cs"} & set(map(category, shown))
