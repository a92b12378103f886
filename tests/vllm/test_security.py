"""Each hole of vLLM's that is known, tried on a real one behind the guard.

The holes are those that were found open in vLLM 0.32 with a key: development routes without it, web pages that drive
them, a worker's method that writes files, inference by the back door, pictures from URLs and files, hanging in sleep.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from img2prompt.tests.vllm.guarded import Answer, GuardedVllm
from img2prompt.tests.vllm.server import VllmServer
from img2prompt.tests.waiting import until
from PIL import Image

WITHOUT_KEY = [
    "POST /sleep",
    "POST /wake_up",
    "POST /collective_rpc",
    "GET /server_info",
    "POST /pause",
    "POST /resume",
    "POST /tokenize",
    "GET /metrics",
    "POST /invocations",
    "GET /health",
    "GET /ping",
    "GET /version",
    "GET /is_sleeping",
    "POST /reset_prefix_cache",
    "POST /update_weights",
    "GET /docs",
    "GET /openapi.json",
    "GET /v1/models",
    "POST /v1/chat/completions",
    "OPTIONS /v1/chat/completions",
]
CLOSED = [
    "POST /invocations",
    "POST /pause",
    "POST /resume",
    "POST /abort_requests",
    "POST /release_kv_cache_memory",
    "GET /server_info",
    "POST /update_weights",
    "POST /reset_prefix_cache",
    "GET /docs",
    "POST /v1/chat/completions/batch",
    "POST /v1/responses",
    "POST /v1/messages",
]
TEXT = {"type": "text", "text": "Describe."}
RELOAD = {"method": "reload_weights"}


@pytest.fixture
def server(vllm_server: VllmServer) -> GuardedVllm:
    """The shared one."""
    return GuardedVllm(vllm_server)


@pytest.fixture
def awake(server: GuardedVllm) -> Iterator[GuardedVllm]:
    """It was and stays awake, whatever was tried."""
    yield server
    assert server.ask("GET", "/is_sleeping").json == {"is_sleeping": False}
    assert not (server.folder / "asleep").exists()


def body_for(server: GuardedVllm, what: str) -> object:
    """A body that would be served."""
    if what.startswith("GET"):
        return None
    return {"model": server.model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}


def picture(color: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (256, 256), color).save(buffer, "PNG")
    return buffer.getvalue()


def image_url(url: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}}


# --- who and from where ---


@pytest.mark.parametrize("what", WITHOUT_KEY)
def test_no_route_is_open_without_the_token(awake: GuardedVllm, what: str) -> None:
    method, path = what.split()
    for given in (None, "Bearer wrong"):
        answer = awake.ask(method, path, body_for(awake, what), {"Authorization": given})
        assert (answer.status, answer.code) == (401, "wrong_token")


@pytest.mark.parametrize("what", CLOSED)
def test_routes_that_nobody_needs_are_closed_even_with_the_token(awake: GuardedVllm, what: str) -> None:
    before = awake.metric("vllm:request_success_total")
    method, path = what.split()
    answer = awake.ask(method, path, body_for(awake, what))
    assert (answer.status, answer.code) == (404, "closed_route")
    assert awake.metric("vllm:request_success_total") == before


@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8188"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
    ],
)
def test_web_pages_are_refused_even_with_the_token(awake: GuardedVllm, page: dict[str, str | None]) -> None:
    for path in ("/sleep", "/v1/chat/completions", "/collective_rpc"):
        answer = awake.ask("POST", path, {}, page)
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/sleep", "/wake_up", "/collective_rpc", "/v1/chat/completions", "/tokenize"])
def test_plain_text_drives_nothing(awake: GuardedVllm, path: str) -> None:
    """What a page may send to any server without asking it first."""
    body = json.dumps({**RELOAD, "model": awake.model, "messages": []}).encode()
    for kind in ("text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", None):
        assert awake.ask("POST", path, body, {"Content-Type": kind}).status == 415


def raw(server: GuardedVllm, request: str) -> bytes:
    """The first line that answers a request as it stands, with the token in place of TOKEN."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request.replace("TOKEN", server.token).replace("\n", "\r\n").encode())
        return connection.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /health HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\n\n", b"200"),
        ("GET /health HTTP/1.0\nAuthorization: Bearer TOKEN\n\n", b"403"),
        ("GET http://localhost/server_info HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\n\n", b"404"),
        ("GET /health/../server_info HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\n\n", b"404"),
        ("GET /%73erver_info HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\n\n", b"404"),
        ("GET //server_info HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\n\n", b"404"),
        ("GET /server_info?/health HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\n\n", b"404"),
        ("GET /health HTTP/1.1\nHost: localhost\nHost: a\nAuthorization: Bearer TOKEN\n\n", b"40"),
        (
            "GET /v1/realtime HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nUpgrade: websocket\n"
            "Connection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n\n",
            b"403",
        ),
    ],
)
def test_odd_requests_find_no_way_round(awake: GuardedVllm, request_text: str, status: bytes) -> None:
    assert raw(awake, request_text).split()[1].startswith(status)


def test_workers_write_no_files(awake: GuardedVllm, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    body = {"method": "save_sharded_state", "kwargs": {"path": str(folder)}}
    assert awake.ask("POST", "/collective_rpc", body, {"Authorization": None}).status == 401
    assert awake.ask("POST", "/collective_rpc", body).code == "closed_method"
    for more in ({"args": [str(folder)]}, {"kwargs": {}}, {"timeout": 1}):
        assert awake.ask("POST", "/collective_rpc", {**RELOAD, **more}).code == "closed_method"
    assert list(tmp_path.iterdir()) == []


# --- pictures from elsewhere ---


class Elsewhere:
    """A web server with a picture, and a picture file; it notes who came to it."""

    def __init__(self, folder: Path) -> None:
        self.visits = 0
        self.file = folder / "secret.png"
        self.file.write_bytes(picture())
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.untouched()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            self.visits += 1
            with connection:
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: image/png\r\n\r\n" + picture()
                )

    def untouched(self) -> bool:
        """Whether nobody has come, nor read the file, since this was asked last."""
        read = self.file.stat().st_atime > time.time() - 3600
        os.utime(self.file, (time.time() - 200_000, time.time() - 100_000))  # the next read is noted (relatime)
        visits, self.visits = self.visits, 0
        return not read and not visits

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    place = Elsewhere(tmp_path)
    yield place
    place.close()


def test_visits_would_be_noticed(elsewhere: Elsewhere) -> None:
    """The next tests can fail."""
    assert elsewhere.untouched()
    elsewhere.file.read_bytes()
    assert not elsewhere.untouched()
    host, port = elsewhere.host.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    assert not elsewhere.untouched()
    assert elsewhere.untouched()


REMOTE = [
    "http://{host}/a.png",
    "HTTP://{host}/a.png",
    "https://{host}/a.png",
    "http://nowhere.invalid@{host}/a.png",
    "http://{host}\\@nowhere.invalid/a.png",
    "http://{host}#@nowhere.invalid/a.png",
    "//{host}/a.png",
    "ftp://{host}/a.png",
    "file://{file}",
    "FILE://{file}",
    "file://localhost{file}",
    "file:{file}",
    "{file}",
]


@pytest.mark.parametrize("url", REMOTE)
def test_no_url_and_no_file_is_loaded(awake: GuardedVllm, elsewhere: Elsewhere, url: str) -> None:
    where = url.format(host=elsewhere.host, file=elsewhere.file)
    parts: list[dict[str, object]] = [
        image_url(where),
        {"type": "image_url", "image_url": where},
        {"type": "image_url", "image_url": {"url": where}, "uuid": "some-name"},
        {"type": "input_image", "image_url": where},
        {"type": "video_url", "video_url": {"url": where}},
        {"type": "audio_url", "audio_url": {"url": where}},
        {"type": "image_pil", "image_pil": where},
        {"image_pil": where},
        {"type": "image_url", "image_pil": where, "uuid": "another-name"},
        {"type": "image_embeds", "image_embeds": where},
    ]
    for part in parts:
        for answer in (awake.chat(part, TEXT), tokenize(awake, part)):
            assert answer.status >= 400, part
            assert answer.json["error"]["message"]
    assert elsewhere.untouched()
    assert awake.chat(image_url(f"data:image/png;base64,{base64.b64encode(picture()).decode()}"), TEXT).status == 200


def tokenize(server: GuardedVllm, part: object) -> Answer:
    """The other route that takes pictures."""
    messages = [{"role": "user", "content": [part, TEXT]}]
    return server.ask("POST", "/tokenize", {"model": server.model, "messages": messages})


# --- sleep ---


def test_asleep_it_says_so_at_once(awake: GuardedVllm) -> None:
    assert awake.ask("POST", "/sleep?level=1&mode=keep").json == {"status": "sleeping", "level": 1}
    assert awake.ask("GET", "/is_sleeping").json == {"is_sleeping": True}
    assert (awake.folder / "asleep").read_text() == "1"
    for answer in (awake.chat(), awake.ask("POST", "/v1/chat/completions", b" " * 20_000_000)):
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "asleep", "1")
    assert awake.ask("GET", "/health").status == 200
    assert awake.ask("POST", "/sleep?level=1").json["status"] == "sleeping"
    assert awake.ask("POST", "/wake_up").json["status"] == "awake"
    assert awake.chat().status == 200


def test_from_a_deep_sleep_it_wakes_in_order_only(awake: GuardedVllm) -> None:
    url = image_url(f"data:image/png;base64,{base64.b64encode(picture('blue')).decode()}")
    before = awake.chat(url, TEXT).text
    assert awake.ask("POST", "/sleep?level=2&mode=keep").status == 200
    assert (awake.folder / "asleep").read_text() == "2"
    for query in ("", "?tags=kv_cache"):
        assert awake.ask("POST", f"/wake_up{query}").code == "wrong_order"
    assert awake.ask("POST", "/collective_rpc", RELOAD).code == "not_waking"
    assert awake.ask("POST", "/wake_up?tags=weights").json["status"] == "sleeping"
    assert awake.ask("POST", "/collective_rpc", RELOAD).status == 200
    assert awake.chat().code == "asleep"
    assert awake.ask("POST", "/wake_up?tags=kv_cache").json["status"] == "awake"
    assert awake.chat(url, TEXT).text == before


def test_what_is_in_flight_survives_sleep(awake: GuardedVllm) -> None:
    """With mode=keep it stands still, and goes on to its end after waking."""
    with ThreadPoolExecutor() as pool:
        long = pool.submit(awake.chat, max_tokens=1500, ignore_eos=True)
        until(lambda: awake.metric("vllm:num_requests_running") == 1)
        assert awake.ask("POST", "/sleep?level=1&mode=keep").status == 200
        assert not long.done()
        assert awake.chat().code == "asleep"
        assert awake.ask("POST", "/wake_up").status == 200
        answer = long.result(120)
    assert answer.status == 200
    assert answer.json["usage"]["completion_tokens"] == 1500


def test_streams_pass_and_who_leaves_frees_his_place(awake: GuardedVllm) -> None:
    body = {"model": awake.model, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    body |= {"max_tokens": 3000, "ignore_eos": True}
    headers = {"Authorization": f"Bearer {awake.token}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", awake.port, timeout=60)) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        with connection.getresponse() as reply:
            assert reply.readline().startswith(b"data: {")
            assert awake.metric("vllm:num_requests_running") == 1
    until(lambda: awake.metric("vllm:num_requests_running") == 0)
