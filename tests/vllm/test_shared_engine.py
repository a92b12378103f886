"""One engine for all, for real: cold callers, leftovers, a taken port, two ComfyUI processes, sleep under load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from img2prompt.engine import Engine
from img2prompt.engine.server.folder import EngineFolder, State
from img2prompt.engine.server.launch import Launch
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.settings import Settings
from img2prompt.prompts import ImageAnalysis, Request, analysis_request
from img2prompt.tests.comfyui.graphs import describe
from img2prompt.tests.conftest import StartComfyUI
from img2prompt.tests.processes import session
from img2prompt.tests.seeing_model.scenes import draw, new_scene
from img2prompt.tests.vllm.server import CHECKPOINT, PROGRAM
from img2prompt.tests.waiting import until

COLD = 64
TAKES_THE_PORT = """\
import os, socket, sys
port = next(word for word in sys.argv if word.startswith("--port=")).removeprefix("--port=")
first = "{mark}"
if not os.path.exists(first):
    open(first, "w").close()
    taken = socket.create_server(("127.0.0.1", int(port)))
    os.set_inheritable(taken.fileno(), True)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""The first time, somebody has the port that was free a moment ago: vLLM must be started again on another."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        engine="managed",
        model=str(CHECKPOINT),
        vllm=str(PROGRAM),
        cache=False,
        cache_dir=tmp_path_factory.mktemp("shared"),
        temperature=0.0,
    )


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Iterator[tuple[Engine, EngineFolder, State]]:
    """The engine, after 64 callers have started it at one time, over what a killed one left, on a full disk."""
    launch = Launch.of(settings)
    folder = launch.folder
    stale = '{"run": "x", "phase": "ready", "pid": 1, "server_pid": 1, "port": 9, "token": "t"}'
    (folder.path / "state.json").write_text(stale)
    (folder.path / "asleep").write_text("1")
    folder.log_file.symlink_to("/dev/full")
    spec = launch.spec()
    wrapper = [sys.executable, "-c", TAKES_THE_PORT.format(mark=folder.path / "tried")]
    spec["commands"] = [[*wrapper, *command, "--dtype=float32"] for command in spec["commands"]]

    def start(_: int) -> tuple[Any, str]:
        lease = folder.lease()
        return lease, folder.start(spec).run

    with ThreadPoolExecutor(COLD) as pool:
        leases, runs = zip(*pool.map(start, range(COLD)), strict=True)
    assert len(set(runs)) == 1
    until(lambda: folder.now().phase != "starting", timeout_s=600)
    engine = Engine(ManagedBackend(settings), settings)
    engine.wake()
    for lease in leases:
        lease.close()
    yield engine, folder, folder.now()
    engine.close()
    until(lambda: not folder.supervised())


Started = tuple[Engine, EngineFolder, State]


def questions(number: int, seed: int) -> tuple[list[str], list[Request[ImageAnalysis]]]:
    """So many pictures: what each shows, and what is asked."""
    names, asked = [], []
    for index in range(number):
        random = Random(seed + index)
        scene = new_scene(random)
        names.append(scene.name)
        asked.append(analysis_request(draw(scene, 256, 256, random)))
    return names, asked


def right(names: list[str], answers: list[ImageAnalysis]) -> int:
    return sum(name in answer.caption for name, answer in zip(names, answers, strict=True))


def test_cold_callers_over_leftovers_and_a_taken_port_start_one_server(engine: Started) -> None:
    one, folder, state = engine
    assert state.phase == "ready"
    assert (folder.path / "tried").exists()
    assert "Address already in use" in state.crash
    assert len(session(state.server_pid)) >= 2
    with pytest.raises(OSError, match="No space left"):
        (folder.path / "vllm.log").write_text("x")
    names, asked = questions(4, 5)
    assert right(names, one.ask_many(asked)) >= 3


def test_two_comfyui_processes_and_this_one_share_it(engine: Started, start_comfyui: StartComfyUI) -> None:
    _, folder, state = engine
    values = {"ENGINE": "managed", "MODEL": CHECKPOINT, "VLLM": PROGRAM, "CACHE_DIR": folder.path.parent.parent}
    environment = {f"IMG2PROMPT_{name}": str(value) for name, value in values.items()}
    for number in ("1", "2"):
        comfyui = start_comfyui({**environment, "IMG2PROMPT_CONNECT_TIMEOUT_S": number})  # another process for each
        random = Random(number)
        scene = new_scene(random)
        file = comfyui.upload_image("drawn.png", draw(scene, 256, 256, random))
        outcome = comfyui.run(describe(file), timeout_s=300)
        assert outcome.status == "success", outcome.error
        comfyui.stop()
    assert folder.now() == state


def test_an_evaluation_asks_it_for_both_sides(engine: Started, tmp_path: Path) -> None:
    _, folder, state = engine
    lines = []
    for number in range(3):
        random = Random(900 + number)
        scene = new_scene(random)
        draw(scene, 256, 256, random).save(tmp_path / f"{number}.png")
        lines.append(json.dumps({"image": f"{number}.png", "tags": scene.name, "caption": f"a {scene.name}"}))
    (tmp_path / "known.jsonl").write_text("\n".join(lines))
    values = {"ENGINE": "managed", "MODEL": CHECKPOINT, "VLLM": PROGRAM, "CACHE_DIR": folder.path.parent.parent}
    environment = {f"IMG2PROMPT_{name}": str(value) for name, value in values.items()} | {"IMG2PROMPT_TEMPERATURE": "0"}
    command = [sys.executable, "-m", "img2prompt", "eval", "known.jsonl", "--against", "max_in_flight=2"]
    ended = subprocess.run(
        [*command, "--save", "made.json"],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    made = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))
    assert [(side["engine"], side["failures"]) for side in made["sides"]] == [("managed", {})] * 2
    assert made["sides"][0]["measures"]["tag_recall"]["mean"] > 0.6
    found = made["differences"][0]["measures"]
    assert {found[name]["verdict"] for name in ("tag_recall", "caption_overlap", "answered")} == {"same"}
    assert folder.now() == state  # the same server, never restarted


def test_asleep_while_requests_run_all_are_answered(engine: Started) -> None:
    one, folder, state = engine
    names, asked = questions(16, 500)
    one.room.shared = True
    one.room.give()
    answers = one.submit_many(asked)
    until(lambda: one.room.users >= 8)
    one.sleep()
    assert folder.asleep
    later_names, later = questions(4, 700)
    waiting = one.submit_many(later)
    with pytest.raises(TimeoutError):
        until(lambda: answers.done() or waiting.done(), timeout_s=3)
    assert one.room.wanted
    one.room.give()
    assert right(names, answers.result(300)) >= 14
    assert right(later_names, waiting.result(300)) >= 3
    assert folder.now() == state  # the same server, never restarted
    one.room.shared = False
