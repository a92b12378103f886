"""A small program that poses as `vllm`, and what it notes about how it was called."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine.settings import Settings

PROGRAM = '''#!{python} -IS
"""Poses as `vllm`: notes how it was called, logs as vLLM does, has a child, serves health, models and one answer."""
import json, os, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

notes, mode = Path(os.environ["FAKE_NOTES"]), os.environ["FAKE_MODE"]
key = os.environ["VLLM_API_KEY"]
core = subprocess.Popen(["sleep", "600"])

def end(*_):
    core.kill()
    core.wait()
    os._exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else end)
call = {{"argv": sys.argv, "pid": os.getpid(), "core": core.pid, "key": key, "pgid": os.getpgid(0)}}
with (notes / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")

print("Resolved architecture: Qwen3VLForConditionalGeneration", flush=True)
if mode.startswith("dies"):
    print("ValueError: Free memory on device is too small", flush=True)
    sys.exit(int(mode.removeprefix("dies")))
print("Loading safetensors checkpoint shards:  43% Completed | 3/7 [00:01<00:01,  3.10it/s]\\r", flush=True)
while not (notes / "go").exists():
    time.sleep(0.01)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({{"data": [{{"id": name, "owned_by": "vllm"}} for name in names]}})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if (notes / "crash").exists():
            (notes / "crash").unlink()
            os._exit(1)
        message = {{"role": "assistant", "content": os.environ["FAKE_ANSWER"]}}
        self.reply({{"choices": [{{"index": 0, "finish_reason": "stop", "message": message}}]}})

    def reply(self, body):
        allowed = self.path == "/health" or self.headers.get("Authorization") == "Bearer " + key
        data = json.dumps(body).encode()
        self.send_response(200 if allowed else 401)
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
        self._monkeypatch.setenv("FAKE_MODE", mode)

    def go(self) -> None:
        """Let it begin to serve."""
        (self.folder / "go").touch()

    @property
    def calls(self) -> list[dict[str, Any]]:
        notes = self.folder / "calls"
        return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []

    def settings(self, **more: object) -> Settings:
        values = {"engine": "managed", "model": "Qwen/Tiny", "vllm": str(self.program), "cache": False}
        return Settings.model_validate(values | {"cache_dir": self.folder / "cache"} | more)
