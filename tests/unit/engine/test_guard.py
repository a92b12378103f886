"""The guard of the managed vLLM: who may pass, from where, and for what. tests/vllm has it before the real one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine.server.inside.img2prompt_guard import Guard
from img2prompt.tests.behind_guard import CHAT, HOST, RELOAD, TOKEN, Message, Vllm, ask, asked


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG2PROMPT_ENGINE_TOKEN", TOKEN)
    monkeypatch.setenv("IMG2PROMPT_ENGINE_FOLDER", str(tmp_path))
    return tmp_path


@pytest.fixture
def vllm(folder: Path) -> Vllm:
    return Vllm()


@pytest.fixture
def guarded(vllm: Vllm) -> Guard:
    return Guard(vllm)  # pyright: ignore[reportArgumentType] - dict for MutableMapping


OPEN = [
    "GET /health",
    "GET /v1/models",
    "GET /metrics",
    "GET /version",
    "GET /is_sleeping",
    CHAT,
    "POST /v1/completions",
    "POST /tokenize",
    "POST /sleep",
]
CLOSED = [
    "POST /invocations",
    "POST /pause",
    "POST /resume",
    "POST /abort_requests",
    "POST /release_kv_cache_memory",
    "POST /update_weights",
    "POST /v1/load_lora_adapter",
    "POST /v1/chat/completions/batch",
    "POST /v1/responses",
    "GET /server_info",
    "GET /docs",
    "GET /openapi.json",
    "GET /sleep",
    "GET /v1/chat/completions",
    "POST /health",
    "POST /sleep/",
    "POST //sleep",
    "POST /SLEEP",
    "OPTIONS /v1/chat/completions",
    "HEAD /health",
]


@pytest.mark.parametrize("what", OPEN)
def test_who_has_the_token_may_ask_what_is_open(guarded: Guard, vllm: Vllm, what: str) -> None:
    (answer,) = asked(guarded, what)
    assert (answer.status, answer.headers["x-from"], len(vllm.seen)) == (200, "vllm", 1)


@pytest.mark.parametrize("what", [*OPEN, *CLOSED])
@pytest.mark.parametrize(
    "given", [None, "", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \u00e9"]
)
def test_nothing_is_open_without_the_token(guarded: Guard, vllm: Vllm, what: str, given: str | None) -> None:
    answer = asyncio.run(ask(guarded, what, {"authorization": given}))
    assert (answer.status, answer.code, vllm.seen) == (401, "wrong_token", [])
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in json.dumps(answer.content)


@pytest.mark.parametrize("what", CLOSED)
def test_what_is_not_open_is_closed(guarded: Guard, vllm: Vllm, what: str) -> None:
    (answer,) = asked(guarded, what)
    assert (answer.status, answer.code, vllm.seen) == (404, "closed_route", [])
    assert "POST /v1/chat/completions" in answer.content["error"]["message"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1", "[::1]:8000", "127.0.0.1:65535"])
def test_this_machine_has_several_names(guarded: Guard, host: str) -> None:
    assert asyncio.run(ask(guarded, "GET /health", {"host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *(None, "", "evil.example", "127.0.0.1.evil.example", "evil.example:8123", "localhost.evil.example"),
        *("0.0.0.0:8123", "127.0.0.1:8123@evil.example", "[::1", "127.0.0.1:", "127x0.0.1", "evil-localhost:1"),
    ],
)
def test_another_host_is_refused(guarded: Guard, vllm: Vllm, host: str | None) -> None:
    answer = asyncio.run(ask(guarded, "GET /health", {"host": host}))
    assert (answer.status, answer.code, vllm.seen) == (403, "wrong_host", [])


@pytest.mark.parametrize(
    "page",
    [{"origin": one} for one in ("http://evil.example", "null", "", "https://" + HOST, "http://127.0.0.1:3000")]
    + [{"origin": "http://localhost:8123"}, {"origin": "http://" + HOST + "0"}, {"origin": HOST}]
    + [{"sec-fetch-site": one} for one in ("cross-site", "same-site", "")],
)
def test_a_foreign_page_is_refused_even_with_the_token(guarded: Guard, vllm: Vllm, page: dict[str, str | None]) -> None:
    answer = asyncio.run(ask(guarded, CHAT, page))
    assert (answer.status, answer.code, vllm.seen) == (403, "wrong_origin", [])


def test_what_the_engine_itself_or_a_person_opened_is_no_foreign_page(guarded: Guard) -> None:
    for headers in ({"origin": "http://" + HOST, "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}):
        assert asyncio.run(ask(guarded, "GET /health", {**headers})).status == 200


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("host", HOST, 403),
        ("origin", "http://" + HOST, 403),
        ("authorization", f"Bearer {TOKEN}", 401),
        ("content-type", "application/json", 415),
        ("x-other", "1", 200),
    ],
)
def test_a_header_that_comes_twice_counts_for_nothing(guarded: Guard, name: str, value: str, status: int) -> None:
    assert asyncio.run(twice(guarded, name, value)) == status


async def twice(guarded: Guard, name: str, value: str) -> int:
    """The status of a request that carries one of its headers two times."""
    plain = {"host": HOST, "authorization": f"Bearer {TOKEN}", "content-type": "application/json", name: value}
    headers = [(key.encode(), text.encode()) for key, text in [*plain.items(), (name, value)]]
    sent: list[Any] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        sent.append(message)

    path = CHAT.removeprefix("POST ")
    await guarded(
        {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}, receive, send
    )
    return sent[0]["status"]


@pytest.mark.parametrize("what", [CHAT, "POST /sleep", "POST /wake_up", "POST /collective_rpc", "POST /tokenize"])
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonx", "", None]
)
def test_a_body_that_is_not_json_is_refused(guarded: Guard, vllm: Vllm, what: str, kind: str | None) -> None:
    answer = asyncio.run(ask(guarded, what, {"content-type": kind}, RELOAD))
    assert (answer.status, answer.code, vllm.seen) == (415, "not_json", [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"content-length": "0"}, 200),
        ({"content-length": "5"}, 415),
        ({"transfer-encoding": "chunked"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json; charset=utf-8", "content-length": "2"}, 200),
        ({"content-type": "Application/JSON"}, 200),
    ],
)
def test_sleep_needs_no_body(guarded: Guard, headers: dict[str, str | None], status: int) -> None:
    assert asyncio.run(ask(guarded, "POST /sleep", headers)).status == status


def test_inference_needs_a_type_even_without_a_body(guarded: Guard) -> None:
    headers = {"content-type": None, "content-length": "0"}
    assert asyncio.run(ask(guarded, CHAT, {**headers}, [b""])).status == 415


@pytest.mark.parametrize(
    "missing", ["IMG2PROMPT_ENGINE_TOKEN", "IMG2PROMPT_ENGINE_FOLDER", "IMG2PROMPT_ENGINE_TOKEN is empty"]
)
def test_without_its_environment_there_is_no_guard(
    folder: Path, vllm: Vllm, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv(missing.split(maxsplit=1)[0], "")
    if "empty" not in missing:
        monkeypatch.delenv(missing)
    with pytest.raises(RuntimeError, match="img2prompt engine start"):
        Guard(vllm)  # pyright: ignore[reportArgumentType]


def test_what_is_let_through_is_not_touched(guarded: Guard, vllm: Vllm) -> None:
    """The very channels go on, and a body is followed by what comes after it: streams and disconnects work."""
    coming: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: object) -> None:
        pass

    async def run(method: str, path: str) -> None:
        coming[:] = [{"type": "http.request", "body": b"{}"}, {"type": "http.disconnect"}]
        headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
        scope["headers"] = [*headers, (b"content-type", b"application/json")]
        await guarded(scope, receive, send)
        assert vllm.passed is not None
        assert vllm.passed[1] is send
        assert (await vllm.passed[0]())["type"] == "http.disconnect"

    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/metrics"), ("POST", "/tokenize")):
        asyncio.run(run(method, path))
    asyncio.run(guarded({"type": "lifespan"}, receive, send))
    assert vllm.seen[-1] == "lifespan"
    assert vllm.passed == (receive, send)


@pytest.mark.parametrize("what", [CHAT, "POST /tokenize", "POST /v1/completions"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":[{"content":[{"type":"image_pil","image_pil":"/etc/passwd"}]}]}',
        b'{"messages":[{"content":[{"uuid":"1","image_pil":"http://127.0.0.1"}]}]}',
        b'{"image_pil":"/etc/passwd","image_pil\\u0000":1}',
        b'{"\\u0069mage_pil":1}',
        b'{"image\\u005fpil":1}',
        b'{"image\\u005Fpil":1}',
        b'{"image_pi\\u006C":1}',
        b'{"image_\\u0070il":1}',
        b'{"a":{"image_pil":1},"a":2}',
        b'\xef\xbb\xbf{"image_pil":1}',
        b'{"max_tokens":1,"a":"\\n\\u00e9","image_pil":1}',
        b'{"a":"\\n\\u00e9","\\u0069mage\\u005fpil":1}',
        [b'{"image', b'_pil":1}'],
    ],
)
def test_no_file_and_no_url_is_loaded_behind_vllms_own_checks(
    guarded: Guard, vllm: Vllm, what: str, body: bytes | list[bytes]
) -> None:
    answer = asyncio.run(ask(guarded, what, body=body))
    assert (answer.status, answer.code, vllm.seen) == (400, "closed_picture", [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_json_in_another_encoding_hides_nothing(guarded: Guard, vllm: Vllm, encoding: str) -> None:
    answer = asyncio.run(ask(guarded, CHAT, body='{"image_pil":1}'.encode(encoding)))
    assert (answer.status, answer.code, vllm.seen) == (415, "not_json", [])


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":"what is image_pil, or \\u0069mage_pil?"}',
        b'{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}',
        b'{"image_pil":',  # no JSON: vLLM says so
        b"\xef\xbb\xbf{}",
        '{"text":"图 é"}'.encode(),
        b"[" * 100_000,
        [b'{"a"', b":", b"1}"],
    ],
)
def test_any_other_body_goes_on_as_it_came(guarded: Guard, vllm: Vllm, body: bytes | list[bytes]) -> None:
    assert asyncio.run(ask(guarded, CHAT, body=body)).status == 200
    assert vllm.bodies == [body if isinstance(body, bytes) else b"".join(body)]


def test_json_too_deep_to_look_through_is_refused(guarded: Guard, vllm: Vllm) -> None:
    answer = asyncio.run(ask(guarded, CHAT, body=b'{"a":' * 100_000 + b'{"image_pil":1}'))
    assert (answer.status, answer.code, vllm.seen) == (400, "not_json", [])


def test_who_leaves_while_sending_is_not_answered(guarded: Guard, vllm: Vllm, folder: Path) -> None:
    coming: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: object) -> None:
        raise AssertionError(message)

    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "query_string": b""}
    scope["headers"] = [*headers, (b"content-type", b"application/json")]
    asyncio.run(guarded(scope, receive, send))
    assert vllm.seen == []


def test_one_whose_body_comes_while_it_falls_asleep_does_not_hang(guarded: Guard, vllm: Vllm) -> None:
    async def run() -> None:
        arrived = asyncio.Event()
        sent: list[Any] = []

        async def receive() -> Message:
            await arrived.wait()
            return {"type": "http.request", "body": b"{}"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
        scope = {"type": "http", "method": "POST", "path": "/v1/completions", "query_string": b""}
        scope["headers"] = [*headers, (b"content-type", b"application/json")]
        slow = asyncio.create_task(guarded(scope, receive, send))  # pyright: ignore[reportArgumentType]
        await asyncio.sleep(0)
        await ask(guarded, "POST /sleep")
        arrived.set()
        await slow
        assert sent[0]["status"] == 503
        assert vllm.seen == ["/sleep"]

    asyncio.run(run())


def test_websockets_are_refused_even_with_the_token(guarded: Guard, vllm: Vllm) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
    asyncio.run(guarded({"type": "websocket", "path": "/v1/realtime", "headers": headers}, receive, send))
    assert (sent, vllm.seen) == (["websocket.close"], [])
