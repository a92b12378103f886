"""A small program that poses as `vllm`, and what it notes about how it was called."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine.settings import Settings

PROGRAM = '''#!{python} -IS
"""Poses as `vllm`: notes how it was called, logs as vLLM does, has a child, serves what the engine asks of it, and is
guarded as ours is."""
import json, os, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

notes, folder = Path(os.environ["FAKE_NOTES"]), Path(os.environ["IMG2PROMPT_ENGINE_FOLDER"])
token = os.environ["IMG2PROMPT_ENGINE_TOKEN"]
calls = len((notes / "calls").read_text().splitlines()) if (notes / "calls").exists() else 0
modes = os.environ["FAKE_MODE"].split(",")  # one for each call, the last for all that follow
mode = modes[min(calls, len(modes) - 1)]
# vLLM's core gives itself a title, which overwrites its environment
titled = ["VLLM::EngineCore", "-IS", "-c", "import time; time.sleep(600)"]
core = subprocess.Popen(titled, executable=sys.executable, env={{}})

def end(*_):
    core.kill()
    core.wait()
    os._exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else end)
call = {{"argv": sys.argv, "pid": os.getpid(), "core": core.pid, "token": token, "group": os.getpgid(0)}}
with (notes / "calls").open("a") as file:
    file.write(json.dumps(call) + "\\n")

print("Resolved architecture: Qwen3VLForConditionalGeneration", flush=True)
if mode.startswith("dies"):
    print("ValueError: no such thing", flush=True)
    sys.exit(int(mode.removeprefix("dies")))
if mode == "full":
    print("torch.OutOfMemoryError: CUDA out of memory.", flush=True)
    sys.exit(1)
if mode == "taken":
    print("OSError: [Errno 98] Address already in use", flush=True)
    sys.exit(1)
print("Loading safetensors checkpoint shards:  43% Completed | 3/7 [00:01<00:01,  3.10it/s]\\r", flush=True)
while not (notes / "go").exists():
    time.sleep(0.01)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(200, {{"data": [{{"id": name, "owned_by": "vllm"}} for name in names]}})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with (notes / "posts").open("a") as file:
            file.write(self.path + "\\n")
        path = self.path.partition("?")[0]
        if path == "/sleep":
            if mode == "sleepless":
                return self.reply(500, {{"error": {{"message": "no memory"}}}})
            (folder / "asleep").write_text(self.path.partition("level=")[2][:1])
            return self.reply(200, {{}})
        if path == "/wake_up":
            time.sleep(1 if mode == "drowsy" else 0)
            (folder / "asleep").unlink(missing_ok=True)
            return self.reply(200, {{}})
        if path == "/collective_rpc":
            return self.reply(200, {{}})
        if (folder / "asleep").exists():
            return self.reply(503, {{"error": {{"message": "asleep", "code": "asleep", "type": "asleep"}}}})
        if (notes / "crash").exists():
            (notes / "crash").unlink()
            os._exit(1)
        while (notes / "hold").exists() or (folder / "asleep").exists():
            time.sleep(0.01)
        message = {{"role": "assistant", "content": os.environ["FAKE_ANSWER"]}}
        self.reply(200, {{"choices": [{{"index": 0, "finish_reason": "stop", "message": message}}]}})

    def reply(self, status, body):
        allowed = self.headers.get("Authorization") == "Bearer " + token
        data = json.dumps(body).encode()
        self.send_response(status if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass

options = dict(word.split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
names = [options["--served-model-name"]]
ThreadingHTTPServer((options["--host"], int(options["--port"])), Handler).serve_forever()
'''


class FakeVllm:
    """The program and what it noted."""

    def __init__(self, folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.program = folder / "vllm"
        self.program.write_text(PROGRAM.format(python=sys.executable))
        self.program.chmod(0o755)
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("FAKE_NOTES", str(folder))
        monkeypatch.setenv("FAKE_ANSWER", answer)
        self.mode("works")

    def mode(self, mode: str) -> None:
        """How it behaves: works, stubborn, dies1 (any exit code), full, taken, sleepless, drowsy; "full,works" is for
        two calls."""
        self._monkeypatch.setenv("FAKE_MODE", mode)

    def go(self) -> None:
        """Let it begin to serve."""
        (self.folder / "go").touch()

    @property
    def calls(self) -> list[dict[str, Any]]:
        notes = self.folder / "calls"
        return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []

    @property
    def posts(self) -> list[str]:
        """The paths that were posted to, in order."""
        notes = self.folder / "posts"
        return notes.read_text().splitlines() if notes.exists() else []

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Let no answer out meanwhile."""
        (self.folder / "hold").touch()
        try:
            yield
        finally:
            (self.folder / "hold").unlink()

    def settings(self, **more: object) -> Settings:
        values = {"engine": "managed", "model": "Qwen/Tiny", "vllm": str(self.program), "cache": False}
        return Settings.model_validate(values | {"cache_dir": self.folder / "cache"} | more)
