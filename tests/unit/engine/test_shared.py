from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from img2prompt.engine import Settings, shared_engine
from img2prompt.engine.choice import MODELS, EngineChoice
from img2prompt.engine.errors import EngineError, NoEngine, SettingsError
from img2prompt.engine.server.device import Device
from img2prompt.engine.server.plan import make_plan
from img2prompt.engine.shared import close_engines, engines
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

if TYPE_CHECKING:
    from img2prompt.tests.unit.engine.conftest import Until

GPU = "echo '24576, 24000, GPU-1, 8.9, NVIDIA GeForce RTX 4090'"
"""What the driver says of one GPU."""
REQUEST = Request((draw(),), "Look.", ImageAnalysis)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    close_engines()
    monkeypatch.setenv("PATH", str(tmp_path))  # no vllm there
    monkeypatch.setenv("IMG2PROMPT_CACHE", "false")
    yield
    close_engines()


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


def test_those_who_choose_alike_share_one_engine(server: SeeingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", server.url)
    assert engines() == []
    plain, large, small = shared_engine(), *(shared_engine(EngineChoice(model)) for model in MODELS[:2])
    assert engines() == [plain, large, small]
    assert shared_engine(EngineChoice(MODELS[0])) is large
    assert shared_engine(EngineChoice("", "", server.url.removesuffix("/v1") + "/v1/")) is plain  # its own name
    assert [engine.settings.model for engine in engines()] == ["", *MODELS[:2]]


def test_changed_settings_close_the_engines_of_every_choice(
    server: SeeingServer, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", server.url)
    server.control.models = list(MODELS)
    server.control.hold = True
    asked = [shared_engine(EngineChoice(model)).submit_many([REQUEST]) for model in MODELS]
    until(lambda: server.counts.in_flight == len(MODELS))
    monkeypatch.setenv("IMG2PROMPT_MAX_PIXELS", "65536")
    new = shared_engine()
    assert engines() == [new]
    assert all(future.cancelled() for future in asked)
    until(lambda: server.counts.cancelled == len(MODELS))


def test_nothing_of_the_old_settings_answers_where_the_new_ones_are_bad(
    server: SeeingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", server.url)
    shared_engine()
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", "nowhere")
    with pytest.raises(SettingsError):
        shared_engine()
    assert engines() == []


KEY = "sk-very-secret-4d1c"
OWN = "https://mine.example/v1"


@pytest.mark.parametrize(
    ("choice", "changes"),
    [
        (EngineChoice(), {}),
        (EngineChoice(MODELS[1]), {"model": MODELS[1]}),
        (EngineChoice("", "w4a16"), {"precision": "w4a16"}),
        # the settings' endpoint, however it is written: with the key, and the model that the settings name there
        (EngineChoice("", "", OWN), {}),
        (EngineChoice("", "", "https://mine.example/"), {}),
        (EngineChoice(MODELS[2], "", OWN), {"model": MODELS[2]}),
        # any other: without
        *(
            (EngineChoice("", "", url), {"engine": "endpoint", "endpoint": url, "api_key": "", "model": ""})
            for url in (
                "http://127.0.0.1:8000/v1",
                "http://[::1]:8000/v1",
                "http://localhost:1/other",
                "https://friend.example:8443/v1",
                "http://mine.example/v1/v1",
            )
        ),
    ],
)
def test_what_a_choice_makes_of_the_settings(choice: EngineChoice, changes: dict[str, str]) -> None:
    settings = Settings.model_validate(
        {
            "endpoint": OWN,
            "api_key": KEY,
            "model": "my-model",
            "allowed_endpoints": ["https://friend.example:8443", "http://mine.example/v1/v1/"],
        }
    )
    applied = choice.applied_to(settings)
    told = {name: value for name, value in applied if value != getattr(settings, name)}
    key = told.pop("api_key", None)
    assert told | ({"api_key": key.get_secret_value()} if key is not None else {}) == changes


@pytest.mark.parametrize("engine", ["managed", "sketch"])
def test_an_endpoint_goes_before_the_engine_of_the_settings(engine: str) -> None:
    settings = Settings.model_validate({"engine": engine, "endpoint": OWN, "api_key": KEY})
    here = EngineChoice("", "", "http://127.0.0.1:8000").applied_to(settings)
    assert (here.engine, here.endpoint, here.api_key.get_secret_value()) == ("endpoint", "http://127.0.0.1:8000/v1", "")
    own = EngineChoice("", "", OWN).applied_to(settings)
    assert (own.engine, own.endpoint, own.api_key.get_secret_value()) == ("endpoint", OWN, KEY)


@pytest.mark.parametrize(
    "foreign",
    [
        "http://192.0.2.7:8000/v1",
        "https://mine.example.evil.example/v1",
        "https://evil.example/mine.example/v1",
        "http://mine.example/v1",  # not https
        "https://mine.example:8443/v1",
        "https://mine.example/v2",
        "http://127.0.0.1.evil.example/v1",
        "http://localhost.evil.example/v1",
        "http://0.0.0.0:8000/v1",
        "http://2130706433:8000/v1",
    ],
)
def test_a_workflow_sends_pictures_nowhere_that_is_not_allowed(
    foreign: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", OWN)
    monkeypatch.setenv("IMG2PROMPT_API_KEY", KEY)
    with pytest.raises(SettingsError) as refused:
        shared_engine(EngineChoice("", "", foreign))
    assert f'put allowed_endpoints = ["{foreign}"] into {tmp_path / "settings.toml"}' in str(refused.value)
    assert KEY not in str(refused.value)
    assert engines() == []
    # what the message says to do is what helps
    (tmp_path / "settings.toml").write_text(f'allowed_endpoints = ["{foreign}"]\n')
    engine = shared_engine(EngineChoice("", "", foreign))
    assert (engine.status().endpoint, engine.settings.api_key.get_secret_value()) == (foreign, "")


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("http://me:pass-77@127.0.0.1:8000/v1", "workflows are passed on"),
        ("http://127.0.0.1:8000/v1?key=pass-77", "IMG2PROMPT_API_KEY"),
        ("http://127.0.0.1:8000/v1#pass-77", "IMG2PROMPT_API_KEY"),
        ("pass-77", "correct it in Prompt Engine"),
        ("file:///pass-77", "correct it in Prompt Engine"),
        ("http://127.0.0.1:pass-77/v1", "correct it in Prompt Engine"),
    ],
)
def test_a_bad_endpoint_is_not_repeated(endpoint: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as refused:
        EngineChoice("", "", endpoint).applied_to(Settings())
    assert "pass-77" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("choice", "settings", "says"),
    [
        (EngineChoice("evil/checkpoint"), {}, "cannot choose the model 'evil/checkpoint'; it may choose Qwen/"),
        (EngineChoice("/home/me/model"), {}, "cannot choose the model"),
        (EngineChoice("", "int3"), {}, "cannot choose the precision 'int3'; it may choose auto, bf16"),
        (EngineChoice(MODELS[0]), {"engine": "sketch"}, "sketch engine, which has no model"),
        (EngineChoice("", "fp8"), {"engine": "sketch"}, "sketch engine, which has no model"),
        (EngineChoice("", "", OWN), {"allowed_endpoints": ["friend"]}, "allowed_endpoints has an entry"),
    ],
)
def test_what_no_workflow_may_choose(choice: EngineChoice, settings: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        choice.applied_to(Settings.model_validate(settings))


def test_the_settings_file_is_read_too(server: SeeingServer, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'endpoint = "{server.url}"\nmodel = "seeing-model"\n')
    assert shared_engine().ask(REQUEST).tags[0] == "red center"


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({}, NoEngine, "`img2prompt engine install` .*IMG2PROMPT_ENDPOINT .*IMG2PROMPT_ENGINE=sketch"),
        ({"MODEL": "Qwen/Qwen3-VL-8B-Instruct"}, NoEngine, "run `img2prompt engine install`"),
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
print(engine.wake().model, flush=True)
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
        ({"vllm": "", "nvidia-smi": GPU}, {}, "managed", ""),
        ({"vllm": "", "nvidia-smi": GPU}, {"MODEL": "mine/8B"}, "managed", "mine/8B"),
        ({"vllm": ""}, {"MODEL": "mine/8B"}, "managed", "mine/8B"),
        ({}, {"ENGINE": "managed"}, "managed", ""),
        ({"vllm": "", "nvidia-smi": GPU}, {"ENDPOINT": "http://127.0.0.1:9"}, "endpoint", ""),
        ({"vllm": "", "nvidia-smi": GPU}, {"ENGINE": "sketch"}, "sketch", ""),
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


def test_a_model_chosen_by_size_is_one_that_fits_and_at_an_endpoint_its_name() -> None:
    """The memory plan takes a checkpoint's full name as just that checkpoint, which in bf16 fits few GPUs."""
    choice = EngineChoice(MODELS[0])
    assert choice.applied_to(Settings(engine="managed")).model == "8B"
    assert choice.applied_to(Settings(endpoint="http://127.0.0.1:9")).model == MODELS[0]
    card = Device("gpu", 16.0, capability=8.9)
    assert make_plan(choice.applied_to(Settings(engine="managed")), card).fits
