from __future__ import annotations

import logging
import socket
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from img2prompt.engine.address import normalized
from img2prompt.engine.client import ChatClient
from img2prompt.engine.errors import (
    AnswerCutOff,
    BadAnswer,
    Busy,
    EngineError,
    NoVision,
    Refused,
    SettingsError,
    UnknownModel,
    Unreachable,
    WrongKey,
)
from img2prompt.engine.settings import Settings
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request, Sampling
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import Kind, SeeingServer

if TYPE_CHECKING:
    from img2prompt.engine import Engine
    from img2prompt.tests.unit.engine.conftest import MakeEngine, Until

REQUEST = Request((draw("red", "white"),), "Look.", ImageAnalysis, Sampling(seed=5))
CAPTION = "a red center on a white border, 64x48"
KEY = "sk-very-secret-123"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "plain"])
def test_every_kind_of_server_accepts_the_request(kind: Kind, server: SeeingServer, engine: Engine) -> None:
    server.control.kind = kind
    assert engine.ask(REQUEST).caption == CAPTION
    assert ("top_k" in server.counts.payloads[0]) is (kind == "vllm")


@pytest.mark.parametrize(
    ("center", "border"),
    [("red", "blue"), ("blue", "red"), ("green", "magenta"), ("yellow", "cyan"), ("black", "gray")],
)
def test_the_pixels_arrive(center: str, border: str, engine: Engine) -> None:
    assert engine.ask(Request((draw(center, border),), "Look.", ImageAnalysis)).tags == [
        f"{center} center",
        f"{border} border",
    ]


def test_a_large_picture_arrives_within_the_budget(engine: Engine) -> None:
    analysis = engine.ask(Request((draw(size=(4000, 3000)),), "Look.", ImageAnalysis))
    width, height = map(int, analysis.visible_text[0].text.split("x"))
    assert 0.99 * 2**20 < width * height <= 2**20
    assert abs(width / height - 4 / 3) < 0.002


def test_several_pictures_of_one_request_arrive_in_order(engine: Engine) -> None:
    request = Request((draw("red"), draw("blue"), draw("green")), "Look.", ImageAnalysis)
    assert [part.split()[1] for part in engine.ask(request).caption.split("; ")] == ["red", "blue", "green"]


ALL_TRIES_BUSY = [{"status": 503, "headers": {"Retry-After": "0"}, "body": {"error": {"message": "full"}}}] * 5


@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        ([{"content": "A red square."}], BadAnswer, "not JSON .*A red square"),
        ([{"content": "{}"}], BadAnswer, "not ImageAnalysis .*caption: Field required, and 19 more"),
        ([{"content": None, "refusal": "No."}], Refused, "refused to describe"),
        ([{"content": "", "reasoning": "Hm."}], BadAnswer, "only thought"),
        ([{"finish_reason": "length"}] * 2, AnswerCutOff, "twice .*longest length.*another seed"),
        ([{"finish_reason": "repetition"}] * 2, AnswerCutOff, "twice .*repeating itself"),
        ([{"finish_reason": "abort"}] * 2, AnswerCutOff, "twice .*aborted"),
        ([{"hang_up": True}] * 2, Unreachable, "broke the connection off; see"),
        ([{"no_vision": True}], NoVision, "seeing-model takes no pictures"),
        ([{"status": 401}], WrongKey, "set IMG2PROMPT_API_KEY"),
        ([{"status": 500, "body": {"error": {"message": "EngineCore died"}}}], Refused, "EngineCore died.*log"),
        ([{"status": 502, "body": "<html>Bad Gateway</html>"}], Unreachable, "does not answer .*Bad Gateway"),
        ([{"status": 400, "body": {"error": {"message": "too long"}}}], Refused, "400: too long"),
        ([{"status": 200, "body": "<html>Welcome</html>"}], BadAnswer, "no chat completion"),
        ([{"status": 200, "body": {"object": "list"}}], BadAnswer, "no chat completion"),
        ([{"status": 307, "headers": {"Location": "/v1/models"}}], Refused, "points elsewhere"),
        (ALL_TRIES_BUSY, Busy, "no room now .*503: full"),
        ([{"status": 429, "headers": {"Retry-After": "3600"}}], Busy, "no room now .*429"),
    ],
)
def test_each_failure_has_its_error(
    script: list[dict[str, Any]], kind: type[EngineError], says: str, server: SeeingServer, engine: Engine
) -> None:
    server.control.script = list(script)
    with pytest.raises(kind, match=says) as caught:
        engine.ask(REQUEST)
    assert type(caught.value) is kind
    assert str(caught.value).endswith(".")
    assert server.counts.requests == len(script)
    assert engine.ask(REQUEST).caption == CAPTION  # the next one is none the worse for it


@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "plain"])
def test_each_server_says_no_vision_in_its_own_words(kind: Kind, server: SeeingServer, engine: Engine) -> None:
    server.control.kind = kind
    server.control.script = [{"no_vision": True}]
    with pytest.raises(NoVision, match="seeing-model takes no pictures"):
        engine.ask(REQUEST)


@pytest.mark.parametrize("finish_reason", ["length", "repetition", "abort"])
def test_an_answer_that_did_not_end_is_asked_again_with_another_seed(
    finish_reason: str, server: SeeingServer, engine: Engine
) -> None:
    server.control.script = [{"finish_reason": finish_reason}]
    assert engine.ask(REQUEST).caption == CAPTION
    first, second = server.counts.payloads
    assert first.pop("seed") == 5
    assert second.pop("seed") not in (5, 6)
    assert first.pop("repetition_detection")  # the second try ends by its schema
    assert first == second


def test_a_connection_that_was_dropped_while_idle_is_opened_again(server: SeeingServer, engine: Engine) -> None:
    server.control.script = [{"hang_up": True}]
    assert engine.ask(REQUEST).caption == CAPTION
    first, second = server.counts.payloads
    assert first == second


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(status: int, server: SeeingServer, engine: Engine) -> None:
    server.control.script = [{"status": status, "headers": {"Retry-After": "0"}}] * 4
    assert engine.ask(REQUEST).caption == CAPTION
    assert server.counts.requests == 5


def test_nobody_at_the_endpoint(make_engine: MakeEngine) -> None:
    port = unused_port()
    with pytest.raises(Unreachable, match=rf"Nobody answers at http://127.0.0.1:{port}/v1; start the server") as caught:
        make_engine(endpoint=f"http://127.0.0.1:{port}").ask(REQUEST)
    assert caught.value.retryable


def test_a_server_that_went_away_and_came_back(make_engine: MakeEngine) -> None:
    port = unused_port()
    engine = make_engine(endpoint=f"http://127.0.0.1:{port}")
    with SeeingServer(port=port):
        assert engine.ask(REQUEST).caption == CAPTION
    with pytest.raises(Unreachable, match="Nobody answers"):
        engine.ask(REQUEST)
    with SeeingServer(port=port) as other:
        other.control.models = ["another-model"]
        assert engine.ask(REQUEST).caption == CAPTION
        assert engine.status().model == "another-model"


def test_no_answer_in_time(server: SeeingServer, make_engine: MakeEngine, until: Until) -> None:
    server.control.hold = True
    with pytest.raises(Unreachable, match=r"gave no answer in 0\.3 s; .*IMG2PROMPT_ANSWER_TIMEOUT_S"):
        make_engine(answer_timeout_s=0.3).ask(REQUEST)
    until(lambda: server.counts.cancelled == 1)


def test_the_wrong_key_and_the_right_one(server: SeeingServer, make_engine: MakeEngine) -> None:
    server.control.api_key = KEY
    for wrong in ("", "sk-other"):
        with pytest.raises(WrongKey, match="set IMG2PROMPT_API_KEY"):
            make_engine(api_key=wrong).ask(REQUEST)
    assert make_engine(api_key=KEY).ask(REQUEST).caption == CAPTION
    assert server.counts.headers[0]["authorization"] == f"Bearer {KEY}"


def test_the_models_of_the_endpoint(server: SeeingServer, make_engine: MakeEngine) -> None:
    with pytest.raises(UnknownModel, match=r"does not serve llava; .*IMG2PROMPT_MODEL.*: seeing-model\."):
        make_engine(model="llava").ask(REQUEST)
    server.control.models = ["text-embedding-small", "first", "second"]
    assert make_engine().ask(REQUEST).caption == CAPTION
    assert make_engine(model="second").ask(REQUEST).caption == CAPTION
    assert [payload["model"] for payload in server.counts.payloads[1:]] == ["first", "second"]
    server.control.models = []
    with pytest.raises(UnknownModel, match="serves no model; load a model with vision"):
        make_engine().ask(REQUEST)


def test_a_url_that_is_no_api(server: SeeingServer, make_engine: MakeEngine) -> None:
    root = server.url.removesuffix("/v1")
    with pytest.raises(Refused, match=r"no OpenAI-compatible API .*usually ending in /v1"):
        make_engine(endpoint=f"{root}/elsewhere").ask(REQUEST)
    assert make_engine(endpoint=root).ask(REQUEST).caption == CAPTION
    assert make_engine(endpoint=f" {root}/v1/ ").ask(REQUEST).caption == CAPTION


@pytest.mark.parametrize(
    "wrong",
    [
        *("127.0.0.1:8000", "localhost:8000", "ftp://host/v1", "http://", "http://host:port", "http://a b/v1"),
        *("http://host:0/v1", "http://user:word@host/v1", "http://[::1", "file:///etc/passwd"),
    ],
)
def test_endpoints_that_cannot_be_used(wrong: str) -> None:
    with pytest.raises(SettingsError, match="IMG2PROMPT_ENDPOINT") as caught:
        normalized(wrong)
    assert "word" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("https://host/api/v1/", "https://host/api/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
        ("http://gpu_box.local:1234/v1?x=1#y", "http://gpu_box.local:1234/v1"),
    ],
)
def test_base_urls(given: str, used: str) -> None:
    assert normalized(given) == used


FAILURES: list[dict[str, Any]] = [
    {"status": 400, "body": {"error": {"message": f"bad header Bearer {KEY}"}}},
    {"status": 401, "body": {"error": {"message": f"Incorrect API key provided: {KEY}"}}},
    {"status": 404, "body": {"error": {"message": f"The model `{KEY}` does not exist."}}},
    {"status": 500, "body": f"<html>Authorization: Bearer {KEY}</html>"},
    {"status": 502, "body": {"detail": [{"headers": {"authorization": f"Bearer {KEY}"}}]}},
    {"status": 200, "body": {"headers": {"authorization": f"Bearer {KEY}"}}},
    {"content": "no JSON"},
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: str(failure.get("status", "content")))
def test_the_key_is_never_shown(
    failure: dict[str, Any], server: SeeingServer, make_engine: MakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.control.api_key = KEY
    engine = make_engine(api_key=KEY)
    server.control.script = [failure]
    with pytest.raises(EngineError) as caught:
        engine.ask(REQUEST)
    shown = [
        "".join(traceback.format_exception(caught.value)),
        caplog.text,
        repr(engine.status()),
        repr(engine.settings),
        repr(vars(engine._backend)["_key"]),
    ]
    assert KEY not in "\n".join(shown)


@pytest.mark.parametrize("key", ["sk-\u2713", "sk\n-x"])
def test_a_key_that_no_header_can_carry(key: str) -> None:
    with pytest.raises(SettingsError, match="correct IMG2PROMPT_API_KEY") as caught:
        ChatClient(Settings(cache=False), "http://127.0.0.1", key)
    assert key not in str(caught.value)


def test_nothing_meant_for_openai_goes_to_the_endpoint(
    server: SeeingServer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert engine.ask(REQUEST).caption == CAPTION
    assert KEY not in repr(server.counts.headers)


def test_no_proxy_is_asked_for_an_endpoint_on_this_machine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    assert engine.ask(REQUEST).caption == CAPTION


def test_the_status_says_who_answers(server: SeeingServer, engine: Engine) -> None:
    before = engine.status()
    assert (before.engine, before.model, before.endpoint) == ("endpoint", "", server.url)
    assert "not been asked" in before.detail
    said: list[str] = []
    after = engine.wake(said.append)
    assert after.model == "seeing-model"
    assert after.detail == f"vLLM at {server.url} serves seeing-model."
    assert said == [""]  # over
    assert server.counts.requests == 0
