"""What only a GPU can show: memory before, asleep and after; both sleep levels; requests kept; the plan's estimates.

    make test-gpu                      (docs/gpu-checks.md has the requirements and what each check decides)

They start the engine of the memory plan on the GPU that is here, with the vllm of `img2prompt engine install`.
What is measured goes to --gpu-results=FILE as JSON lines.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine import Engine, Settings
from img2prompt.engine.server import control
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.prompts import analysis_request
from img2prompt.tests.seeing import draw
from img2prompt.tests.waiting import until

Record = Callable[..., None]

FREED_SHARE = 0.9
"""Of what the server held besides its CUDA context, which a sleep cannot give back."""
CONTEXT_GIB = 1.5
ESTIMATE_WITHIN = 0.25
"""The plan's total against what the driver shows."""


@pytest.fixture(scope="module")
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    rows: list[dict[str, Any]] = [{"gpu": smi("name,driver_version,memory.total")}]

    def add(**row: Any) -> None:
        rows.append(row)
        print(row)

    yield add
    if file := request.config.getoption("--gpu-results"):
        Path(file).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ManagedBackend:
    chosen = {
        "model": request.config.getoption("--gpu-model"),
        "vllm": request.config.getoption("--gpu-vllm"),
        "cache": False,
        "cache_dir": tmp_path_factory.mktemp("gpu"),
    }
    return ManagedBackend(Settings(engine="managed", **{name: value for name, value in chosen.items() if value != ""}))


@pytest.fixture(scope="module")
def engine(backend: ManagedBackend, record: Record) -> Iterator[Engine]:
    """The engine, awake."""
    engine = Engine(backend, backend._settings)
    free = free_gib()
    began = time.monotonic()
    engine.wake(print)
    plan = backend.launch.plan
    record(
        start_s=round(time.monotonic() - began, 1),
        model=plan.model,
        planned_gib=round(plan.total_gib, 2),
        taken_gib=round(free - free_gib(), 2),
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


def test_the_plan_is_near_what_it_takes(engine: Engine, backend: ManagedBackend) -> None:
    state = backend.launch.folder.now()
    engine.ask(question())
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    used = sum(int(line.split(",")[1]) for line in listed.splitlines() if line.strip()) / 1024
    planned = backend.launch.plan.total_gib
    assert state.phase == "ready"
    assert abs(used - planned) <= ESTIMATE_WITHIN * planned, f"planned {planned:.2f} GiB, taken {used:.2f} GiB"


@pytest.mark.parametrize("level", [1, 2])
def test_it_gives_the_gpu_back_and_answers_the_same_after_the_wake(
    engine: Engine, backend: ManagedBackend, record: Record, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    monkeypatch.setattr(control, "sleep_level", lambda *_, **__: level)
    before, awake = engine.ask(question()), free_gib()
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
    assert engine.ask(question()) == before  # the same weights, the same words


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
    if less is None or less.model != plan.model:
        pytest.skip("the plan has no smaller one with the same checkpoint")
    leave_gib = (plan.total_gib + less.total_gib) / 2
    python = Path(request.config.getoption("--gpu-vllm") or "vllm").with_name("python")
    hold = f"import torch; x = torch.empty(int({free_gib() - leave_gib} * 2**30), dtype=torch.uint8, device='cuda'); "
    with subprocess.Popen([python, "-c", hold + "print(1, flush=True); input()"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        again = Engine(ManagedBackend(backend._settings), backend._settings)
        status = again.wake(print)
        again.stop()
        holder.kill()
    record(stepped_down=status.detail)
    assert "with less memory than planned" in status.detail
