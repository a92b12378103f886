"""What only a GPU can show: memory before, asleep and after; both sleep levels; requests kept; the plan's estimates.

    make test-gpu                      (docs/gpu-checks.md has the requirements and what each check decides)

They start the engine of the memory plan on the GPU that is here, with the vllm of `img2prompt engine install`.
What is measured goes to --gpu-results=FILE as JSON lines.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine import Engine, Settings
from img2prompt.engine.server import control
from img2prompt.engine.server.install import installed_vllm
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.server.remembered import remembered
from img2prompt.prompts import analysis_request
from img2prompt.tests.seeing import draw
from img2prompt.tests.waiting import until

Record = Callable[..., None]

FREED_SHARE = 0.9
"""Of what the server held besides its CUDA context, which a sleep cannot give back."""
CONTEXT_GIB = 1.5
HOLD = """\
import sys, torch
torch.zeros(1, device="cuda")
print("ready", flush=True)
held = torch.empty(int(float(sys.stdin.readline()) * 2**30), dtype=torch.uint8, device="cuda")
print("held", flush=True)
sys.stdin.readline()
"""
ESTIMATE_WITHIN = 0.25
"""The plan's total against what the driver shows."""


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> Iterator[list[dict[str, Any]]]:
    """What was measured; added to the file of --gpu-results in the end."""
    rows: list[dict[str, Any]] = [{"gpu": smi("name,driver_version,memory.total")}]
    yield rows
    if file := request.config.getoption("--gpu-results"):
        with open(file, "a", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def record(rows: list[dict[str, Any]]) -> Record:
    return lambda **row: rows.append(row)


@pytest.fixture(scope="module")
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ManagedBackend:
    chosen = {
        "model": request.config.getoption("--gpu-model"),
        "vllm": request.config.getoption("--gpu-vllm"),
        "cache": False,
        "temperature": 0.0,
        "cache_dir": tmp_path_factory.mktemp("gpu"),
    }
    return ManagedBackend(Settings(engine="managed", **{name: value for name, value in chosen.items() if value != ""}))


@pytest.fixture(scope="module")
def engine(backend: ManagedBackend, record: Record) -> Iterator[Engine]:
    """The engine, awake."""
    engine = Engine(backend, backend._settings)
    # as ComfyUI does for itself; it must not reach vLLM
    os.environ["PYTORCH_CUDA_ALLOC_CONF"] = "backend:cudaMallocAsync"
    free = free_gib()
    began = time.monotonic()
    engine.wake(print)
    engine.ask(question())
    plan = backend.launch.plan
    record(
        start_s=round(time.monotonic() - began, 1),
        model=plan.model,
        planned_gib=round(plan.total_gib, 2),
        taken_gib=round(free - free_gib(), 2),  # not per process: containers and WSL2 do not tell that
        rows={row.name: round(row.gib, 2) for row in plan.rows},
    )
    yield engine
    engine.stop()


def smi(fields: str) -> str:
    query = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def free_gib() -> float:
    return float(smi("memory.free")) / 1024


def question(number: int = 0) -> Any:
    return analysis_request(draw("red", "white" if number % 2 else "blue", (1024, 1024)), seed=number)


def test_the_plan_is_near_what_it_takes(engine: Engine, rows: list[dict[str, Any]]) -> None:
    (started,) = (row for row in rows if "taken_gib" in row)
    assert abs(started["taken_gib"] - started["planned_gib"]) <= ESTIMATE_WITHIN * started["planned_gib"]


@pytest.mark.parametrize("level", [1, 2])
def test_it_gives_the_gpu_back_and_answers_the_same_after_the_wake(
    engine: Engine, backend: ManagedBackend, record: Record, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    monkeypatch.setattr(control, "sleep_level", lambda *_, **__: level)
    before, awake = engine.ask(question(level)), free_gib()  # a picture that it has not seen, before as after
    began = time.monotonic()
    engine.sleep()
    slept_s, asleep = time.monotonic() - began, free_gib()
    assert engine.status().phase == "asleep"
    began = time.monotonic()
    engine.wake()
    woke_s = time.monotonic() - began
    record(level=level, sleep_s=round(slept_s, 2), wake_s=round(woke_s, 2), freed_gib=round(asleep - awake, 2))
    assert asleep - awake >= FREED_SHARE * (backend.launch.plan.total_gib - CONTEXT_GIB)
    assert free_gib() == pytest.approx(awake, abs=0.5)
    after = engine.ask(question(level))
    # the same weights see the same; word for word it need not be, as other kernels may run
    assert [color.name for color in after.palette] == [color.name for color in before.palette]


def test_requests_in_flight_survive_the_sleep(engine: Engine, backend: ManagedBackend, record: Record) -> None:
    asked = engine.submit_many([question(number) for number in range(1, 17)])
    until(lambda: engine.room.users >= 16)
    engine.room.shared = True  # so that nothing wakes it but the give() below
    engine.sleep()
    asleep = free_gib()
    with pytest.raises(TimeoutError):
        asked.result(5)
    engine.room.give()
    assert len(asked.result(300)) == 16
    record(kept_in_flight=16, free_while_asleep_gib=round(asleep, 2))
    engine.room.shared = False


def test_a_full_gpu_steps_down_once_and_remembers(
    backend: ManagedBackend, engine: Engine, record: Record, request: pytest.FixtureRequest
) -> None:
    """Another process holds so much that the plan does not fit in what is left, but the next smaller one does."""
    engine.stop()
    plan, less = backend.launch.plan, backend.launch.less
    if less is None or less.model != plan.model or plan.total_gib - less.total_gib < 1:
        pytest.skip("the plan has no much smaller one with the same checkpoint")
    leave_gib = less.total_gib + 0.7 * (plan.total_gib - less.total_gib)
    vllm = request.config.getoption("--gpu-vllm") or str(installed_vllm())
    with subprocess.Popen([Path(vllm).with_name("python"), "-c", HOLD], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "ready\n"  # its own CUDA context is there
        holder.stdin.write(f"{free_gib() - leave_gib}\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        again = Engine(ManagedBackend(backend._settings), backend._settings)
        status = again.wake(print)
        again.stop()
        holder.kill()
    record(stepped_down=status.detail)
    assert "with less memory than planned" in status.detail
    assert remembered(backend._settings, backend.launch.device) == plan.level + 1
