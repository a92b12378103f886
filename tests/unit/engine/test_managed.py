"""The managed vLLM with a small program in vLLM's place: its command line, its start, its end, its processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from img2prompt.engine.errors import NoEngine, SettingsError, StartFailed, Unreachable
from img2prompt.engine.server import managed, process
from img2prompt.engine.server.command import Device, find_device, find_vllm, serve_command, serve_environment
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.server.process import VllmProcess
from img2prompt.engine.settings import Settings
from img2prompt.engine.sketch import sketch
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.look import measure
from img2prompt.prompts.request import Request
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux only")

SEEING_MODEL = Path(__file__).parents[2] / "seeing_model" / "model"
PICTURE = Image.new("RGB", (64, 64), "#14244f")
ANSWER = sketch(measure(PICTURE))

FAKE_VLLM = '''#!{python} -IS
"""Poses as `vllm`: notes how it was called, logs as vLLM does, has a child, serves health, models and one answer."""
import json, os, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

notes, mode = Path(os.environ["FAKE_NOTES"]), os.environ["FAKE_MODE"]
key = os.environ["VLLM_API_KEY"]
core = subprocess.Popen(["sleep", "600"])

def end(*_):
    core.kill()
    core.wait()
    os._exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else end)
call = {{"argv": sys.argv, "pid": os.getpid(), "core": core.pid, "key": key, "pgid": os.getpgid(0)}}
with (notes / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")

print("Resolved architecture: Qwen3VLForConditionalGeneration", flush=True)
if mode.startswith("dies"):
    print("ValueError: Free memory on device is too small", flush=True)
    sys.exit(int(mode.removeprefix("dies")))
print("Loading safetensors checkpoint shards:  43% Completed | 3/7 [00:01<00:01,  3.10it/s]\\r", flush=True)
while not (notes / "go").exists():
    time.sleep(0.01)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({{"data": [{{"id": name, "owned_by": "vllm"}} for name in names]}})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if (notes / "crash").exists():
            (notes / "crash").unlink()
            os._exit(1)
        message = {{"role": "assistant", "content": os.environ["FAKE_ANSWER"]}}
        self.reply({{"choices": [{{"index": 0, "finish_reason": "stop", "message": message}}]}})

    def reply(self, body):
        allowed = self.path == "/health" or self.headers.get("Authorization") == "Bearer " + key
        data = json.dumps(body).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass

options = dict(word.split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
names = [options["--served-model-name"]]
ThreadingHTTPServer((options["--host"], int(options["--port"])), Handler).serve_forever()
'''


class FakeVllm:
    """The program and what it noted."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.program = folder / "vllm"
        self.program.write_text(FAKE_VLLM.format(python=sys.executable))
        self.program.chmod(0o755)
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("FAKE_NOTES", str(folder))
        monkeypatch.setenv("FAKE_ANSWER", ANSWER.model_dump_json())
        self.mode("works")

    def mode(self, mode: str) -> None:
        self._monkeypatch.setenv("FAKE_MODE", mode)

    def go(self) -> None:
        """Let it begin to serve."""
        (self.folder / "go").touch()

    @property
    def calls(self) -> list[dict]:
        notes = self.folder / "calls"
        return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []

    def settings(self, **more: object) -> Settings:
        values = {"engine": "managed", "model": "Qwen/Tiny", "vllm": str(self.program), "cache": False}
        return Settings.model_validate(values | {"cache_dir": self.folder / "cache"} | more)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVllm:
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(process, "SWEEP_AFTER_S", 0.1)
    return FakeVllm(tmp_path, monkeypatch)


@asynccontextmanager
async def backend(settings: Settings) -> AsyncIterator[ManagedBackend]:
    one = ManagedBackend(settings)
    try:
        yield one
    finally:
        await one.close()


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(true: Callable[[], bool]) -> bool:
    """True as soon as it is so, False after half a minute."""
    end = time.monotonic() + 30
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


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
            assert str(call["pid"]) in status.detail
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
    assert wait_for(lambda: not alive(fake.calls[0]["core"]))  # its child was swept away


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
    assert wait_for(lambda: not alive(call["pid"]) and not alive(call["core"]))


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
        assert wait_for(lambda: bool(fake.calls))  # it has asked for a signal at its parent's end

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


@pytest.mark.parametrize("end", ["kill -9", "ends by itself"])
def test_nothing_is_left_when_its_owner_ends(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
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
    assert wait_for(lambda: not alive(call["pid"]) and not alive(call["core"]))


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


def test_find_vllm_takes_the_setting_then_the_path(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake.folder))
    assert find_vllm(fake.settings(vllm="")) == fake.program
    assert find_vllm(fake.settings()) == fake.program
    with pytest.raises(SettingsError, match="IMG2PROMPT_VLLM"):
        find_vllm(fake.settings(vllm=str(fake.folder / "missing")))


@pytest.mark.parametrize(
    ("script", "visible", "device"),
    [
        ("echo 81559; echo 81559", None, Device("gpu", 81559 / 1024)),
        ("echo 81559", "", Device("cpu")),
        ("echo 81559", "-1", Device("cpu")),
        ("echo 'No devices were found'", None, Device("cpu")),
        ("echo 'driver mismatch' >&2; exit 18", None, Device("cpu")),
        (None, None, Device("cpu")),
    ],
    ids=["two GPUs", "hidden", "hidden by -1", "none", "driver fails", "no driver"],
)
def test_find_device_asks_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, visible: str | None, device: Device
) -> None:
    if script is not None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_device() == device


GPU_CACHE = f"--kv-cache-memory-bytes={3 * 1024**3 // 2}"
CAP = '--mm-processor-kwargs={"size":{"longest_edge":1048576,"shortest_edge":65536}}'


@pytest.mark.parametrize(
    ("device", "more", "there", "not_there"),
    [
        (Device("gpu", 79.6), {}, {GPU_CACHE, "--gpu-memory-utilization=0.05", CAP}, {"--enforce-eager"}),
        (Device("gpu", 15.99), {}, {GPU_CACHE, "--enforce-eager"}, {"--dtype=bfloat16"}),
        (
            Device("cpu"),
            {"max_model_len": 4096},
            {
                "--enforce-eager",
                "--dtype=bfloat16",
                "--max-num-batched-tokens=4096",
                "--no-enable-chunked-prefill",
                "--max-num-seqs=8",
                "--max-model-len=4096",
            },
            {GPU_CACHE, "--gpu-memory-utilization=0.05"},
        ),
        (Device("cpu"), {"max_in_flight": 2}, {"--max-num-seqs=2"}, {"--max-num-seqs=8"}),
        (Device("cpu"), {"model": str(SEEING_MODEL)}, {"--served-model-name=model"}, {CAP}),
    ],
    ids=["large GPU", "16 GB", "CPU", "few in flight", "a checkpoint with smaller pictures"],
)
def test_serve_command_fits_the_device(
    fake: FakeVllm, device: Device, more: dict[str, object], there: set[str], not_there: set[str]
) -> None:
    settings = fake.settings(**({"kv_cache_gib": 1.5} | more))
    command = serve_command(settings, fake.program, 8123, device)
    assert command[:3] == [str(fake.program), "serve", settings.model]
    assert there <= set(command)
    assert not not_there & set(command)
    always = {
        "--host=127.0.0.1",
        "--port=8123",
        '--structured-outputs-config={"backend":"guidance","disable_any_whitespace":true}',
        "--allowed-media-domains=nowhere.invalid",
        "--generation-config=vllm",
        "--disable-fastapi-docs",
    }
    assert always <= set(command)


def test_serve_environment_keeps_ours_out_and_development_routes_shut(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VLLM_SERVER_DEV_MODE", "IMG2PROMPT_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "1")
    environment = serve_environment(fake.settings(kv_cache_gib=2.4), fake.program, Device("cpu"), "secret")
    wanted = {"VLLM_API_KEY": "secret", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "2", "HF_TOKEN": "1"}
    assert wanted.items() <= environment.items()
    assert not {"VLLM_SERVER_DEV_MODE", "IMG2PROMPT_API_KEY"} & environment.keys()
    assert environment["PATH"].startswith(str(fake.folder))


def test_identity_follows_a_local_checkpoints_files(fake: FakeVllm) -> None:
    checkpoint = fake.folder / "checkpoint"
    checkpoint.mkdir()
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(b"")
    one = ManagedBackend(fake.settings(model=str(checkpoint)))
    before = one.identity()
    os.utime(weights, ns=(1, 1))
    assert one.identity() != before
    assert ManagedBackend(fake.settings()).identity() == "managed Qwen/Tiny"
