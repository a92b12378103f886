"""What ComfyUI's HTTP server answers about the engines, and to whom it does not."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine import Settings, shared, standing
from img2prompt.engine.errors import NoEngine
from img2prompt.nodes import comfy, routes
from img2prompt.tests.comfyui.graphs import describe
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

KEY = "sk-very-secret-93be"
FIELDS = {
    *("engine", "model", "phase", "detail", "endpoint", "progress", "gpu_bytes", "running", "waiting"),
    *("tokens_per_s", "cache_hits", "cache_misses", "log_tail"),
}
JSON = {"Content-Type": "application/json"}
STATUS, SLEEP, STOP = "/img2prompt/status", "/img2prompt/sleep", "/img2prompt/stop"
SETTINGS = "/img2prompt/settings"
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
@pytest.mark.parametrize(
    ("method", "path"), [("GET", STATUS), ("POST", SLEEP), ("POST", STOP), ("GET", SETTINGS), ("POST", SETTINGS)]
)
def test_foreign_pages_are_refused(comfyui: ComfyServer, method: str, path: str, headers: dict[str, str]) -> None:
    more = JSON if method == "POST" else {}
    status, told = call(comfyui, method, path, {**more, **headers}, "{}" if method == "POST" else "")
    assert status == 403
    assert "engines" not in str(told) and "settings" not in str(told)


def test_a_page_on_the_network_may_ask(comfyui: ComfyServer) -> None:
    headers = {"Host": ELSEWHERE, "Origin": f"http://{ELSEWHERE}", "Sec-Fetch-Site": "same-origin"}
    assert call(comfyui, "GET", STATUS, headers)[0] == 200
    assert call(comfyui, "POST", SLEEP, {**headers, **JSON})[0] == 200


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("path", [SLEEP, STOP, SETTINGS])
def test_a_form_of_a_page_cannot_post(comfyui: ComfyServer, path: str, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert call(comfyui, "POST", path, headers, '{"a": "b"}') == (
        415,
        {"error": "Send it as Content-Type: application/json."},
    )


@pytest.mark.parametrize(("method", "path"), [("POST", STATUS), ("GET", SLEEP), ("GET", STOP)])
def test_reading_changes_nothing(comfyui: ComfyServer, method: str, path: str) -> None:
    assert call(comfyui, method, path, JSON)[0] in (404, 405)


def test_a_bad_setting_is_told_and_nothing_fails(start_comfyui) -> None:
    server = start_comfyui({"IMG2PROMPT_ENGINE": "nonsense"})
    try:
        status, told = call(server, "GET", STATUS, {})
        assert (status, told["engines"], told["phase"]) == (200, [], "failed")
        assert "The setting engine cannot be used" in told["problem"]
        assert call(server, "POST", STOP, JSON, "{}") == (200, told)
    finally:
        server.stop()


@pytest.fixture
def asked_by_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """This process as it begins: no engine yet; the settings file."""
    monkeypatch.setattr(shared, "_made", shared._Made())
    monkeypatch.setattr(standing, "_last", None)
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("IMG2PROMPT_CACHE_DIR", str(tmp_path))
    return tmp_path / "settings.toml"


def stands() -> list[tuple[str, str]]:
    return [(engine["engine"], engine["endpoint"]) for engine in routes._engines()["engines"]]


def test_before_anybody_asks_the_engine_of_the_settings_stands_there_and_nobody_was_asked(
    asked_by_nobody: Path, endpoint: SeeingServer
) -> None:
    asked_by_nobody.write_text(f'endpoint = "{endpoint.url}"\n')
    assert stands() == [("endpoint", endpoint.url)]
    assert shared.engines() == [] and endpoint.counts.requests == 0
    asked_by_nobody.write_text('engine = "sketch"\n')
    assert stands() == [("sketch", "")]
    shared.shared_engine()
    asked_by_nobody.write_text(f'endpoint = "{endpoint.url}"\n')
    assert stands() == [("endpoint", endpoint.url)]  # not that of earlier settings
    shared.close_engines()


def test_where_no_engine_is_set_up_it_says_what_to_do_and_asks_the_driver_seldom(
    asked_by_nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Settings] = []

    def none(settings: Settings) -> Any:
        tried.append(settings)
        raise NoEngine("No engine is set up; do this.")

    monkeypatch.setattr(standing, "choose_backend", none)
    for _ in range(3):
        told = routes._engines()
        assert (told["engines"], told["problem"], told["phase"]) == (
            [],
            "No engine is set up; do this.",
            "not installed",
        )
    assert len(tried) == 1
    monkeypatch.setattr(standing, "TRY_AGAIN_S", 0.0)
    routes._engines()
    assert len(tried) == 2


def test_a_busy_engine_of_earlier_settings_is_told_of(asked_by_nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_by_nobody.write_text('engine = "sketch"\n')
    old = shared.shared_engine()
    asked_by_nobody.write_text('engine = "sketch"\nmax_pixels = 70000\n')
    assert len(stands()) == 1
    monkeypatch.setattr(standing, "_busy", lambda engine: engine is old)
    assert len(stands()) == 2
    shared.close_engines()


# Waiting for a change


async def hold(known: str, *, gone: bool = False) -> dict[str, Any]:
    async def nothing() -> bytes:
        return b""

    status, told = await routes._status(comfy.Asked({}, {"after": known}, "127.0.0.1", nothing, lambda: gone))
    assert status == 200 and isinstance(told, dict)
    return told


@pytest.fixture
def slow_and_fast(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits are noted instead of waited for."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(routes.asyncio, "sleep", sleep)
    return slept


def test_who_waits_is_told_of_a_change_and_not_before_a_second(
    asked_by_nobody: Path, slow_and_fast: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter(["a", "a", "a", "b"])
    monkeypatch.setattr(routes, "_engines", lambda: {"version": next(versions)})
    assert asyncio.run(hold("a")) == {"version": "b"}
    assert slow_and_fast == [routes.EARLIEST_S] * 4
    versions = iter(["c"])
    assert asyncio.run(hold("b")) == {"version": "c"}
    assert len(slow_and_fast) == 5  # even where it has changed already


def test_a_wait_ends_without_a_change_and_when_nobody_waits_any_more(
    asked_by_nobody: Path, slow_and_fast: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_engines", lambda: {"version": "a"})
    assert asyncio.run(hold("a", gone=True)) == {"version": "a"}
    assert len(slow_and_fast) == 1
    monkeypatch.setattr(routes, "LATEST_S", -1.0)
    assert asyncio.run(hold("a")) == {"version": "a"}
    assert len(slow_and_fast) == 2


def test_the_version_holds_until_something_changes(asked_by_nobody: Path) -> None:
    asked_by_nobody.write_text('engine = "sketch"\n')
    first = routes._engines()
    assert routes._engines() == first
    asked_by_nobody.write_text('endpoint = "http://127.0.0.1:9"\n')
    assert routes._engines()["version"] != first["version"]


def test_a_page_that_goes_away_ends_its_wait(
    comfyui: ComfyServer, endpoint: SeeingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the real server: the answer comes with the next run, and a closed connection is no error there."""
    name = comfyui.upload_image("routes.png", draw("cyan"))
    assert comfyui.run(describe(name, seed=73)).status == "success"
    _, told = call(comfyui, "GET", STATUS, {})
    with socket.create_connection(("127.0.0.1", comfyui.port)) as leaves:
        leaves.sendall(f"GET {STATUS}?after={told['version']} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    got: list[tuple[int, Any]] = []
    waits = threading.Thread(
        target=lambda: got.append(call(comfyui, "GET", f"{STATUS}?after={told['version']}", own(comfyui)))
    )
    waits.start()
    time.sleep(0.1)  # it is on its way
    assert not got
    assert comfyui.run(describe(name, seed=74)).status == "success"
    waits.join(30)
    ((status, now),) = got
    assert status == 200 and now["version"] != told["version"]
    assert now["engines"][0]["cache_misses"] > told["engines"][0]["cache_misses"]
    assert "Error handling request" not in comfyui.log()


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
    paths = [STATUS, SLEEP, STOP, SETTINGS, SETTINGS]
    assert sorted(route.path for route in table if isinstance(route, web.RouteDef)) == sorted(paths)
    web.Application().add_routes(table)  # raises where a route is there twice
    monkeypatch.delitem(comfy.sys.modules, "server")
    routes.add()  # no server runs: nothing to add to
