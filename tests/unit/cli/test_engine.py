"""`img2prompt engine …` with a small program in vLLM's place."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from img2prompt.engine.server.folder import EngineFolder
from img2prompt.tests.fake_vllm import FakeVllm
from img2prompt.tests.processes import alive
from img2prompt.tests.unit.cli.conftest import Img2Prompt
from img2prompt.tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux only")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVllm]:
    """The program that the settings name; in the end no engine runs."""
    fake = FakeVllm(tmp_path, "{}", monkeypatch)
    settings = fake.settings()
    for name in ("engine", "model", "vllm", "cache", "cache_dir"):
        monkeypatch.setenv(f"IMG2PROMPT_{name.upper()}", str(getattr(settings, name)))
    yield fake
    for folder in EngineFolder.all(settings.cache_dir):
        folder.ask_to_stop()
        until(lambda folder=folder: not folder.supervised())


def test_it_is_started_stays_sleeps_wakes_and_stops(img2prompt: Img2Prompt, fake: FakeVllm) -> None:
    fake.go()
    code, out, err = img2prompt("engine", "start")
    assert (code, "serves at http://127.0.0.1:" in out) == (0, True)
    assert "vLLM: starting" in err
    (call,) = fake.calls
    with pytest.raises(TimeoutError):
        until(lambda: not alive(call["pid"]), timeout_s=3)  # though nobody has a lease any more
    assert "serves at" in img2prompt("engine", "start").out
    assert "sleeps at" in img2prompt("engine", "sleep").out
    assert json.loads(img2prompt("engine", "status", "--format", "json").out)[0]["phase"] == "asleep"
    assert "serves at" in img2prompt("engine", "wake").out
    assert fake.posts == ["/sleep?level=1&mode=keep", "/wake_up"]
    assert "it was told to" in img2prompt("engine", "stop").out
    assert not alive(call["pid"])
    assert len(fake.calls) == 1
    ended = img2prompt("engine", "stop")
    assert (ended.code, ended.out, "No engine of yours runs" in ended.err) == (0, "", True)


def test_another_program_is_told_how_to_use_it_and_only_when_it_asks(img2prompt: Img2Prompt, fake: FakeVllm) -> None:
    ended = img2prompt("engine", "status", "--connect")
    assert (ended.code, ended.out) == (1, "")
    assert "`img2prompt engine start`" in ended.err
    fake.go()
    img2prompt("engine", "start")
    token = fake.calls[0]["token"]
    told = dict(line.split("=", 1) for line in img2prompt("engine", "status", "--connect").out.splitlines())
    assert (told["OPENAI_API_KEY"], told["OPENAI_MODEL"]) == (token, "Tiny")
    as_json = json.loads(img2prompt("engine", "status", "--connect", "--format", "json").out)
    assert as_json == {"url": told["OPENAI_BASE_URL"], "api_key": token, "model": "Tiny"}
    assert token not in img2prompt("engine", "status").out
    assert token not in img2prompt("engine", "status", "--format", "json").out


def test_a_start_that_fails_says_why(img2prompt: Img2Prompt, fake: FakeVllm) -> None:
    fake.mode("dies1")
    code, out, err = img2prompt("engine", "start")
    assert (code, out) == (1, "")
    assert "exit code 1" in err
    assert "ValueError: no such thing" in err
    assert "ValueError: no such thing" in img2prompt("engine", "logs", "-n", "1").out
    assert "did not start" in img2prompt("engine", "status").out


def test_an_endpoint_is_not_ours_to_start(img2prompt: Img2Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENDPOINT", "http://127.0.0.1:9")
    ended = img2prompt("engine", "start")
    assert (ended.code, "IMG2PROMPT_ENGINE=managed" in ended.err) == (1, True)
