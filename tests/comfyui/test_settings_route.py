"""The settings over ComfyUI's HTTP server: what is told and written, from where, and that no key is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from img2prompt.nodes import comfy, settings_route
from img2prompt.tests.comfyui.graphs import describe, with_engine
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.comfyui.test_routes import ELSEWHERE, JSON, SETTINGS, STATUS, call, own
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

KEY = "sk-very-secret-51aa"


@pytest.fixture
def free_comfyui(start_comfyui, session_endpoint: SeeingServer) -> Iterator[ComfyServer]:
    """A ComfyUI whose settings come from its file alone; the file is as before after the test."""
    server = start_comfyui({})
    server.settings_file.write_text(f'# mine\nendpoint = "{session_endpoint.url}"\n')
    yield server
    server.settings_file.unlink(missing_ok=True)


def change(comfyui: ComfyServer, changes: object, **headers: str) -> tuple[int, Any]:
    return call(comfyui, "POST", SETTINGS, {**JSON, **own(comfyui), **headers}, json.dumps(changes))


def test_the_next_run_takes_what_was_changed_and_no_answer_holds_the_key(
    free_comfyui: ComfyServer, endpoint: SeeingServer
) -> None:
    endpoint.control.api_key = KEY
    picture = free_comfyui.upload_image("settings.png", draw("cyan", size=(640, 480)))
    graph = with_engine(describe(picture, seed=1))
    assert "IMG2PROMPT_API_KEY" in free_comfyui.run(graph).error

    told = [change(free_comfyui, {"api_key": KEY}), change(free_comfyui, {"max_pixels": 65_536})]
    assert free_comfyui.run(graph).status == "success"
    assert endpoint.counts.headers[-1]["authorization"] == f"Bearer {KEY}"
    told += [call(free_comfyui, "GET", path, own(free_comfyui)) for path in (SETTINGS, STATUS)]
    assert [status for status, _ in told] == [200] * 4
    assert told[2][1]["settings"]["api_key"] == {"is_set": True, "fixed_by": ""}
    assert told[2][1]["settings"]["max_pixels"]["value"] == 65_536
    assert KEY not in json.dumps(told) + free_comfyui.log()
    assert free_comfyui.settings_file.read_text().startswith("# mine\n")


def test_a_refused_change_says_why_and_changes_nothing(free_comfyui: ComfyServer) -> None:
    before = free_comfyui.settings_file.read_text()
    status, told = change(free_comfyui, {"max_pixels": 1, "release": "keep"})
    assert status == 422 and told["error"].startswith("The pixel budget (max_pixels) must be")
    assert free_comfyui.settings_file.read_text() == before
    for body in ("[]", "{", '"a"', "\xff"):
        assert call(free_comfyui, "POST", SETTINGS, {**JSON, **own(free_comfyui)}, body)[0] == 400
    assert call(free_comfyui, "POST", SETTINGS, JSON, json.dumps({"endpoint": "x" * 2**16}))[0] == 413
    assert call(free_comfyui, "POST", SETTINGS, {**JSON, "Transfer-Encoding": "chunked"}, "0\r\n\r\n")[0] == 413
    assert free_comfyui.settings_file.read_text() == before


def test_another_server_does_not_get_the_key(free_comfyui: ComfyServer) -> None:
    change(free_comfyui, {"api_key": KEY})
    status, told = change(free_comfyui, {"endpoint": "http://127.0.0.1:9/v1"})
    assert (status, told["dropped_key"], told["settings"]["api_key"]["is_set"]) == (200, True, False)
    assert KEY not in free_comfyui.settings_file.read_text()


def test_what_the_environment_sets_is_shown_and_kept(comfyui: ComfyServer, endpoint: SeeingServer) -> None:
    _, told = call(comfyui, "GET", SETTINGS, own(comfyui))
    assert told["settings"]["endpoint"] == {"value": endpoint.url, "fixed_by": "IMG2PROMPT_ENDPOINT"}
    status, told = change(comfyui, {"endpoint": "http://127.0.0.1:9/v1"})
    assert status == 422 and "IMG2PROMPT_ENDPOINT is set" in told["error"]
    assert not comfyui.settings_file.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": ELSEWHERE, "Origin": f"http://{ELSEWHERE}"},  # a name that a page may have pointed here
        {"Host": "10.0.0.5:8188", "Origin": "http://10.0.0.5:8188"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Via": "1.1 proxy.example"},
        {"X-Forwarded-Proto": "https"},
        {"X-Real-IP": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
    ],
    ids=str,
)
def test_another_machine_may_look_and_not_change(free_comfyui: ComfyServer, headers: dict[str, str]) -> None:
    before = free_comfyui.settings_file.read_text()
    status, told = call(free_comfyui, "POST", SETTINGS, {**JSON, **headers}, '{"release": "keep"}')
    assert status == 403 and str(free_comfyui.settings_file) in told["error"]
    assert free_comfyui.settings_file.read_text() == before
    status, told = call(free_comfyui, "GET", SETTINGS, headers)
    assert status == 200 and "only on the machine" in told["read_only"]


@pytest.mark.parametrize(
    ("peer", "host", "status"),
    [
        ("127.0.0.1", "localhost:8188", 400),  # it may; the body is no object
        ("::1", "[::1]:8188", 400),
        ("::ffff:127.0.0.1", "127.0.0.1:8188", 400),
        ("192.168.1.7", "localhost:8188", 403),
        ("::ffff:192.168.1.7", "localhost", 403),
        ("fe80::1", "localhost", 403),
        ("", "localhost", 403),
        ("127.0.0.1", "", 403),
        ("127.0.0.1", "[::1", 403),
        ("127.0.0.1", "localhost.evil.example", 403),
        ("127.0.0.1", "127.0.0.1.evil.example", 403),
    ],
)
def test_only_a_connection_from_this_machine_counts(peer: str, host: str, status: int) -> None:
    async def body() -> bytes:
        return b"[]"

    headers = {**JSON, "Host": host, "Content-Length": "2"}
    asked = comfy.Asked(headers, {}, peer, body, lambda: False)
    assert asyncio.run(settings_route.write(asked))[0] == status
