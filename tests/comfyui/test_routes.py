"""What ComfyUI's HTTP server answers about the engines, and to whom it does not."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from img2prompt.nodes import comfy, routes
from img2prompt.tests.comfyui.graphs import describe
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

KEY = "sk-very-secret-93be"
FIELDS = {"engine", "model", "phase", "detail", "endpoint", "cache_hits", "cache_misses"}
JSON = {"Content-Type": "application/json"}
STATUS, SLEEP, STOP = "/img2prompt/status", "/img2prompt/sleep", "/img2prompt/stop"
ELSEWHERE = "comfyui.example:8188"
"""A Host of which ComfyUI's own check knows nothing, as when it listens on a network."""


def call(comfyui: ComfyServer, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, Any]:
    """Status and JSON (or text) of one request with just these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", comfyui.port, timeout=60)
    try:
        connection.request(method, path, body=body or None, headers=headers)
        reply = connection.getresponse()
        text = reply.read().decode()
    finally:
        connection.close()
    try:
        return reply.status, json.loads(text)
    except ValueError:
        return reply.status, text


@pytest.fixture
def asked(comfyui: ComfyServer, endpoint: SeeingServer) -> Iterator[ComfyServer]:
    """A ComfyUI that has asked its endpoint, with a key."""
    endpoint.control.api_key = KEY
    comfyui.settings_file.write_text(f'api_key = "{KEY}"\n')
    try:
        name = comfyui.upload_image("routes.png", draw("cyan"))
        assert comfyui.run(describe(name, seed=71)).status == "success"
        yield comfyui
    finally:
        comfyui.settings_file.unlink()


def own(comfyui: ComfyServer) -> dict[str, str]:
    """The headers of ComfyUI's own page."""
    return {"Origin": comfyui.url, "Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_the_status_tells_who_answers_and_no_secret(asked: ComfyServer, endpoint: SeeingServer, prefix: str) -> None:
    for headers in ({}, own(asked)):  # a program's and the page's
        status, told = call(asked, "GET", prefix + STATUS, headers)
        assert status == 200
        (engine,) = told["engines"]
        assert engine.keys() == FIELDS
        assert (engine["engine"], engine["model"]) == ("endpoint", "seeing-model")
        assert engine["endpoint"] == endpoint.url and endpoint.url in engine["detail"]
        assert KEY not in json.dumps(told)


@pytest.mark.parametrize("path", [SLEEP, STOP])
def test_another_s_server_is_left_alone(asked: ComfyServer, endpoint: SeeingServer, path: str) -> None:
    for headers in (JSON, {**JSON, **own(asked)}, {"content-type": "Application/JSON; charset=utf-8"}):
        assert call(asked, "POST", path, headers, "{}") == call(asked, "GET", STATUS, {})
    assert asked.run(describe("routes.png", seed=72)).status == "success"


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Host": ELSEWHERE, "Origin": "https://evil.example"},
    {"Host": ELSEWHERE, "Origin": "https://comfyui.example"},
    {"Host": ELSEWHERE, "Origin": "null"},
    {"Host": ELSEWHERE, "Origin": f"http://{ELSEWHERE}", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(("method", "path"), [("GET", STATUS), ("POST", SLEEP), ("POST", STOP)])
def test_foreign_pages_are_refused(comfyui: ComfyServer, method: str, path: str, headers: dict[str, str]) -> None:
    more = JSON if method == "POST" else {}
    status, told = call(comfyui, method, path, {**more, **headers}, "{}" if method == "POST" else "")
    assert status == 403
    assert "engines" not in str(told)


def test_a_page_on_the_network_may_ask(comfyui: ComfyServer) -> None:
    headers = {"Host": ELSEWHERE, "Origin": f"http://{ELSEWHERE}", "Sec-Fetch-Site": "same-origin"}
    assert call(comfyui, "GET", STATUS, headers)[0] == 200
    assert call(comfyui, "POST", SLEEP, {**headers, **JSON})[0] == 200


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("path", [SLEEP, STOP])
def test_a_form_of_a_page_cannot_post(comfyui: ComfyServer, path: str, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert call(comfyui, "POST", path, headers, '{"a": "b"}') == (
        415,
        {"error": "Send it as Content-Type: application/json."},
    )


@pytest.mark.parametrize(("method", "path"), [("POST", STATUS), ("GET", SLEEP), ("GET", STOP)])
def test_reading_changes_nothing(comfyui: ComfyServer, method: str, path: str) -> None:
    assert call(comfyui, method, path, JSON)[0] in (404, 405)


def test_asking_how_engines_stand_makes_none(start_comfyui) -> None:
    server = start_comfyui({"IMG2PROMPT_ENGINE": "nonsense"})  # reading the settings would fail
    try:
        assert call(server, "GET", STATUS, {}) == (200, {"engines": []})
        assert call(server, "POST", STOP, JSON, "{}") == (200, {"engines": []})
    finally:
        server.stop()


def test_a_second_load_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from aiohttp import web

    server = SimpleNamespace(
        PromptServer=SimpleNamespace(instance=SimpleNamespace(routes=web.RouteTableDef())), web=web
    )
    monkeypatch.setitem(comfy.sys.modules, "server", server)
    table = server.PromptServer.instance.routes
    table.static("/img2prompt", ".")  # routes of other kinds do not disturb
    routes.add()
    routes.add()
    assert sorted(route.path for route in table if isinstance(route, web.RouteDef)) == sorted([STATUS, SLEEP, STOP])
    web.Application().add_routes(table)  # raises where a route is there twice
    monkeypatch.delitem(comfy.sys.modules, "server")
    routes.add()  # no server runs: nothing to add to
