"""What `KEY=VALUE` changes of a side, what it leaves, and which words are refused."""

from __future__ import annotations

from typing import Any

import pytest
from img2prompt.engine import Settings
from img2prompt.evaluation.contenders import OWN, SETTINGS_KEYS, Asking, Contender
from img2prompt.evaluation.errors import BadComparison

QUERY = "endpoint=http://host/v1?key=hunter2"
THERE = "http://127.0.0.1:8000/v1"


def own(**settings: Any) -> Contender:
    defaults = {"endpoint": THERE, "api_key": "secret", "model": "mine", "temperature": 0.5}
    return Contender(OWN, Settings(**{**defaults, **settings}), Asking("sdxl", seed=7))


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("model=other", {"model": "other"}),
        ("temperature=0 max_pixels=262144", {"temperature": 0.0, "max_pixels": 262144}),
        ("max_in_flight=1", {"max_in_flight": 1}),
        (
            f"endpoint={THERE}/ model=other",
            {"engine": "endpoint", "endpoint": THERE + "/", "endpoints": (), "model": "other"},
        ),
        ("engine=managed model='8 B'", {"engine": "managed", "model": "8 B"}),
        ("model=C:\\models\\mine", {"model": "C:\\models\\mine"}),
    ],
)
def test_settings_change_as_told_and_no_others(text: str, changed: dict[str, Any]) -> None:
    before = own()
    after = before.but(text)
    assert after.label == text and after.asking == before.asking
    assert after.settings.model_dump() == before.settings.model_dump() | changed
    assert after.settings.model_fields_set == before.settings.model_fields_set | changed.keys()


def test_another_endpoint_gets_neither_key_nor_model() -> None:
    after = own().but("endpoint=http://elsewhere:9000").settings
    assert (after.api_key.get_secret_value(), after.model, after.engine) == ("", "", "endpoint")
    assert own().but("endpoint=http://elsewhere:9000 model=mine").settings.model == "mine"


def test_of_several_endpoints_one_is_asked_alone() -> None:
    several = own(endpoints=("http://second:8000/v1",))
    second, stranger = (several.but(f"endpoint=http://{host}:8000").settings for host in ("second", "third"))
    assert second.endpoints == stranger.endpoints == ()
    assert (second.api_key.get_secret_value(), second.model) == ("secret", "mine")
    assert (stranger.api_key.get_secret_value(), stranger.model) == ("", "")


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("family=pony", {"family": "pony"}),
        ("preset=alt-text", {"preset": "alt-text"}),
        ("look_at=style seed=8", {"look_at": "style", "seed": 8}),
        ("look-at=style", {"look_at": "style"}),
        ("closed_vocabulary=true token-budget=40", {"closed_vocabulary": True, "token_budget": 40}),
        ("unknown_tags=drop", {"unknown_tags": "drop"}),
    ],
)
def test_what_is_asked_changes_as_told(text: str, changed: dict[str, Any]) -> None:
    before = own()
    after = before.but(text)
    assert after.settings is before.settings
    for name in Asking.__dataclass_fields__:
        assert getattr(after.asking, name) == changed.get(name, getattr(before.asking, name))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing to compare with"),
        ("model", "model is not KEY=VALUE"),
        ("api_key=x", "nothing to compare by the key 'api_key'"),
        ("color=red", "keys are endpoint, engine"),
        ("model=a model=b", "model is there twice"),
        ("model='a", "close the quotation mark"),
        ("temperature=9", "temperature=9 cannot be used"),
        ("temperature=hot", "temperature=hot cannot be used"),
        ("max_pixels=1", "max_pixels=1 cannot be used"),
        ("engine=banana", "engine=banana cannot be used"),
        ("seed=x", "seed=x cannot be used"),
        ("family=fluks1", "did you mean 'flux1'"),
        ("preset=nothing", "no text preset 'nothing'"),
        ("look_at=moon", "choose one of everything"),
        ("token_budget=-1", "token budget of -1"),
        ("endpoint=nowhere", "must be a base URL"),
        ("saved=a.json", "saved is of a saved result"),
        ("side=B model=b", "side is of a saved result"),
        ("engine=sketch model=a", "the sketch engine has no model, so model changes nothing"),
    ],
)
def test_what_cannot_be_compared_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadComparison) as error:
        own().but(text)
    assert says in str(error.value)


def test_a_password_is_not_repeated() -> None:
    for text in (
        "endpoint=http://me:hunter2@host/v1",
        "endpoint=http://me:hunter2@host endpoint=x",
        "'http://hunter2",
        QUERY,
    ):
        with pytest.raises(BadComparison) as error:
            own().but(text)
        assert "hunter2" not in str(error.value)


def test_all_that_decides_an_answer_can_be_compared() -> None:
    """But for the key, which is for settings alone, and the context, which is the server's."""
    asked = {"engine", "endpoint", "model", "precision", "temperature", "max_pixels"}
    assert asked <= set(SETTINGS_KEYS) <= Settings.model_fields.keys()
