"""What the guard of the managed vLLM knows of its sleep and its use, and tells the supervisor in files."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine.server.inside.img2prompt_guard import Guard, guard
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


def test_while_it_sleeps_inference_is_refused_at_once_and_the_rest_is_not(guarded: Guard, folder: Path) -> None:
    slept, refused, also, health, counted, woken, answered = asked(
        guarded, "POST /sleep?level=1&mode=keep", CHAT, "POST /v1/completions", "GET /health", "POST /tokenize",
        "POST /wake_up", CHAT,
    )  # fmt: skip
    assert (slept.status, slept.content) == (200, {"status": "sleeping", "level": 1})
    for answer in (refused, also):
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "asleep", "1")
        assert answer.content["error"]["message"] == "The engine is asleep; wake it with `img2prompt engine wake`."
    assert [one.status for one in (health, counted, woken, answered)] == [200] * 4
    assert not (folder / "asleep").exists()


def test_the_file_says_how_deep_it_sleeps_to_its_owner_alone(guarded: Guard, folder: Path) -> None:
    asked(guarded, "POST /sleep?level=2")
    assert (folder / "asleep").read_text() == "2"
    assert stat.S_IMODE((folder / "asleep").stat().st_mode) == 0o600
    assert sorted(file.name for file in folder.iterdir()) == ["activity", "asleep"]


def test_a_new_server_is_awake(guarded: Guard, folder: Path, vllm: Vllm) -> None:
    asked(guarded, "POST /sleep")
    fresh = Guard(vllm)  # pyright: ignore[reportArgumentType]
    assert not (folder / "asleep").exists()
    assert asked(fresh, CHAT)[0].status == 200


def test_a_second_sleep_or_wake_is_not_handed_on(guarded: Guard, vllm: Vllm) -> None:
    first, second, wake, again = asked(
        guarded, "POST /sleep?level=1", "POST /sleep?level=2", "POST /wake_up", "POST /wake_up"
    )
    assert vllm.seen == ["/sleep?level=1", "/wake_up"]
    assert [first.status, second.status, wake.status, again.status] == [200] * 4
    assert second.content == {"status": "sleeping", "level": 1}
    assert again.content["status"] == "awake"


def test_level_2_wakes_in_one_order_only(guarded: Guard, vllm: Vllm, folder: Path) -> None:
    rpc = "POST /collective_rpc"
    steps = [
        ("POST /sleep?level=2", b"", 200),
        ("POST /wake_up", b"", 409),
        ("POST /wake_up?tags=kv_cache", b"", 409),
        ("POST /wake_up?tags=weights&tags=kv_cache", b"", 409),
        (rpc, RELOAD, 409),
        ("POST /wake_up?tags=weights", b"", 200),
        ("POST /wake_up", b"", 409),
        ("POST /wake_up?tags=kv_cache", b"", 409),
        (CHAT, b"{}", 503),
        (rpc, RELOAD, 200),
        (CHAT, b"{}", 503),
        ("POST /wake_up?tags=kv_cache", b"", 200),
        (CHAT, b"{}", 200),
    ]
    answers = asked(guarded, *[(what, body) for what, body, _ in steps])
    assert [answer.status for answer in answers] == [status for *_, status in steps]
    assert {answer.code for answer in answers if answer.status == 409} == {"wrong_order", "not_waking"}
    assert vllm.seen == [
        "/sleep?level=2",
        "/wake_up?tags=weights",
        "/collective_rpc",
        "/wake_up?tags=kv_cache",
        "/v1/chat/completions",
    ]
    assert not (folder / "asleep").exists()


def test_two_may_wake_it_from_level_2_at_the_same_time(guarded: Guard, vllm: Vllm) -> None:
    weights, reload, cache = (
        "POST /wake_up?tags=weights",
        ("POST /collective_rpc", RELOAD),
        "POST /wake_up?tags=kv_cache",
    )
    for second in ([weights, reload, cache], [reload, cache], [cache]):
        before = [weights, reload, cache][: 3 - len(second)]
        answers = asked(guarded, "POST /sleep?level=2", *before, weights, reload, cache, *second, CHAT)
        assert [answer.status for answer in answers] == [200] * len(answers)
    assert vllm.seen.count("/wake_up?tags=kv_cache") == 3
    assert vllm.seen.count("/collective_rpc") == 1 + 1 + 2  # never while it is awake


def test_no_body_is_waited_for_while_it_sleeps(guarded: Guard) -> None:
    async def receive() -> Message:
        raise AssertionError("it was asked for")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asked(guarded, "POST /sleep")
    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "query_string": b""}
    scope["headers"] = [*headers, (b"content-type", b"application/json")]
    asyncio.run(guarded(scope, receive, send))
    assert sent[0]["status"] == 503


def test_weights_that_could_not_be_read_again_stay_empty(guarded: Guard, vllm: Vllm) -> None:
    vllm.statuses = {"/collective_rpc": 500}
    *_, failed, refused = asked(
        guarded, "POST /sleep?level=2", "POST /wake_up?tags=weights", ("POST /collective_rpc", RELOAD), "POST /wake_up"
    )
    assert (failed.status, refused.status) == (500, 409)


def test_asleep_again_on_the_way_up_the_weights_are_still_empty(guarded: Guard, vllm: Vllm, folder: Path) -> None:
    *_, slept, refused = asked(
        guarded, "POST /sleep?level=2", "POST /wake_up?tags=weights", "POST /sleep?level=1", "POST /wake_up"
    )
    assert vllm.seen[-1] == "/sleep?level=1"  # it is handed on: the weights hold the GPU
    assert (slept.status, refused.status) == (200, 409)
    assert (folder / "asleep").read_text() == "2"


@pytest.mark.parametrize("steps", [["POST /wake_up"], ["POST /wake_up?tags=weights", "POST /wake_up?tags=kv_cache"]])
def test_level_1_may_wake_bare_or_in_steps_and_sleep_again(guarded: Guard, vllm: Vllm, steps: list[str]) -> None:
    for _ in range(2):
        answers = asked(guarded, "POST /sleep?level=1", *steps, CHAT)
        assert [answer.status for answer in answers] == [200] * len(answers)
    assert vllm.seen.count("/sleep?level=1") == 2


def test_the_cache_alone_is_not_woken(guarded: Guard, vllm: Vllm) -> None:
    """vLLM would take the next sleep for none, and the cache would go on to hold the GPU."""
    _, refused = asked(guarded, "POST /sleep?level=1", "POST /wake_up?tags=kv_cache")
    assert (refused.status, refused.code, vllm.seen) == (409, "wrong_order", ["/sleep?level=1"])


def test_a_sleep_that_was_refused_changes_nothing(guarded: Guard, vllm: Vllm, folder: Path) -> None:
    vllm.statuses = {"/sleep": 400}
    slept, answer = asked(guarded, "POST /sleep?mode=nonsense", CHAT)
    assert (slept.status, answer.status) == (400, 200)
    assert not (folder / "asleep").exists()


@pytest.mark.parametrize("how", [500, 0])
def test_after_a_sleep_that_failed_nothing_is_computed_until_a_restart(
    guarded: Guard, vllm: Vllm, folder: Path, how: int
) -> None:
    vllm.statuses = {"/sleep": how}
    if how:
        assert asked(guarded, "POST /sleep")[0].status == 500
    else:
        with pytest.raises(RuntimeError, match="EngineCore died"):
            asked(guarded, "POST /sleep")
    answers = asked(guarded, CHAT, "POST /wake_up", "POST /sleep")
    assert [(answer.status, answer.code) for answer in answers] == [(503, "sleep_failed")] * 3
    assert all("img2prompt engine stop" in answer.content["error"]["message"] for answer in answers)
    assert len(vllm.seen) == 1


@pytest.mark.parametrize("tags", ["", "?tags=weights"])
def test_a_wake_that_failed_leaves_it_asleep_and_may_be_tried_again(
    guarded: Guard, vllm: Vllm, folder: Path, tags: str
) -> None:
    vllm.statuses = {"/wake_up": 500}
    rpc = ("POST /collective_rpc", RELOAD)
    _, failed, refused, early, slept = asked(guarded, "POST /sleep", f"POST /wake_up{tags}", CHAT, rpc, "POST /sleep")
    assert (failed.status, refused.code, early.code, slept.status) == (500, "asleep", "not_waking", 200)
    assert vllm.seen == ["/sleep", f"/wake_up{tags}"]
    assert (folder / "asleep").exists()
    vllm.statuses = {}
    assert [answer.status for answer in asked(guarded, "POST /wake_up", CHAT)] == [200, 200]


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("POST /sleep?level=0", "wrong_level"),
        ("POST /sleep?level=3", "wrong_level"),
        ("POST /sleep?level=1&level=2", "wrong_level"),
        ("POST /sleep?level=", "wrong_level"),
        ("POST /wake_up?tags=scheduling", "wrong_tags"),
        ("POST /wake_up?tags=", "wrong_tags"),
        ("POST /wake_up?tags=weights,kv_cache", "wrong_tags"),
    ],
)
def test_sleep_is_asked_for_in_known_words(guarded: Guard, vllm: Vllm, what: str, code: str) -> None:
    (answer,) = asked(guarded, what)
    assert (answer.status, answer.code, vllm.seen) == (400, code, [])


@pytest.mark.parametrize(
    "body",
    [
        b'{"method":"save_sharded_state"}',
        b'{"method":"reload_weights","args":["/tmp"]}',
        b'{"method":"reload_weights","kwargs":{"is_checkpoint_format":false}}',
        b'["reload_weights"]',
        b"",
        b"{",
        b"[" * 1000,
        b'{"method":"reload_weights"}' + b" " * 2000,
        b"\xff\xfe",
        [b'{"method":"reload_weights"', b',"timeout":1}'],
        [b" " * 600, b" " * 600, RELOAD],
    ],
)
def test_of_the_workers_methods_only_reloading_is_open(guarded: Guard, vllm: Vllm, body: bytes | list[bytes]) -> None:
    asked(guarded, "POST /sleep?level=2", "POST /wake_up?tags=weights")
    before = len(vllm.seen)
    answer = asyncio.run(ask(guarded, "POST /collective_rpc", {"content-type": "application/json"}, body))
    assert (answer.status, answer.code, len(vllm.seen)) == (403, "closed_method", before)


@pytest.mark.parametrize(
    "body",
    [
        RELOAD,
        [b'{"method":', b' "reload_weights"}'],
        b'{"method":"save_sharded_state","method":"reload_weights"}',  # another parser might see the first
        RELOAD.decode().encode("utf-16"),
    ],
)
def test_what_goes_on_is_what_was_understood(guarded: Guard, vllm: Vllm, body: bytes | list[bytes]) -> None:
    asked(guarded, "POST /sleep?level=2", "POST /wake_up?tags=weights")
    assert asyncio.run(ask(guarded, "POST /collective_rpc", body=body)).status == 200
    assert vllm.bodies[-1] == b'{"method": "reload_weights"}'


def test_in_flight_passes_while_new_ones_are_refused_and_control_waits_its_turn(guarded: Guard, vllm: Vllm) -> None:
    async def run() -> None:
        vllm.gate = asyncio.Event()
        chat = asyncio.create_task(ask(guarded, CHAT))
        await asyncio.sleep(0)
        sleeping = asyncio.create_task(ask(guarded, "POST /sleep"))
        await asyncio.sleep(0)
        waking = asyncio.create_task(ask(guarded, "POST /wake_up"))
        await asyncio.sleep(0)
        assert (await ask(guarded, CHAT)).code == "asleep"  # it only falls asleep yet
        assert vllm.seen == ["/v1/chat/completions", "/sleep"]
        vllm.gate.set()
        assert [one.status for one in await asyncio.gather(chat, sleeping, waking)] == [200] * 3
        assert vllm.seen == ["/v1/chat/completions", "/sleep", "/wake_up"]
        assert (await ask(guarded, CHAT)).status == 200

    asyncio.run(run())


def test_who_has_been_told_that_it_is_awake_is_not_refused(guarded: Guard, folder: Path) -> None:
    """What an answer means holds before the answer goes out."""
    told: list[tuple[str, bool]] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        told.append((message["type"], (folder / "asleep").exists()))

    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
    for path in ("/sleep", "/wake_up"):
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        asyncio.run(guarded(scope, receive, send))  # pyright: ignore[reportArgumentType]
    assert [asleep for _, asleep in told] == [True] * 3 + [False] * 3


# --- activity ---


def long_ago(folder: Path) -> float:
    """Make the last use an hour old."""
    then = time.time() - 3600
    os.utime(folder / "activity", (then, then))
    return then


@pytest.mark.parametrize(
    ("what", "counts"),
    [
        (CHAT, True),
        ("POST /v1/completions", True),
        ("POST /tokenize", True),
        ("POST /sleep", True),
        ("POST /wake_up", True),
        ("GET /health", False),
        ("GET /metrics", False),
        ("GET /is_sleeping", False),
        ("POST /invocations", False),
    ],
)
def test_use_is_noted_and_looking_is_not(guarded: Guard, folder: Path, what: str, counts: bool) -> None:
    then = long_ago(folder)
    asked(guarded, what)
    assert ((folder / "activity").stat().st_mtime > then + 60) is counts


def test_what_is_refused_is_no_use(guarded: Guard, folder: Path) -> None:
    asked(guarded, "POST /sleep")
    then = long_ago(folder)
    asked(guarded, CHAT)
    asyncio.run(ask(guarded, CHAT, {"authorization": None}))
    assert (folder / "activity").stat().st_mtime < then + 60


def test_its_begin_and_its_end_are_noted_at_once(guarded: Guard, vllm: Vllm, folder: Path) -> None:
    async def run() -> None:
        vllm.gate = asyncio.Event()
        then = long_ago(folder)
        chat = asyncio.create_task(ask(guarded, CHAT))
        while not vllm.seen:
            await asyncio.sleep(0)
        assert (folder / "activity").stat().st_mtime > then + 60
        then = long_ago(folder)
        vllm.gate.set()
        await chat
        assert (folder / "activity").stat().st_mtime > then + 60

    asyncio.run(run())


def test_a_long_request_is_use_again_and_again(
    guarded: Guard, vllm: Vllm, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BEAT_S", 0.01)
    file = folder / "activity"

    async def run() -> None:
        vllm.gate = asyncio.Event()
        chats = [asyncio.create_task(ask(guarded, CHAT)) for _ in range(2)]
        while len(vllm.seen) < 2:
            await asyncio.sleep(0)
        vllm.gate = None
        await ask(guarded, CHAT)  # one that comes and goes meanwhile changes nothing
        for _ in range(3):
            then = long_ago(folder)
            while file.stat().st_mtime < then + 60:
                await asyncio.sleep(0.005)
        for chat in chats:
            chat.cancel()
        await asyncio.wait(chats)
        then = long_ago(folder)
        await asyncio.sleep(0.1)  # ten beats
        assert file.stat().st_mtime < then + 60

    asyncio.run(asyncio.wait_for(run(), 30))


def test_one_that_fails_is_no_longer_in_flight(
    guarded: Guard, vllm: Vllm, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BEAT_S", 0.01)
    vllm.statuses = {"/v1/chat/completions": 0}

    async def run() -> None:
        with pytest.raises(RuntimeError, match="EngineCore died"):
            await ask(guarded, CHAT)
        then = long_ago(folder)
        await asyncio.sleep(0.1)
        assert (folder / "activity").stat().st_mtime < then + 60

    asyncio.run(run())


def test_a_folder_that_is_gone_fails_no_request(guarded: Guard, folder: Path) -> None:
    (folder / "activity").unlink()
    folder.rename(folder.with_name("moved"))
    answers = asked(guarded, CHAT, "POST /sleep", CHAT, "POST /wake_up", CHAT)
    assert [answer.status for answer in answers] == [200, 200, 503, 200, 200]


def test_activity_that_was_deleted_comes_back(guarded: Guard, folder: Path) -> None:
    (folder / "activity").unlink()
    asked(guarded, CHAT)
    assert stat.S_IMODE((folder / "activity").stat().st_mode) == 0o600
