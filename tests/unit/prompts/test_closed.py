"""The closed vocabulary: an analysis whose tags can only be Danbooru's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from img2prompt.prompts import ImageAnalysis, analysis_request, render
from img2prompt.prompts.closed import closed_analysis
from img2prompt.prompts.vocabulary import vocabulary
from img2prompt.tests.unit.prompts.examples import NOTHING, subject
from PIL import Image
from pydantic import ValidationError


def test_the_schema_has_the_vocabulary_once_and_is_else_the_same() -> None:
    closed, free = closed_analysis().model_json_schema(), ImageAnalysis.model_json_schema()
    assert set(closed["$defs"]["DanbooruTag"]["enum"]) == vocabulary().tags
    assert len(json.dumps(closed)) < 130_000
    assert list(closed["properties"]) == list(free["properties"]) == closed["required"]
    for name in ("setting", "composition", "tags"):
        limited = {key: value for key, value in closed["properties"][name].items() if key != "items"}
        assert closed["properties"][name]["items"] == {"$ref": "#/$defs/DanbooruTag"}
        assert limited["maxItems"] == free["properties"][name]["maxItems"]
    for name in ("appearance", "clothing", "action"):
        said = closed["$defs"]["DanbooruSubject"]["properties"][name]
        assert said["items"] == {"$ref": "#/$defs/DanbooruTag"}
        assert said["maxItems"] == free["$defs"]["Subject"]["properties"][name]["maxItems"]


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        ({"tags": ["long hair", "cowboy shot"]}, True),
        ({"tags": ["long hair", "flobbert"]}, False),
        ({"subjects": [subject(clothing=["black dress"])]}, True),
        ({"subjects": [subject(clothing=["paper dress"])]}, False),
        ({"setting": ["beach"] * 9}, False),
    ],
)
def test_only_tags_of_danbooru_are_taken(fields: dict[str, object], good: bool) -> None:
    if good:
        answer = closed_analysis().model_validate(NOTHING | fields)
        assert isinstance(answer, ImageAnalysis)
        assert answer == closed_analysis().model_validate_json(answer.model_dump_json())
        assert type(json.loads(answer.model_dump_json())["tags"]) is list
    else:
        with pytest.raises(ValidationError):
            closed_analysis().model_validate(NOTHING | fields)


def test_what_comes_of_it_is_an_analysis_like_any_other() -> None:
    answer = closed_analysis().model_validate(NOTHING | {"tags": ["beach", "tree"]})
    assert render(answer, "noobai") == render(
        ImageAnalysis.model_validate(NOTHING | {"tags": ["beach", "tree"]}), "noobai"
    )


def test_the_request_says_so_and_only_then() -> None:
    picture = Image.new("RGB", (8, 8))
    closed, free = (analysis_request(picture, closed_vocabulary=limited) for limited in (True, False))
    assert (closed.answer, free.answer) == (closed_analysis(), ImageAnalysis)
    assert "only tags of Danbooru" in closed.instruction
    assert "Danbooru" not in free.instruction


def test_a_users_tags_are_in_it_as_soon_as_they_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    before = closed_analysis()
    (tmp_path / "vocabulary").mkdir()
    (tmp_path / "vocabulary" / "mine.csv").write_text("flobbert,0,1\n")
    assert closed_analysis().model_validate(NOTHING | {"tags": ["flobbert"]}).tags == ["flobbert"]
    with pytest.raises(ValidationError):
        before.model_validate(NOTHING | {"tags": ["flobbert"]})
