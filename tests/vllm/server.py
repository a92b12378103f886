"""A real vLLM on the CPU of our own, serving the small trained model in tests/seeing_model/model.

It is started by the engine's own plan, command line and supervisor, and guarded as a user's is, so these are tested by
every test that asks it.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import Any

from ...engine.server import control
from ...engine.server.folder import State
from ...engine.server.launch import Launch
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
        settings = Settings(
            engine="managed",
            model=str(CHECKPOINT),
            vllm=str(PROGRAM),
            cache_dir=folder,
            start_timeout_s=START_TIMEOUT_S,
        )
        launch = Launch.of(settings)
        spec = launch.spec()
        for command in spec["commands"]:
            # the last --dtype counts; without bfloat16 in the processor, float32 is several times faster
            command.append("--dtype=float32")
        self.folder = launch.folder
        self.model = launch.model
        self._lease = self.folder.lease()
        try:
            self.folder.start(spec)
            state = self._wait_ready()
        except BaseException:
            self.stop()
            raise
        self.url, self.api_key = state.url, state.token
        self.origin = self.url.removesuffix("/v1")

    def _wait_ready(self) -> State:
        while (state := self.folder.now()).phase == "starting":
            time.sleep(0.2)
        if state.phase != "ready":
            raise RuntimeError(f"vLLM did not start: {state.error or state.reason}")
        return state

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make an engine ask it, for `start_comfyui`."""
        return {"IMG2PROMPT_ENDPOINT": self.url, "IMG2PROMPT_API_KEY": self.api_key}

    def read(self, path: str) -> str:
        """The body at `path` of its origin, asked with its key."""
        request = urllib.request.Request(self.origin + path, headers={"Authorization": f"Bearer {self.api_key}"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.read().decode()

    def chat(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Its reply to one chat request, usage included."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/chat/completions", json.dumps(payload).encode(), headers)
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.loads(reply.read())

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
        control.stop(self.folder)
        self._lease.close()
