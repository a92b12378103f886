"""A real vLLM on the CPU as a child process, serving the small trained model in tests/seeing_model/model.

It is started by the engine's own command line and process, so these are tested by every test that asks it.
"""

from __future__ import annotations

import re
import secrets
import time
import urllib.request
from pathlib import Path

from ...engine.server.command import find_device, serve_command, serve_environment, served_name
from ...engine.server.process import VllmProcess, free_port
from ...engine.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / ".environments" / "vllm" / "bin" / "vllm"
CHECKPOINT = ROOT / "tests" / "seeing_model" / "model"
"""True Qwen3-VL, 4,000 times smaller: it names the colour and shape of drawn pictures."""

START_TIMEOUT_S = 600.0
"""It starts in 40 s on idle cores."""


class VllmServer:
    """vLLM, ready when the constructor returns. Raises RuntimeError with its log's end when it does not start."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(model=str(CHECKPOINT), vllm=str(PROGRAM), cache_dir=folder)
        port, device = free_port(), find_device()
        self.origin = f"http://127.0.0.1:{port}"
        self.url = f"{self.origin}/v1"
        self.model = served_name(settings)
        self.api_key = secrets.token_urlsafe(16)
        # the last --dtype counts; without bfloat16 in the processor, float32 is several times faster
        command = [*serve_command(settings, PROGRAM, port, device), "--dtype=float32"]
        environment = serve_environment(settings, PROGRAM, device, self.api_key)
        self.process = VllmProcess(command, environment, port, folder / "vllm.log")
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_ready(self) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while not self.process.healthy():
            if self.process.exit_code is not None or time.monotonic() > end:
                raise RuntimeError(f"vLLM did not start:\n{self.process.last_lines()}")
            time.sleep(0.2)

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make an engine ask it, for `start_comfyui`."""
        return {"IMG2PROMPT_ENDPOINT": self.url, "IMG2PROMPT_API_KEY": self.api_key}

    def read(self, path: str) -> str:
        """The body at `path` of its origin, asked with its key."""
        request = urllib.request.Request(self.origin + path, headers={"Authorization": f"Bearer {self.api_key}"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.read().decode()

    def metric(self, name: str) -> float:
        """One of its metrics, such as vllm:num_requests_running, summed over its labels. Raises KeyError."""
        values = re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", self.read("/metrics"), re.MULTILINE)
        if not values:
            raise KeyError(name)
        return sum(map(float, values))

    def busy(self) -> int:
        """Requests that run or wait in it now."""
        return int(self.metric("vllm:num_requests_running") + self.metric("vllm:num_requests_waiting"))

    def answered(self) -> int:
        """Requests that it has answered to their end since its start."""
        try:
            return int(self.metric("vllm:request_success_total"))
        except KeyError:  # before the first
            return 0

    def stop(self) -> None:
        """End it with all its processes; idempotent."""
        self.process.stop()
