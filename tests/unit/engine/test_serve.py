"""How vLLM is called and what its log tells: its program, device, flags and environment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from img2prompt.engine.errors import SettingsError
from img2prompt.engine.server import install
from img2prompt.engine.server.command import find_vllm, serve_command, serve_environment, served_name
from img2prompt.engine.server.device import Device, find_device
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.server.plan import make_plan
from img2prompt.engine.server.supervisor import Log
from img2prompt.engine.settings import Settings
from img2prompt.prompts.options import MOST_PICTURES

SEEING_MODEL = Path(__file__).parents[2] / "seeing_model" / "model"
PROGRAM = Path("/environment/bin/vllm")


def settings(**more: object) -> Settings:
    return Settings.model_validate({"engine": "managed", "model": "Qwen/Tiny"} | more)


def script(file: Path, text: str) -> Path:
    """A shell script that can be run."""
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(install, "installed_vllm", lambda: None)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("IMG2PROMPT_CACHE_DIR", str(tmp_path / "cache"))


def test_find_vllm_takes_the_setting_then_the_installed_one_then_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed").mkdir()
    program, other, installed = (script(tmp_path / name, "exit 0") for name in ("vllm", "other", "installed/vllm"))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert find_vllm(settings()) is None
    assert find_vllm(settings(vllm=str(other))) == other
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_vllm(settings()) == program
    monkeypatch.setattr(install, "installed_vllm", lambda: installed)
    assert find_vllm(settings()) == installed
    assert find_vllm(settings(vllm=str(other))) == other
    with pytest.raises(SettingsError, match="IMG2PROMPT_VLLM"):
        find_vllm(settings(vllm=str(tmp_path / "missing")))


H100 = "81559, 80994, GPU-aa11, 9.0, NVIDIA H100 80GB HBM3"
RTX = "24564, 23000, GPU-bb22, 8.9, NVIDIA GeForce RTX 4090, a"
TWO = f"echo '{H100}'; echo '{RTX}'"
OLD = 'case "$1" in *compute_cap*) exit 2;; esac; echo "12196, 12000, GPU-cc33, NVIDIA TITAN Xp"'
LARGE = Device("gpu", 81559 / 1024, 80994 / 1024, 9.0, "NVIDIA H100 80GB HBM3")
SECOND = Device("gpu", 24564 / 1024, 23000 / 1024, 8.9, "NVIDIA GeForce RTX 4090, a")


@pytest.mark.parametrize(
    ("driver", "visible", "device"),
    [
        (TWO, None, LARGE),
        (TWO, "0", LARGE),
        (TWO, "1", SECOND),
        (TWO, " 1 ,0", SECOND),
        (TWO, "2", Device("cpu")),
        (TWO, "GPU-bb22", SECOND),
        (TWO, "GPU-bb", SECOND),
        (TWO, "GPU-dd", Device("cpu")),
        (TWO, "MIG-ee55", LARGE),
        (TWO, "", Device("cpu")),
        (TWO, "-1", Device("cpu")),
        (OLD, None, Device("gpu", 12196 / 1024, 12000 / 1024, 0.0, "NVIDIA TITAN Xp")),
        ("echo '8188, [N/A], GPU-1, [N/A], A GPU'", None, Device("gpu", 8188 / 1024, 0.0, 0.0, "A GPU")),
        ("echo 'No devices were found'", None, Device("cpu")),
        ("echo 'driver mismatch' >&2; exit 18", None, Device("cpu")),
        (None, None, Device("cpu")),
    ],
)
def test_find_device_asks_the_driver_for_the_visible_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str | None, visible: str | None, device: Device
) -> None:
    if driver is not None:
        script(tmp_path / "nvidia-smi", driver)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_device() == device


GPU_CACHE = f"--kv-cache-memory-bytes={9 * 1024**3 // 8}"
CAP = '--mm-processor-kwargs={"size":{"longest_edge":1048576,"shortest_edge":65536}}'
FP8 = "Qwen/Qwen3-VL-8B-Instruct-FP8"
SLEEP = "--enable-sleep-mode"


@pytest.mark.parametrize(
    ("device", "more", "there", "not_there"),
    [
        (
            Device("gpu", 79.6),
            {},
            {"--kv-cache-memory-bytes=4294967296", "--gpu-memory-utilization=0.05", CAP, SLEEP, "--max-num-seqs=16"},
            {"--enforce-eager"},
        ),
        (
            Device("gpu", 15.99),
            {"max_in_flight": 4},
            {GPU_CACHE, "--enforce-eager", "--max-model-len=8192", "--max-num-batched-tokens=2048", "--max-num-seqs=4"},
            {"--dtype=bfloat16"},
        ),
        (Device("gpu", 24.0), {"kv_cache_gib": 1.5}, {"--kv-cache-memory-bytes=1610612736"}, set()),
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
            {GPU_CACHE, "--gpu-memory-utilization=0.05", SLEEP},
        ),
        (Device("cpu"), {"max_in_flight": 2}, {"--max-num-seqs=2"}, {"--max-num-seqs=8"}),
        (Device("cpu"), {"model": str(SEEING_MODEL)}, {"--served-model-name=model"}, {CAP}),
        (Device("gpu", 24.0), {"model": str(SEEING_MODEL)}, {"--served-model-name=model"}, {CAP}),
    ],
    ids=["large GPU", "16 GB", "a cache of one's own", "CPU", "few in flight", "CPU, own pictures", "own pictures"],
)
def test_serve_command_is_the_plan_in_flags(
    device: Device, more: dict[str, object], there: set[str], not_there: set[str]
) -> None:
    chosen = settings(**({"model": FP8} | more))
    command = serve_command(PROGRAM, device, make_plan(chosen, device))
    assert command[:3] == [str(PROGRAM), "serve", chosen.model]
    assert there <= set(command)
    assert not not_there & set(command)
    always = {
        "--host=127.0.0.1",
        "--port={port}",
        "--middleware=img2prompt_guard.Guard",
        '--structured-outputs-config={"backend":"guidance","disable_any_whitespace":true}',
        "--allowed-media-domains=nowhere.invalid",
        "--generation-config=vllm",
        "--disable-fastapi-docs",
        f'--limit-mm-per-prompt={{"image":{MOST_PICTURES},"video":0}}',
        "--enable-prompt-tokens-details",
    }
    assert always <= set(command)
    own_limit = chosen.model == str(SEEING_MODEL)
    assert any(word.startswith("--mm-processor-kwargs") for word in command) != own_limit


def test_a_chosen_checkpoint_is_served_by_its_name() -> None:
    device = Device("gpu", 12.0)
    plan = make_plan(settings(model=""), device)
    command = serve_command(PROGRAM, device, plan)
    assert command[2] == "cyankiwi/Qwen3-VL-8B-Instruct-AWQ-4bit"
    assert f"--served-model-name={served_name(plan)}" in command
    assert served_name(plan) == "Qwen3-VL-8B-Instruct-AWQ-4bit"


def test_weights_in_ram_exclude_sleep() -> None:
    device, chosen = Device("gpu", 24.0), settings(model=FP8)
    plan = replace(make_plan(chosen, device), cpu_offload_gib=2.0)
    command = serve_command(PROGRAM, device, plan)
    assert "--cpu-offload-gb=2" in command and SLEEP not in command


def test_serve_environment_keeps_ours_out_and_lets_the_guard_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("IMG2PROMPT_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PYTHONPATH", "/theirs")  # ComfyUI's is not for vLLM's Python
    monkeypatch.setenv("PYTHONHOME", "/theirs")
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "backend:cudaMallocAsync")  # ComfyUI's, and sleep mode fails with it
    device, plan = Device("cpu"), make_plan(settings(kv_cache_gib=2.4), Device("cpu"))
    environment = serve_environment(PROGRAM, device, plan, "secret", tmp_path / "engine")
    wanted = {
        "VLLM_API_KEY": "secret",
        "IMG2PROMPT_ENGINE_TOKEN": "secret",
        "IMG2PROMPT_ENGINE_FOLDER": str(tmp_path / "engine"),
        "VLLM_SERVER_DEV_MODE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "3",
        "HF_TOKEN": "1",
    }
    assert wanted.items() <= environment.items()
    assert [name for name in environment if name.startswith("IMG2PROMPT_") and name not in wanted] == []
    assert environment["PATH"].startswith(str(PROGRAM.parent))
    assert not {"PYTHONHOME", "PYTORCH_CUDA_ALLOC_CONF"} & environment.keys()
    assert list(Path(environment["PYTHONPATH"]).glob("img2prompt_guard*")), "the guard is on the server's path"
    assert "HF_HUB_OFFLINE" not in environment
    assert "secret" not in " ".join(serve_command(PROGRAM, device, plan))


def test_the_environment_of_a_gpu_and_of_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    device = Device("gpu", 24.0)
    plan = make_plan(settings(model=str(SEEING_MODEL)), device)
    environment = serve_environment(PROGRAM, device, plan, "secret", tmp_path)
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment
    assert os.pathsep not in environment["PYTHONPATH"]


def test_a_checkpoint_that_was_chosen_may_be_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.chdir(tmp_path)
    device = Device("gpu", 24.0)
    environment = serve_environment(PROGRAM, device, make_plan(settings(model=""), device), "secret", tmp_path)
    assert "HF_HUB_OFFLINE" not in environment


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("INFO [model.py:733] Resolved architecture: Qwen3VLForConditionalGeneration", "starting its processes"),
        ("WARNING [vllm.py:1703] Enforce eager set, disabling torch.compile, CUDAGraphs, and JIT", "starting"),
        ("INFO Initializing a V1 LLM engine (v0.32.0) with config: download_dir=None", "starting its processes"),
        (
            "model-00001-of-00004.safetensors:  12%|#2        | 0.6G/4.9G [00:10<01:13]",
            "downloading the checkpoint 12%",
        ),
        ("INFO [cpu_model_runner.py:68] Starting to load model /models/tiny...", "loading weights"),
        ("Loading safetensors checkpoint shards:  43% Completed | 3/7 [00:01<00:01, 3.10it/s]", "loading weights 3/7"),
        ("INFO [kv_cache_utils.py:2327] CPU KV cache size: 1,048,576 tokens", "warming up"),
        ("INFO [entry.py:140] Starting vLLM server on http://127.0.0.1:18432", "opening its port"),
    ],
)
def test_vllms_log_tells_how_far_it_is(tmp_path: Path, line: str, progress: str) -> None:
    log = Log(tmp_path / "no folder" / "vllm.log")  # so it leaves no open file
    log.begin()
    log.take(f"{line}\r\n".encode())
    assert log.progress == progress


def test_identity_follows_a_local_checkpoints_files(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"")
    one = ManagedBackend(settings(model=str(tmp_path)))
    before = one.identity()
    os.utime(weights, ns=(1, 1))
    assert one.identity() != before
    assert ManagedBackend(settings()).identity() == "managed Qwen/Tiny"
