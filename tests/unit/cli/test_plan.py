"""`img2prompt engine plan`: the table for people, JSON for programs, and the exit code."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from img2prompt.cli.plan import plan
from img2prompt.engine import Settings
from img2prompt.engine.server.device import find_device
from img2prompt.engine.server.plan import make_plan
from img2prompt.engine.server.remembered import remember
from img2prompt.tests.unit.cli.conftest import Ended

Command = Callable[..., Ended]
FP8 = "Qwen/Qwen3-VL-8B-Instruct-FP8"


@pytest.fixture
def engine_plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs the command in this process, with no GPU, no checkpoint and no settings on this machine."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(plan)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("IMG2PROMPT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IMG2PROMPT_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("COLUMNS", "100")

    def command(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["plan", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            app()
        written = capsys.readouterr()
        return Ended(end.value.code, written.out, written.err)

    return command


@pytest.fixture
def gpu(tmp_path: Path) -> None:
    """A driver that tells of an RTX 4090."""
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho '24564, 20480, GPU-1, 8.9, NVIDIA GeForce RTX 4090'\n")
    driver.chmod(0o755)


def test_a_table_for_a_card_that_is_not_here(engine_plan: Command) -> None:
    ended = engine_plan("--vram", 24)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{FP8} on a GPU with 24.0 GiB")
    for part in ("weights", "9.86", "key-value cache", "encoder cache", "activations", "CUDA context"):
        assert part in ended.out
    assert re.search(r"total\W+12\.75\W+of 24\.0", ended.out)
    assert "Fits: " in ended.out and "10.2 GiB are left" in ended.out
    assert "not here" in ended.out and "downloads about 9.9 GiB" in ended.out


def test_json_for_programs(engine_plan: Command) -> None:
    ended = engine_plan("--vram", 16, "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    value = json.loads(ended.out)
    assert (value["model"], value["fits"], round(value["total_gib"], 1)) == (FP8, True, 11.9)
    assert {row["name"] for row in value["rows"]} >= {"weights", "key-value cache"}
    assert value["device"] == {"kind": "gpu", "name": "", "memory_gib": 16.0, "free_gib": 0.0, "capability": 0.0}
    assert value["sleep"]["ram_needed_gib"] == 9.86 and value["sleep"]["level"] in (1, 2)


@pytest.mark.parametrize("output", ["text", "json"])
def test_what_does_not_fit_is_still_printed(engine_plan: Command, output: str) -> None:
    ended = engine_plan("--vram", 8, "--model", FP8, "--format", output)
    assert (ended.code, ended.err) == (1, "")
    assert "IMG2PROMPT_MODEL=Qwen/Qwen3-VL-4B-Instruct-FP8" in ended.out
    assert "9.86" in ended.out


def test_the_gpu_that_is_here(engine_plan: Command, gpu: None) -> None:
    ended = engine_plan()
    assert ended.code == 0
    assert ended.out.startswith(f"{FP8} on NVIDIA GeForce RTX 4090 with 24.0 GiB")
    assert "20.0 GiB of the GPU are free now" in ended.out
    assert "sleeps, level" in ended.out
    assert "not here" not in ended.out


def test_it_tells_that_memory_ran_out_before(engine_plan: Command, gpu: None, tmp_path: Path) -> None:
    settings, device = Settings.load(), find_device()
    assert "earlier start" not in engine_plan().out
    assert remember(make_plan(settings, device), settings, device)
    ended = engine_plan()
    assert "This is 1 below the best plan, for memory ran out at an earlier start" in ended.out
    assert str(tmp_path / "cache" / "out-of-memory.json") in ended.out
    assert "6,144 tokens" in ended.out


def test_without_a_gpu_it_plans_for_the_cpu(engine_plan: Command) -> None:
    ended = engine_plan()
    assert ended.code == 0
    assert "on the CPU" in ended.out and "sleeps" not in ended.out
    assert json.loads(engine_plan("--format", "json").out)["sleep"] is None


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        (("--model", "4B"), "Qwen/Qwen3-VL-4B-Instruct-FP8"),
        (("--precision", "bf16"), "Qwen/Qwen3-VL-8B-Instruct"),
        (("--model", "auto"), FP8),
    ],
)
def test_options_stand_for_settings(
    engine_plan: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], model: str
) -> None:
    monkeypatch.setenv("IMG2PROMPT_MODEL", "2B" if "--model" in arguments else "")
    ended = engine_plan("--vram", 24, *arguments, "--format", "json")
    assert json.loads(ended.out)["model"] == model


@pytest.mark.parametrize("arguments", [("--vram", "0"), ("--vram", "much"), ("--precision", "int3")])
def test_wrong_use(engine_plan: Command, arguments: tuple[str, ...]) -> None:
    ended = engine_plan(*arguments)
    assert (ended.code, ended.out) == (2, "")
