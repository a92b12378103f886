"""A real vLLM on the CPU as a child process, serving the small trained model in tests/seeing_model/model."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from ..comfyui.server import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / ".environments" / "vllm" / "bin" / "vllm"
CHECKPOINT = ROOT / "tests" / "seeing_model" / "model"
MODEL = "Qwen3-VL-8B-Instruct"
"""The name under which it is served: the architecture is that model's, 4,000 times smaller."""

START_TIMEOUT_S = 300.0
"""It starts in 40 s on idle cores."""

COMMAND = [
    "serve",
    str(CHECKPOINT),
    f"--served-model-name={MODEL}",
    "--host=127.0.0.1",
    "--dtype=bfloat16",
    "--enforce-eager",
    "--max-model-len=8192",
    "--max-num-seqs=8",
    "--max-num-batched-tokens=8192",  # on a CPU, a seed with a prompt in several pieces kills the engine
    '--limit-mm-per-prompt={"image":8,"video":0}',
    '--structured-outputs-config={"backend":"guidance","disable_any_whitespace":true}',
    "--generation-config=vllm",
]
OPTIONS = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}


class VllmServer:
    """vLLM, ready when the constructor returns. Raises RuntimeError with its log when it does not start."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.origin}/v1"
        self.model = MODEL
        self.log_file = folder / "vllm.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM), *COMMAND, f"--port={self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **OPTIONS},
                start_new_session=True,
            )
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_ready(self) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            with contextlib.suppress(OSError):  # nobody listens yet
                self._read("/health")
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"vLLM did not start:\n{self.log()[-4000:]}")
            time.sleep(0.2)

    def _read(self, path: str) -> str:
        with urllib.request.urlopen(self.origin + path, timeout=30) as reply:
            return reply.read().decode()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def metric(self, name: str) -> float:
        """The sum over labels of one of its metrics, such as vllm:num_requests_running."""
        values = re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", self._read("/metrics"), re.MULTILINE)
        if not values:
            raise KeyError(name)
        return sum(map(float, values))

    def busy(self) -> int:
        """Requests that run or wait in it now."""
        return int(self.metric("vllm:num_requests_running") + self.metric("vllm:num_requests_waiting"))

    def stop(self) -> None:
        """End it with all its processes; idempotent."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        with contextlib.suppress(ProcessLookupError):  # none is left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
