"""The managed vLLM with a small program in vLLM's place: its start, its end, its processes."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from img2prompt.engine.errors import NoEngine, StartFailed, Unreachable
from img2prompt.engine.server import managed, process
from img2prompt.engine.server.command import Device, serve_command, serve_environment
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.server.process import VllmProcess
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


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVllm:
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(process, "SWEEP_AFTER_S", 0.1)
    return FakeVllm(tmp_path, ANSWER.model_dump_json(), monkeypatch)


@asynccontextmanager
async def backend(settings: Settings) -> AsyncIterator[ManagedBackend]:
    one = ManagedBackend(settings)
    try:
        yield one
    finally:
        await one.close()


def nothing(line: str) -> None:
    """A report for nobody."""


def describe() -> Request[ImageAnalysis]:
    return Request((PICTURE,), "Describe it.", ImageAnalysis)


def test_it_starts_reports_answers_and_stops(fake: FakeVllm) -> None:
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        if "3/7" in line:
            fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            assert "not been started" in one.status().detail
            await one.ready(report)
            assert await one.answer(describe()) == ANSWER
            status = one.status()
            (call,) = fake.calls
            assert (status.engine, status.model) == ("managed", "Tiny")
            assert status.endpoint.startswith("http://127.0.0.1:")
            assert str(call["pgid"]) in status.detail
            assert alive(call["pid"])
            assert alive(call["core"])

    asyncio.run(run())
    (call,) = fake.calls
    assert "vLLM: loading weights 3/7" in lines
    assert not alive(call["pid"])
    assert not alive(call["core"])
    assert stat.S_IMODE((fake.folder / "cache" / "vllm.log").stat().st_mode) == 0o600


def test_the_key_is_new_each_time_and_never_on_the_command_line(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            await one.ready(nothing)
            seen = Path(f"/proc/{fake.calls[-1]['pid']}/cmdline").read_text()
            assert "serve" in seen
            assert fake.calls[-1]["key"] not in seen

    asyncio.run(run())
    asyncio.run(run())
    one, other = fake.calls
    assert one["key"] != other["key"]
    assert len(one["key"]) >= 32
    assert not any(call["key"] in word for call in fake.calls for word in call["argv"])


@pytest.mark.parametrize("code", [0, 1])
def test_an_early_end_tells_the_end_of_the_log(fake: FakeVllm, code: int) -> None:
    fake.mode(f"dies{code}")

    async def run() -> None:
        async with backend(fake.settings()) as one:
            with pytest.raises(StartFailed, match=rf"exit code {code}.*(?s:.*)Free memory on device is too small"):
                await one.ready(nothing)
            assert "has ended" in one.status().detail

    asyncio.run(run())
    until(lambda: not alive(fake.calls[0]["core"]))  # its child was swept away


def test_a_start_that_takes_too_long_is_ended(fake: FakeVllm) -> None:
    async def run() -> None:
        async with backend(fake.settings(start_timeout_s=2.0)) as one:
            with pytest.raises(StartFailed, match=r"not ready after 2 s .*IMG2PROMPT_START_TIMEOUT_S"):
                await one.ready(nothing)

    asyncio.run(run())
    assert not any(alive(pid) for call in fake.calls for pid in (call["pid"], call["core"]))


def test_one_that_will_not_end_is_killed_with_all_its_processes(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed, "STOP_TIMEOUT_S", 0.2)
    fake.mode("stubborn")
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            await one.ready(nothing)

    asyncio.run(run())
    (call,) = fake.calls
    until(lambda: not alive(call["pid"]) and not alive(call["core"]))


def test_many_wait_for_one_start_and_one_who_leaves_does_not_end_it(fake: FakeVllm) -> None:
    async def run() -> None:
        async with backend(fake.settings()) as one:
            first = asyncio.create_task(one.ready(nothing))
            others = [asyncio.create_task(one.ready(nothing)) for _ in range(3)]
            while not fake.calls:
                await asyncio.sleep(0.01)
            first.cancel()
            await asyncio.wait([first])
            fake.go()
            await asyncio.gather(*others)
            assert first.cancelled()
            assert await one.answer(describe()) == ANSWER

    asyncio.run(run())
    assert len(fake.calls) == 1


def test_closing_ends_a_start(fake: FakeVllm) -> None:
    async def run() -> None:
        async with backend(fake.settings()) as one:
            starting = asyncio.create_task(one.ready(nothing))
            while not fake.calls:
                await asyncio.sleep(0.01)
            await one.close()
            with pytest.raises(StartFailed, match="stopped while it was starting"):
                await starting

    asyncio.run(run())
    assert not any(alive(pid) for call in fake.calls for pid in (call["pid"], call["core"]))


def test_a_failed_start_is_tried_again_and_a_closed_backend_used_again(fake: FakeVllm) -> None:
    one = ManagedBackend(fake.settings())

    async def fail() -> None:
        with pytest.raises(StartFailed):
            await one.ready(nothing)

    async def work() -> None:
        assert await one.answer(describe()) == ANSWER
        await one.close()

    fake.mode("dies1")
    asyncio.run(fail())
    fake.mode("works")
    fake.go()
    asyncio.run(work())
    asyncio.run(work())
    assert len(fake.calls) == 3


def test_a_death_while_answering_is_told_and_the_next_request_starts_it_anew(fake: FakeVllm) -> None:
    fake.go()

    async def run() -> None:
        async with backend(fake.settings()) as one:
            await one.ready(nothing)
            (fake.folder / "crash").touch()
            with pytest.raises(Unreachable, match=r"vLLM ended while it was answering \(exit code 1\)"):
                await one.answer(describe())
            assert await one.answer(describe()) == ANSWER

    asyncio.run(run())
    assert len(fake.calls) == 2
    assert not any(alive(pid) for call in fake.calls for pid in (call["pid"], call["core"]))


def test_it_lives_on_when_the_thread_that_started_it_ends(fake: FakeVllm) -> None:
    settings, started = fake.settings(), []

    def start() -> None:
        command = serve_command(settings, fake.program, 1, Device("cpu"))
        environment = serve_environment(settings, fake.program, Device("cpu"), "key")
        started.append(VllmProcess(command, environment, 1, fake.folder / "vllm.log"))
        until(lambda: bool(fake.calls))  # it has asked for a signal at its parent's end

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    (server,) = started
    try:
        # Had that thread been its parent, the kernel would end it now.
        assert not wait_for_end_of(server.pid)
        assert server.running
    finally:
        server.stop()
    assert not alive(server.pid)


def wait_for_end_of(pid: int) -> bool:
    """Whether a process ends in the next half second."""
    end = time.monotonic() + 0.5
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


OWNER = """\
import asyncio, sys, time
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.settings import Settings
backend = ManagedBackend(Settings.load())
asyncio.run(backend.ready(lambda line: None))
print("ready", flush=True)
if sys.argv[1] == "wait":
    time.sleep(600)
"""


@pytest.mark.parametrize(("end", "mode"), [("kill -9", "works"), ("ends by itself", "works"), ("kill -9", "stubborn")])
def test_nothing_is_left_when_its_owner_ends(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch, end: str, mode: str
) -> None:
    fake.mode(mode)  # a stubborn one loses SIGTERM, as vLLM sometimes does while it loads
    fake.go()
    for name, value in fake.settings().model_dump(include={"engine", "model", "vllm", "cache", "cache_dir"}).items():
        monkeypatch.setenv(f"IMG2PROMPT_{name.upper()}", str(value))
    command = [sys.executable, "-c", OWNER, "wait" if end == "kill -9" else "end"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=importing_img2prompt()) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        if end == "kill -9":
            owner.send_signal(signal.SIGKILL)
    (call,) = fake.calls
    until(lambda: not alive(call["pid"]) and not alive(call["core"]))


def importing_img2prompt() -> dict[str, str]:
    """This process's environment, with its way to find `img2prompt`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_a_file_that_is_no_program_is_told(fake: FakeVllm) -> None:
    fake.program.write_bytes(b"\x00\x01 not a program")

    async def run() -> None:
        async with backend(fake.settings()) as one:
            with pytest.raises(StartFailed, match="cannot be run: Exec format error"):
                await one.ready(nothing)

    asyncio.run(run())


def test_without_vllm_the_next_step_is_told(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake.folder / "empty"))

    async def run() -> None:
        async with backend(fake.settings(vllm="")) as one:
            with pytest.raises(NoEngine, match="No vllm program was found; install vLLM"):
                await one.ready(nothing)

    asyncio.run(run())


def test_elsewhere_than_on_linux_a_url_is_asked_for(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed.sys, "platform", "win32")

    async def run() -> None:
        with pytest.raises(StartFailed, match=r"WSL2 .* IMG2PROMPT_ENDPOINT"):
            await ManagedBackend(fake.settings()).ready(nothing)

    asyncio.run(run())
