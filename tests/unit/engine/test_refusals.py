from __future__ import annotations

from typing import Any

import pytest
from img2prompt.engine.errors import (
    Busy,
    EngineError,
    NoVision,
    Refused,
    UnknownModel,
    Unreachable,
    WrongKey,
)
from img2prompt.engine.refusals import explain, unknown_model

URL = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (401, {"message": "Incorrect key: sk-1"}, WrongKey, "refused the API key .*set IMG2PROMPT_API_KEY"),
        (403, "no", WrongKey, "refused the API key"),
        # vLLM
        (404, {"message": "The model `m` does not exist."}, UnknownModel, "serves: a, b"),
        (400, {"message": "m is not a multimodal model"}, NoVision, "m takes no pictures .*Qwen3-VL"),
        (400, {"message": "At most 0 image(s) may be provided in one prompt."}, NoVision, "takes no pictures"),
        (
            400,
            {"message": "At most 8 image(s) may be provided in one prompt."},
            Refused,
            "takes at most 8 pictures in one request; use fewer, or .*--limit-mm-per-prompt",
        ),
        # llama.cpp
        (500, {"message": "image input is not supported - hint: provide the mmproj"}, NoVision, "mmproj"),
        (503, {"code": 503, "message": "Loading model"}, Busy, "503: Loading model.*try again later"),
        # LM Studio
        (400, "Model does not support images. Please use a model that does.", NoVision, "takes no pictures"),
        (400, {"error": "Model does not support images. Please use a model that does."}, NoVision, "Model does not"),
        (404, {"message": "No models loaded. Please load a model."}, UnknownModel, "serves: a, b"),
        (400, {"message": "'response_format.type' must be 'text'"}, Refused, "refused the JSON schema .*use a server"),
        # Ollama
        (404, {"message": 'model "m" not found, try pulling it first'}, UnknownModel, "does not serve m"),
        (400, {"message": "this model does not support image input"}, NoVision, "takes no pictures"),
        (400, {"message": "this model is missing data required for image input"}, NoVision, "takes no pictures"),
        # OpenAI
        (404, {"message": "The model `m` ...", "code": "model_not_found"}, UnknownModel, "does not serve m"),
        (429, {"message": "Rate limit"}, Busy, "no room now .*Rate limit.*IMG2PROMPT_MAX_IN_FLIGHT"),
        # anything
        (404, {"detail": "Not Found"}, Refused, "no OpenAI-compatible API .*Not Found.*usually ending in /v1"),
        (405, "", Refused, "no OpenAI-compatible API"),
        (413, "<html>too large</html>", Refused, "too large .*IMG2PROMPT_MAX_PIXELS"),
        (400, {"message": "prompt is too long"}, Refused, "refused the request .*too long"),
        (422, None, Refused, "refused the request"),
        (307, "", Refused, "points elsewhere"),
        (500, {"message": "EngineCore died"}, Refused, "failed while it answered .*died.*log"),
        (502, "<html>", Unreachable, "does not answer"),
        (504, "", Unreachable, "does not answer"),
    ],
)
def test_each_refusal(status: int, body: Any, kind: type[EngineError], says: str) -> None:
    error = explain(status, body, url=URL, model="m", served=("a", "b"))
    assert type(error) is kind
    with pytest.raises(kind, match=says):
        raise error


def test_long_words_are_shortened_and_stay_on_one_line() -> None:
    error = str(explain(400, "x\n" * 10_000, url=URL, model="m", served=()))
    assert len(error) < 400
    assert "\n" not in error


def test_the_words_of_a_refused_key_are_left_out() -> None:
    assert "sk-1" not in str(explain(401, {"message": "Incorrect key: sk-1"}, url=URL, model="m", served=()))


@pytest.mark.parametrize(
    ("served", "says"),
    [((), "serves no model m; load"), (tuple("abcdefghij"), "a, b, c, d, e, f, g, h, and 2 more")],
)
def test_the_models_that_are_served_are_named(served: tuple[str, ...], says: str) -> None:
    assert says in str(unknown_model("m", URL, served))
