"""The supervisor and its folder, with a small program in vLLM's place: starts, ends, leases, locks, what is told."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine.errors import StartFailed
from img2prompt.engine.server.folder import EngineFolder, State
from img2prompt.tests.fake_vllm import FakeVllm
from img2prompt.tests.processes import alive, session
from img2prompt.tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux only")

Spec = Callable[..., dict[str, Any]]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVllm:
    return FakeVllm(tmp_path, "{}", monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[EngineFolder]:
    folder = EngineFolder.of(tmp_path, "Qwen/Tiny", "cpu")
    yield folder
    folder.ask_to_stop()
    until(lambda: not folder.supervised())


@pytest.fixture
def spec(fake: FakeVllm, folder: EngineFolder) -> Spec:
    """Makes what the supervisor is told; keyword arguments change it."""

    def make(*more: str, **changed: Any) -> dict[str, Any]:
        command = [str(fake.program), "serve", "--served-model-name=Tiny", "--host=127.0.0.1", "--port={port}"]
        environment = {"IMG2PROMPT_ENGINE_TOKEN": "secret", "IMG2PROMPT_ENGINE_FOLDER": str(folder.path)}
        whole = {
            "commands": [command, *([*command, word] for word in more)],
            "environment": {**os.environ, **environment},
            "token": "secret",
            "about": {"model": "Tiny"},
            "idle_stop_s": 600,
            "start_timeout_s": 30,
        }
        return whole | changed

    return make


def reached(folder: EngineFolder, phase: str) -> State:
    """The state, when it has come to that phase."""
    until(lambda: folder.now().phase == phase)
    return folder.now()


def test_it_starts_tells_how_far_it_is_and_stops(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    with folder.lease():
        assert folder.start(spec()).phase == "starting"
        until(lambda: folder.now().progress == "loading weights 3/7")
        fake.go()
        state = reached(folder, "ready")
        (call,) = fake.calls
        assert (state.server_pid, state.about) == (call["pid"], {"model": "Tiny"})
        assert f"--port={state.port}" in call["argv"]
        assert session(call["pid"]) == {call["pid"], call["core"]}  # in a session of its own
        assert folder.ask_to_stop()
        assert reached(folder, "stopped").reason == "it was told to"
    assert not alive(call["pid"])
    assert not alive(call["core"])
    until(lambda: not alive(state.pid))
    assert not folder.ask_to_stop()


def test_what_it_keeps_is_for_its_owner_only_and_no_secret_is_in_an_argument(
    fake: FakeVllm, folder: EngineFolder, spec: Spec
) -> None:
    fake.go()
    with folder.lease():
        folder.start(spec())
        state = reached(folder, "ready")
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert {stat.S_IMODE((folder.path / name).stat().st_mode) for name in ("state.json", "vllm.log")} == {0o600}
        for pid in (state.pid, state.server_pid):
            assert "secret" not in Path(f"/proc/{pid}/cmdline").read_text()
        assert "secret" not in repr(state)


def test_many_cold_callers_start_one_server(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    script = (
        "import json, sys, time\nfrom pathlib import Path\n"
        "from img2prompt.engine.server.folder import EngineFolder\n"
        f"folder = EngineFolder(Path({str(folder.path)!r}))\nlease = folder.lease()\n"
        "print(folder.start(json.load(sys.stdin)).run, flush=True)\ntime.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", script]
    others = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    for other in others:
        assert other.stdin is not None
        other.stdin.write(json.dumps(spec()))
        other.stdin.close()
    with folder.lease(), ThreadPoolExecutor(60) as threads:
        runs = {state.run for state in threads.map(folder.start, [spec() for _ in range(60)])}
    for other in others:
        assert other.stdout is not None
        runs.add(other.stdout.readline().strip())
    fake.go()
    reached(folder, "ready")
    assert (len(runs), len(fake.calls)) == (1, 1)
    for other in others:  # theirs are the only leases now
        assert other.stdout is not None
        assert folder.supervised()
        other.kill()
        other.wait()
        other.stdout.close()
    assert reached(folder, "stopped").reason == "nobody uses it any more"


@pytest.mark.parametrize("mode", ["works", "stubborn"])
def test_it_ends_with_the_last_lease(fake: FakeVllm, folder: EngineFolder, spec: Spec, mode: str) -> None:
    fake.mode(mode)  # a stubborn one does not heed SIGTERM
    fake.go()
    one, other = folder.lease(), folder.lease()
    folder.start(spec())
    state = reached(folder, "ready")
    one.close()
    with pytest.raises(TimeoutError):
        until(lambda: folder.now().phase != "ready", timeout_s=3)
    other.close()
    reached(folder, "stopped")
    (call,) = fake.calls
    assert not any(map(alive, (call["pid"], call["core"])))
    until(lambda: not alive(state.pid))


def test_asked_to_stay_it_ends_when_it_has_been_idle(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    fake.go()
    with folder.lease():
        folder.start(spec(idle_stop_s=7))
        reached(folder, "ready")
        folder.stay()
    with pytest.raises(TimeoutError):
        until(lambda: folder.now().phase != "ready", timeout_s=4)
    (folder.path / "activity").touch()  # as the guard does at a request
    with pytest.raises(TimeoutError):
        until(lambda: folder.now().phase != "ready", timeout_s=4)
    assert reached(folder, "stopped").reason == "nobody asked it anything for 7 s"


def test_the_wish_to_stay_ends_with_the_engine_it_was_meant_for(
    fake: FakeVllm, folder: EngineFolder, spec: Spec
) -> None:
    fake.go()
    folder.stay()  # of one that ended long ago
    with folder.lease():
        folder.start(spec())
        reached(folder, "ready")
    reached(folder, "stopped")


def test_whoever_took_the_port_is_not_told_the_token(
    fake: FakeVllm, folder: EngineFolder, spec: Spec, tmp_path: Path
) -> None:
    program = tmp_path / "late"
    program.write_text("#!/bin/sh\nsleep 600\n")
    program.chmod(0o755)
    with folder.lease():
        folder.start(spec(commands=[[str(program), "--port={port}"]]))
        until(lambda: folder.now().port)
        with socket.create_server(("127.0.0.1", folder.now().port)) as thief:
            thief.settimeout(3)
            with pytest.raises(TimeoutError):
                thief.accept()
        assert folder.now().phase == "starting"


@pytest.mark.parametrize("told", ['{"pid": 0}', "{", f'{{"pid": {os.getppid()}}}'])
def test_no_signal_goes_to_who_is_no_supervisor(folder: EngineFolder, told: str) -> None:
    """The lock may be held before the state is told, and by another container."""
    (folder.path / "state.json").write_text(told)
    with (folder.path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.ask_to_stop()


def test_what_a_full_disk_did_not_take_is_told_later(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    with folder.lease():
        folder.start(spec())
        until(lambda: folder.now().progress == "loading weights 3/7")
        blocked = folder.path / "state.json.new"
        blocked.mkdir()
        fake.go()
        with pytest.raises(TimeoutError):
            until(lambda: folder.now().phase == "ready", timeout_s=2)
        blocked.rmdir()
        reached(folder, "ready")


@pytest.mark.parametrize("code", [0, 1])
def test_an_early_end_tells_the_end_of_the_log(fake: FakeVllm, folder: EngineFolder, spec: Spec, code: int) -> None:
    fake.mode(f"dies{code}")
    with folder.lease():
        folder.start(spec())
        state = reached(folder, "failed")
        assert f"exit code {code}" in state.error
        assert state.error.endswith("ValueError: no such thing")
        assert str(folder.log_file) in state.error
        until(lambda: not folder.supervised())
        assert len(fake.calls) == 1  # what is wrong with the settings is so the next time, too
    assert not alive(fake.calls[0]["core"])
    assert folder.now().phase == "failed"


def test_a_crash_is_followed_by_a_new_start_three_times_in_a_row(
    fake: FakeVllm, folder: EngineFolder, spec: Spec
) -> None:
    fake.go()
    with folder.lease():
        folder.start(spec())
        for number in (1, 2, 3):
            state = reached(folder, "ready")
            os.kill(state.server_pid, signal.SIGKILL)
            until(lambda number=number: len(fake.calls) > number)
        state = reached(folder, "ready")
        assert "while it was running (exit code -9)" in state.crash
        os.kill(state.server_pid, signal.SIGKILL)
        assert "exit code -9" in reached(folder, "failed").error
    assert not any(alive(pid) for call in fake.calls for pid in (call["pid"], call["core"]))


def test_a_server_that_was_asked_something_has_not_failed_in_a_row(
    fake: FakeVllm, folder: EngineFolder, spec: Spec
) -> None:
    fake.go()
    with folder.lease():
        folder.start(spec())
        for number in range(1, 6):
            state = reached(folder, "ready")
            (folder.path / "activity").touch()  # as the guard does
            os.kill(state.server_pid, signal.SIGKILL)
            until(lambda number=number: len(fake.calls) > number)


@pytest.mark.parametrize(("modes", "calls"), [("taken,works", 2), ("full,works", 2), ("full,dies1", 2)])
def test_a_start_is_tried_again_where_that_may_help(
    fake: FakeVllm, folder: EngineFolder, spec: Spec, modes: str, calls: int
) -> None:
    fake.mode(modes)
    fake.go()
    with folder.lease():
        folder.start(spec("--less"))
        state = reached(folder, "failed" if "dies" in modes else "ready")
    assert len(fake.calls) == calls
    assert state.stepped_down == (modes == "full,works")
    assert ["--less" in call["argv"] for call in fake.calls] == [False, modes.startswith("full")]


def test_a_full_card_with_nothing_smaller_is_a_failure(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    fake.mode("full")
    with folder.lease():
        folder.start(spec())
        assert "CUDA out of memory" in reached(folder, "failed").error


def test_a_start_that_takes_too_long_is_ended(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    with folder.lease():
        folder.start(spec(start_timeout_s=4))
        error = reached(folder, "failed").error
        assert "not ready after 4 s (loading weights 3/7)" in error and "raise IMG2PROMPT_START_TIMEOUT_S" in error
    (call,) = fake.calls
    assert not any(map(alive, (call["pid"], call["core"])))


def test_a_killed_supervisor_takes_the_server_along_and_the_next_sweeps_up(
    fake: FakeVllm, folder: EngineFolder, spec: Spec
) -> None:
    fake.go()
    with folder.lease():
        folder.start(spec())
        first = reached(folder, "ready")
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: not alive(first.server_pid))
        now = folder.now()
        assert (now.phase, now.url, now.reason) == ("stopped", "", "its supervisor was killed")
        (call,) = fake.calls
        assert alive(call["core"])  # vLLM's own have our child guard; this one has not
        folder.start(spec())
        assert reached(folder, "ready").run != first.run
        assert not alive(call["core"])


@pytest.mark.parametrize("left", ["{", '{"pid": 1, "phase": "ready", "port": 9, "run": "x"}'])
def test_a_stale_state_file_is_no_engine(fake: FakeVllm, folder: EngineFolder, spec: Spec, left: str) -> None:
    (folder.path / "state.json").write_text(left)
    (folder.path / "asleep").write_text("1")
    assert folder.now().phase == "stopped"
    assert not folder.ask_to_stop()  # so no signal goes to whoever has that number now
    fake.go()
    with folder.lease():
        folder.start(spec())
        reached(folder, "ready")
        assert not folder.asleep


def test_a_full_disk_costs_the_log_and_nothing_else(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    folder.log_file.symlink_to("/dev/full")
    fake.mode("works,dies1")
    fake.go()
    with folder.lease():
        folder.start(spec())
        state = reached(folder, "ready")
        os.kill(state.server_pid, signal.SIGKILL)
        assert reached(folder, "failed").error.endswith("ValueError: no such thing")  # its last lines are in memory


def test_a_folder_that_cannot_be_written_is_told(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    (folder.path / "state.json.new").mkdir()
    with folder.lease(), pytest.raises(StartFailed, match="cannot be written to: Is a directory"):
        folder.start(spec())
    assert not fake.calls
    (folder.path / "state.json.new").rmdir()


def test_a_file_that_is_no_program_is_told(fake: FakeVllm, folder: EngineFolder, spec: Spec) -> None:
    fake.program.write_bytes(b"\x00\x01 not a program")
    with folder.lease():
        folder.start(spec())
        assert "cannot be run: Exec format error" in reached(folder, "failed").error
