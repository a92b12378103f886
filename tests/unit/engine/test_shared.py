from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from img2prompt.engine import shared, shared_engine
from img2prompt.engine.errors import EngineError, NoEngine, SettingsError
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

if TYPE_CHECKING:
    from img2prompt.tests.unit.engine.conftest import Until

REQUEST = Request((draw(),), "Look.", ImageAnalysis)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(shared, "_engine", None)
    monkeypatch.setenv("PATH", str(tmp_path))  # no vllm there
    monkeypatch.setenv("IMG2PROMPT_CACHE", "false")
    yield
    if shared._engine is not None:
        shared._engine.close()


def test_all_threads_get_one_engine(server: SeeingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", server.url)
    with ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(lambda _: shared_engine(), range(20)))
    assert len({id(engine) for engine in engines}) == 1
    assert engines[0].ask(REQUEST).tags[0] == "red center"


def test_changed_settings_make_another_and_stop_the_old(
    server: SeeingServer, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", server.url)
    old = shared_engine()
    server.control.hold = True
    asked = old.submit_many([REQUEST])
    until(lambda: server.counts.in_flight == 1)
    monkeypatch.setenv("IMG2PROMPT_MAX_PIXELS", "65536")
    new = shared_engine()
    assert new is not old
    assert new.settings.max_pixels == 65536
    assert asked.cancelled()
    until(lambda: server.counts.cancelled == 1)


def test_the_settings_file_is_read_too(server: SeeingServer, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'endpoint = "{server.url}"\nmodel = "seeing-model"\n')
    assert shared_engine().ask(REQUEST).tags[0] == "red center"


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({}, NoEngine, "IMG2PROMPT_ENDPOINT .*IMG2PROMPT_MODEL .*IMG2PROMPT_ENGINE=sketch"),
        ({"MODEL": "Qwen/Qwen3-VL-8B-Instruct"}, NoEngine, "IMG2PROMPT_MODEL to a checkpoint with vLLM installed"),
        ({"ENGINE": "endpoint"}, NoEngine, "no endpoint is set; set IMG2PROMPT_ENDPOINT"),
        ({"ENDPOINT": "localhost:8000"}, SettingsError, "such as http://127.0.0.1:8000/v1"),
        ({"ENGINE": "magic"}, SettingsError, "The setting engine .*IMG2PROMPT_ENGINE"),
        ({"MAX_IN_FLIGHT": "0"}, SettingsError, "max_in_flight"),
    ],
)
def test_settings_without_an_engine(
    settings: dict[str, str], kind: type[EngineError], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"IMG2PROMPT_{name}", value)
    with pytest.raises(kind, match=says):
        shared_engine()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"ENGINE": "sketch"}, "sketch"),
        ({"ENGINE": "sketch", "ENDPOINT": "http://127.0.0.1:9"}, "sketch"),
        ({"ENDPOINT": "http://127.0.0.1:9", "MODEL": "m"}, "endpoint"),
        ({"ENGINE": "endpoint", "ENDPOINT": "http://127.0.0.1:9"}, "endpoint"),
        ({"ENGINE": "managed", "MODEL": "m"}, "managed"),
        ({"MODEL": "m", "VLLM": sys.executable}, "managed"),
    ],
)
def test_which_engine_is_chosen(settings: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in settings.items():
        monkeypatch.setenv(f"IMG2PROMPT_{key}", value)
    assert shared_engine().status().engine == name


AT_EXIT = """
from img2prompt.engine import shared_engine
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request
from img2prompt.tests.seeing import draw
engine = shared_engine()
asked = engine.submit_many([Request((draw(),), "Look.", ImageAnalysis)] * 3)
print(engine.ready().model, flush=True)
input()
"""


def test_the_end_of_the_process_stops_the_engine(
    server: SeeingServer, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", server.url)
    server.control.hold = True
    command = [sys.executable, "-W", "error", "-c", AT_EXIT]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: server.counts.in_flight == 3)
    out, err = process.communicate(b"\n", timeout=60)
    assert (out, err, process.returncode) == (b"seeing-model\n", b"", 0)
    until(lambda: server.counts.cancelled == 3)


@pytest.mark.parametrize(
    ("programs", "settings", "name", "model"),
    [
        ({"vllm": "", "nvidia-smi": "echo 24576"}, {}, "managed", shared.DEFAULT_MODEL.rsplit("/", 1)[1]),
        ({"vllm": "", "nvidia-smi": "echo 24576"}, {"MODEL": "mine/8B"}, "managed", "8B"),
        ({"vllm": ""}, {"MODEL": "mine/8B"}, "managed", "8B"),
        ({}, {"ENGINE": "managed"}, "managed", shared.DEFAULT_MODEL.rsplit("/", 1)[1]),
        ({"vllm": "", "nvidia-smi": "echo 24576"}, {"ENDPOINT": "http://127.0.0.1:9"}, "endpoint", ""),
        ({"vllm": "", "nvidia-smi": "echo 24576"}, {"ENGINE": "sketch"}, "sketch", ""),
    ],
)
def test_what_is_there_chooses_the_engine(
    programs: dict[str, str],
    settings: dict[str, str],
    name: str,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for program, does in programs.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / program).chmod(0o755)
    for key, value in settings.items():
        monkeypatch.setenv(f"IMG2PROMPT_{key}", value)
    status = shared_engine().status()
    assert (status.engine, status.model) == (name, model)


def test_a_vllm_without_a_gpu_or_a_model_is_not_started_unasked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vllm").write_text("#!/bin/sh\n")
    (tmp_path / "vllm").chmod(0o755)
    with pytest.raises(NoEngine):
        shared_engine()
