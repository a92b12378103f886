"""The managed backend with a small program in vLLM's place: what starts, wakes and stops it, and what survives."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine.backend import Status
from img2prompt.engine.errors import NoEngine, StartFailed, Unreachable
from img2prompt.engine.server import control, launch
from img2prompt.engine.server.folder import EngineFolder
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.settings import Settings
from img2prompt.engine.sketch import sketch
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.look import measure
from img2prompt.prompts.request import Request
from img2prompt.tests.fake_vllm import FakeVllm
from img2prompt.tests.processes import alive
from img2prompt.tests.waiting import until
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux only")

PICTURE = Image.new("RGB", (64, 64), "#14244f")
ANSWER = sketch(measure(PICTURE))
CHAT = "/v1/chat/completions"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVllm]:
    """The program, of whose processes none is left in the end."""
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    fake = FakeVllm(tmp_path, ANSWER.model_dump_json(), monkeypatch)
    yield fake
    until(lambda: not any(folder.supervised() for folder in EngineFolder.all(fake.settings().cache_dir)))
    assert not any(alive(pid) for call in fake.calls for pid in (call["pid"], call["core"]))


@asynccontextmanager
async def backend(settings: Settings) -> AsyncIterator[ManagedBackend]:
    """One that is ready to be asked."""
    one = ManagedBackend(settings)
    try:
        await one.ready(nothing)
        yield one
    finally:
        await one.close()


def nothing(line: str) -> None:
    """A report for nobody."""


def describe(number: int = 0) -> Request[ImageAnalysis]:
    return Request((PICTURE,), f"Describe it, {number}.", ImageAnalysis)


def ask(one: ManagedBackend, number: int = 0) -> Coroutine[Any, Any, ImageAnalysis]:
    return one.answer(describe(number), nothing)


async def soon(true: Any) -> None:
    """Return when `true()` is, leaving the loop free meanwhile. Raises TimeoutError."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def test_the_first_request_starts_it_and_tells(fake: FakeVllm) -> None:
    lines: list[str] = []
    asked: list[ManagedBackend] = []
    meanwhile: list[Status] = []

    def report(line: str) -> None:
        lines.append(line)
        if "3/7" in line:
            meanwhile.append(asked[0].status())
            fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            asked.append(one)
            assert one.status().phase == "stopped"
            assert await one.answer(describe(), report) == ANSWER
            status = one.status()
            assert (status.progress, status.log_tail, status.running, status.waiting) == ("", "", 0, 0)
            assert (status.engine, status.model, status.phase) == ("managed", "Tiny", "awake")
            assert status.endpoint.startswith("http://127.0.0.1:")
            assert str(fake.calls[0]["pid"]) in status.detail
            assert not any(call["token"] in repr(status) for call in fake.calls)

    asyncio.run(run())
    assert "vLLM: loading weights 3/7" in lines
    assert (meanwhile[0].phase, meanwhile[0].progress) == ("starting", "loading weights 3/7")
    assert (meanwhile[0].running, meanwhile[0].waiting) == (0, 1)
    assert lines[-1] == ""


def test_a_kept_answer_starts_nothing(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings(cache=True)) as one:
            assert await ask(one) == ANSWER
        async with backend(fake.settings(cache=True)) as other:
            other.room.shared = True  # nor does it want room
            assert await ask(other) == ANSWER
            assert (other.status().cache_hits, other.status().cache_misses) == (1, 0)

    asyncio.run(run())
    assert len(fake.calls) == 1


def test_two_backends_share_one_server(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one, backend(fake.settings()) as other:
            assert await asyncio.gather(*(ask(each, number) for each in (one, other) for number in range(8)))
            assert one.status().endpoint == other.status().endpoint
            assert one.room is other.room  # on the GPU they are one

    asyncio.run(run())
    assert len(fake.calls) == 1


def test_one_who_leaves_does_not_end_the_start_of_the_others(fake: FakeVllm) -> None:
    async def run() -> None:
        async with backend(fake.settings()) as one:
            first, *others = [asyncio.create_task(ask(one, number)) for number in range(4)]
            await soon(lambda: fake.calls)
            first.cancel()
            await asyncio.wait([first])
            fake.go()
            assert await asyncio.gather(*others) == [ANSWER] * 3
            assert first.cancelled()

    asyncio.run(run())
    assert len(fake.calls) == 1


def test_closing_ends_a_start(fake: FakeVllm) -> None:
    async def run() -> None:
        async with backend(fake.settings()) as one:
            asking = asyncio.create_task(ask(one))
            await soon(lambda: fake.calls)
            asking.cancel()

    asyncio.run(run())
    until(lambda: not any(alive(pid) for call in fake.calls for pid in (call["pid"], call["core"])))


def test_a_failed_start_is_tried_again_and_a_closed_backend_used_again(fake: FakeVllm) -> None:
    one = ManagedBackend(fake.settings())

    async def run(expected: object) -> None:
        await one.ready(nothing)
        try:
            assert await ask(one) == expected
        finally:
            await one.close()

    fake.mode("dies1,works")
    with pytest.raises(StartFailed, match=r"(?s)exit code 1.*no such thing"):
        asyncio.run(run(None))
    assert one.status().phase == "failed"
    assert "no such thing" in one.status().log_tail
    fake.go()
    asyncio.run(run(ANSWER))
    asyncio.run(run(ANSWER))
    assert len(fake.calls) in (2, 3)  # the third may come before the second has ended


@pytest.mark.parametrize("killed", ["server", "supervisor", "supervisor and server", "while it answers"])
def test_requests_survive_a_crash(fake: FakeVllm, killed: str) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            assert await ask(one) == ANSWER
            state = one.launch.folder.now()
            asking = []
            with fake.holding():
                if killed == "while it answers":
                    (fake.folder / "crash").touch()
                asking = [asyncio.create_task(ask(one, number)) for number in range(1, 5)]
                await soon(lambda: fake.posts.count(CHAT) >= 5)
                if "supervisor" in killed:
                    os.kill(state.pid, signal.SIGKILL)
                if killed.endswith("server") and alive(state.server_pid):
                    os.kill(state.server_pid, signal.SIGKILL)
            assert await asyncio.gather(*asking) == [ANSWER] * 4
            assert await ask(one) == ANSWER

    asyncio.run(run())
    assert len(fake.calls) == 2


def test_a_request_that_kills_it_twice_is_told_how(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            await one.wake(nothing)
            (fake.folder / "crash").touch()
            asking = asyncio.create_task(ask(one))
            await soon(lambda: len(fake.calls) == 2)
            (fake.folder / "crash").touch()
            with pytest.raises(Unreachable, match=r"while it was running \(exit code 1\).*vllm.log ends:"):
                await asking
            assert await ask(one) == ANSWER

    asyncio.run(run())
    assert len(fake.calls) == 3


def test_it_sleeps_is_woken_once_for_all_and_keeps_what_is_in_flight(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            one.room.shared = True
            one.room.give()
            await one.wake(nothing)
            with fake.holding():
                flying = [asyncio.create_task(ask(one, number)) for number in range(3)]
                await soon(lambda: fake.posts.count(CHAT) == 3)
                await one.sleep()
                await one.sleep()
                assert (one.status().phase, one.room.given, one.room.wanted) == ("asleep", False, True)
            waiting = [asyncio.create_task(ask(one, number)) for number in range(3, 6)]
            await asyncio.sleep(0.3)
            assert fake.posts.count(CHAT) == 3  # nothing is sent to a sleeping engine
            assert one.status().running + one.status().waiting == 6
            assert not any(task.done() for task in flying)
            one.room.give()
            assert await asyncio.gather(*flying, *waiting) == [ANSWER] * 6
            assert (one.room.wanted, one.room.users) == (False, 0)

    asyncio.run(run())
    controls = [path for path in fake.posts if path != CHAT]
    assert controls == ["/sleep?level=1&mode=keep"] * 2 + ["/wake_up"]
    assert fake.posts.count(CHAT) == 6
    assert len(fake.calls) == 1


@pytest.mark.parametrize("shared", [True, False])
def test_put_to_sleep_by_another_process_it_is_woken_for_what_is_in_flight(fake: FakeVllm, shared: bool) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            one.room.shared = shared
            one.room.give()
            await one.wake(nothing)
            with fake.holding():
                flying = asyncio.create_task(ask(one))
                await soon(lambda: CHAT in fake.posts)
                await asyncio.to_thread(control.give_back, one.launch.folder)
            if shared:
                await soon(lambda: one.room.wanted)  # whoever shares the GPU decides when
                assert "/wake_up" not in fake.posts
                one.room.give()
            assert await flying == ANSWER

    asyncio.run(run())
    assert fake.posts.count("/wake_up") == 1


def test_from_a_deep_sleep_the_weights_are_loaded_before_they_are_used(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.go()
    monkeypatch.setattr(control, "sleep_level", lambda *_, **__: 2)

    async def run() -> None:
        async with backend(fake.settings()) as one:
            await one.wake(nothing)
            await one.sleep()
            assert await ask(one) == ANSWER

    asyncio.run(run())
    wake = ["/wake_up?tags=weights", "/collective_rpc", "/wake_up?tags=kv_cache"]
    assert fake.posts == ["/sleep?level=2&mode=keep", *wake, CHAT]


@pytest.mark.parametrize("why", ["it cannot", "no memory for the weights", "it is starting"])
def test_where_it_cannot_sleep_it_stops_and_the_next_request_starts_it(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "it cannot":
        fake.mode("sleepless")
    if why == "no memory for the weights":
        monkeypatch.setattr(control, "sleep_level", lambda *_, **__: 0)

    async def run() -> None:
        async with backend(fake.settings()) as one:
            one.room.shared = True
            one.room.give()
            asking = asyncio.create_task(ask(one))
            await soon(lambda: fake.calls)
            if why != "it is starting":
                fake.go()
                assert await asking == ANSWER
            await one.sleep()
            assert one.status().phase == "stopped"
            assert not alive(fake.calls[0]["pid"])
            fake.go()
            one.room.give()
            assert await ask(one, 1) == ANSWER
            if why == "it is starting":
                assert await asking == ANSWER

    asyncio.run(run())
    assert len(fake.calls) == 2


def test_stopped_it_says_so_to_who_waits_and_starts_again_for_the_next(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one, backend(fake.settings()) as other:
            await one.wake(nothing)
            with fake.holding():
                flying = asyncio.create_task(ask(one))
                await soon(lambda: CHAT in fake.posts)
                await other.ready(nothing)
                await other.stop()
                with pytest.raises(Unreachable, match="was stopped while it was answering"):
                    await flying
            assert one.status().phase == "stopped"
            assert await ask(one) == ANSWER

    asyncio.run(run())
    assert len(fake.calls) == 2


@pytest.fixture
def card(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of 24 GB, as its driver tells."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    driver = fake.folder / "bin" / "nvidia-smi"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\necho '24576, 24000, GPU-1, 8.9, NVIDIA GeForce RTX 4090'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{driver.parent}{os.pathsep}{os.environ['PATH']}")


def test_memory_that_runs_out_is_remembered_once(card: None, fake: FakeVllm, caplog: pytest.LogCaptureFixture) -> None:
    fake.mode("full,works")
    fake.go()

    async def run() -> None:
        async with backend(fake.settings(model="")) as one:
            planned = one.gpu_bytes
            assert await ask(one) == ANSWER
            assert "with less memory than planned" in one.status().detail
            assert 8 * 2**30 < one.gpu_bytes < planned
            assert await ask(one, 1) == ANSWER
            async with backend(fake.settings(model="")) as other:  # finds it running: that is no other step
                assert await ask(other) == ANSWER
        until(lambda: not alive(fake.calls[-1]["pid"]))
        async with backend(fake.settings(model="")) as again:
            assert await ask(again) == ANSWER

    asyncio.run(run())
    assert caplog.text.count("memory ran out") == 1
    first, second, third = ([word for word in call["argv"] if "--port" not in word] for call in fake.calls)
    assert first != second
    assert third == second


def test_where_the_smaller_start_fails_too_another_checkpoint_is_next(card: None, fake: FakeVllm) -> None:
    fake.mode("full,full,works")

    async def run() -> None:
        async with backend(fake.settings(model="")) as one:
            with pytest.raises(StartFailed, match="ran out of memory; ask again, and the next start takes less"):
                await ask(one)
            asking = asyncio.create_task(ask(one))
            await soon(lambda: len(fake.calls) == 3)
            await asyncio.sleep(2)  # longer than a supervisor stays without a lease
            fake.go()
            assert await asking == ANSWER

    asyncio.run(run())
    models = [call["argv"][2] for call in fake.calls]
    assert models[0] == models[1] != models[2]


def test_a_sleep_during_a_wake_is_the_last_word(fake: FakeVllm) -> None:
    fake.mode("drowsy")  # it takes a second to wake
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            one.room.shared = True
            one.room.give()
            await one.wake(nothing)
            await one.sleep()
            one.room.give()
            asking = asyncio.create_task(ask(one))
            await soon(lambda: "/wake_up" in fake.posts)
            asking.cancel()  # as Cancel in ComfyUI does
            await one.sleep()
            assert one.status().phase == "asleep"
            await asyncio.sleep(1.5)
            assert (one.status().phase, one.room.given) == ("asleep", False)

    asyncio.run(run())


def test_a_server_that_died_asleep_is_started_again(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            await one.wake(nothing)
            await one.sleep()
            os.kill(one.launch.folder.now().server_pid, signal.SIGKILL)
            assert await ask(one) == ANSWER

    asyncio.run(run())
    assert len(fake.calls) == 2


def test_a_sleep_longer_than_the_patience_for_an_answer_loses_none(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings(answer_timeout_s=1)) as one:
            one.room.shared = True
            one.room.give()
            await one.wake(nothing)
            with fake.holding():
                flying = asyncio.create_task(ask(one))
                await soon(lambda: CHAT in fake.posts)
                await one.sleep()
            await asyncio.sleep(1.5)
            one.room.give()
            assert await flying == ANSWER

    asyncio.run(run())
    assert len(fake.calls) == 1


def test_a_sleep_after_the_last_answer_lasts(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            assert await ask(one) == ANSWER
            await one.sleep()
            await asyncio.sleep(1)
            assert one.status().phase == "asleep"

    asyncio.run(run())


OWNER = """\
import sys, time
from img2prompt.engine import shared_engine
shared_engine().wake()
print("ready", flush=True)
if sys.argv[1] == "wait":
    time.sleep(600)
"""


@pytest.mark.parametrize(("end", "mode"), [("kill -9", "works"), ("ends by itself", "works"), ("kill -9", "stubborn")])
def test_nothing_is_left_when_its_only_user_ends(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch, end: str, mode: str
) -> None:
    fake.mode(mode)  # a stubborn one does not heed SIGTERM
    fake.go()
    for name, value in fake.settings().model_dump(include={"engine", "model", "vllm", "cache", "cache_dir"}).items():
        monkeypatch.setenv(f"IMG2PROMPT_{name.upper()}", str(value))
    command = [sys.executable, "-c", OWNER, "wait" if end == "kill -9" else "end"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        if end == "kill -9":
            owner.send_signal(signal.SIGKILL)
    (call,) = fake.calls
    until(lambda: not alive(call["pid"]) and not alive(call["core"]))


def test_without_vllm_the_next_step_is_told(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake.folder / "empty"))
    monkeypatch.setenv("XDG_DATA_HOME", str(fake.folder / "empty"))

    async def run() -> None:
        async with backend(fake.settings(vllm="")) as one:
            with pytest.raises(NoEngine, match="`img2prompt engine install`"):
                await ask(one)

    asyncio.run(run())


def test_elsewhere_than_on_linux_a_url_is_asked_for(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch.sys, "platform", "win32")
    with pytest.raises(StartFailed, match=r"WSL2 .* IMG2PROMPT_ENDPOINT"):
        asyncio.run(ManagedBackend(fake.settings()).ready(nothing))
