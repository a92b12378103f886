"""How vLLM is called and what its log tells: its flags, environment, program and device."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from img2prompt.engine.errors import SettingsError
from img2prompt.engine.server.command import Device, find_device, find_vllm, serve_command, serve_environment
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.server.process import VllmProcess
from img2prompt.engine.settings import Settings
from img2prompt.tests.waiting import until

SEEING_MODEL = Path(__file__).parents[2] / "seeing_model" / "model"
PROGRAM = Path("/environment/bin/vllm")


def settings(**more: object) -> Settings:
    return Settings.model_validate({"engine": "managed", "model": "Qwen/Tiny"} | more)


def script(file: Path, text: str) -> Path:
    """A shell script that can be run."""
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def test_find_vllm_takes_the_setting_then_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, other = script(tmp_path / "vllm", "exit 0"), script(tmp_path / "other", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert find_vllm(settings()) is None
    assert find_vllm(settings(vllm=str(other))) == other
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_vllm(settings()) == program
    assert find_vllm(settings(vllm=str(other))) == other
    with pytest.raises(SettingsError, match="IMG2PROMPT_VLLM"):
        find_vllm(settings(vllm=str(tmp_path / "missing")))


@pytest.mark.parametrize(
    ("driver", "visible", "device"),
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str | None, visible: str | None, device: Device
) -> None:
    if driver is not None:
        script(tmp_path / "nvidia-smi", driver)
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
    device: Device, more: dict[str, object], there: set[str], not_there: set[str]
) -> None:
    chosen = settings(**({"kv_cache_gib": 1.5} | more))
    command = serve_command(chosen, PROGRAM, 8123, device)
    assert command[:3] == [str(PROGRAM), "serve", chosen.model]
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


def test_serve_environment_keeps_ours_out_and_development_routes_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_SERVER_DEV_MODE", "IMG2PROMPT_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "1")
    environment = serve_environment(settings(kv_cache_gib=2.4), PROGRAM, Device("cpu"), "secret")
    wanted = {"VLLM_API_KEY": "secret", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "2", "HF_TOKEN": "1"}
    assert wanted.items() <= environment.items()
    assert not {"VLLM_SERVER_DEV_MODE", "IMG2PROMPT_API_KEY"} & environment.keys()
    assert environment["PATH"].startswith(str(PROGRAM.parent))


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
    (tmp_path / "line").write_text(f"{line}\r\n")
    program = script(tmp_path / "vllm", f"cat '{tmp_path}/line'")
    server = VllmProcess([str(program)], os.environ, 1, tmp_path / "vllm.log")
    until(lambda: server.ended)
    assert server.read_progress() == progress
    server.stop()


def test_identity_follows_a_local_checkpoints_files(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"")
    one = ManagedBackend(settings(model=str(tmp_path)))
    before = one.identity()
    os.utime(weights, ns=(1, 1))
    assert one.identity() != before
    assert ManagedBackend(settings()).identity() == "managed Qwen/Tiny"
