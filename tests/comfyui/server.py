"""A real ComfyUI server as a child process, and what tests ask it: graphs, history, interrupts, websocket events."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from ...scripts import comfyui
from .events import Events

START_TIMEOUT_S = 180.0
"""It starts in 10 s on idle cores and in 45 s on busy ones."""

Graph = dict[str, dict[str, Any]]
"""A workflow as the API takes it: node number to {"class_type": …, "inputs": {…}}."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Rejected(Exception):
    """The server did not take a graph: `status` is the HTTP status, `body` its answer."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {json.dumps(body)}")
        self.status = status
        self.body = body

    def errors(self, node: str) -> list[dict[str, Any]]:
        """What is wrong with one node's inputs: {type, message, details, extra_info} each."""
        return self.body["node_errors"].get(node, {}).get("errors", [])


@dataclass(frozen=True)
class Outcome:
    """How one run of a graph ended, from the server's history."""

    prompt_id: str
    status: str
    """ "success" or "error" (which an interrupt is, too)."""
    outputs: dict[str, dict[str, Any]]
    """Node number to what it shows: {"text": […]}, {"images": […]}."""
    messages: dict[str, dict[str, Any]] = field(repr=False)
    """execution_start, execution_cached, execution_success, execution_error, execution_interrupted: to their data."""

    @property
    def cached(self) -> set[str]:
        """The nodes that did not run again."""
        return set(self.messages.get("execution_cached", {}).get("nodes", ()))

    @property
    def error(self) -> str:
        """What the failed node said; "" when none failed."""
        return self.messages.get("execution_error", {}).get("exception_message", "").strip()

    @property
    def interrupted(self) -> bool:
        return "execution_interrupted" in self.messages


class ComfyServer:
    """ComfyUI over `base`, ready when the constructor returns; `environment` is added to a copy of ours.

    Raises RuntimeError with its log when it does not start.
    """

    def __init__(
        self,
        base: Path,
        environment: Mapping[str, str],
        checkpoint: Path | None = None,
        front_end: Path | None = None,
    ) -> None:
        comfyui.prepare(base, checkpoint)
        self.base = base
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = base / "server.log"
        self.settings_file = base / "settings.toml"
        """Where its nodes look for settings; not there yet."""
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                comfyui.command(base, self.port, front_end),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "HF_HUB_OFFLINE": "1",
                    "IMG2PROMPT_SETTINGS": str(self.settings_file),
                    **environment,
                },
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
                self.get("/system_stats")
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"ComfyUI did not start:\n{self.log()[-4000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the server and whatever it started; idempotent."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    # HTTP

    def request(self, path: str, data: bytes | None = None, content_type: str = "") -> tuple[int, bytes]:
        """Status and body of one request: POST when there is `data`, else GET."""
        headers = {"Content-Type": content_type} if content_type else {}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def get(self, path: str) -> Any:
        """The JSON at `path`. Raises Rejected on any status but 200."""
        return self._json(*self.request(path))

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer (None when there is none) to the JSON `body`. Raises Rejected on any status but 200."""
        return self._json(*self.request(path, json.dumps(body).encode(), "application/json"))

    @staticmethod
    def _json(status: int, body: bytes) -> Any:
        if status != 200:
            try:
                raise Rejected(status, json.loads(body))
            except ValueError:
                raise Rejected(status, body.decode(errors="replace")) from None
        return json.loads(body) if body else None

    def upload_image(self, name: str, picture: Image.Image | bytes) -> str:
        """Put `picture` (or a file's bytes) into the input folder as `name`; what LoadImage takes as its `image`."""
        if isinstance(picture, Image.Image):
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
            picture = buffer.getvalue()
        line = uuid.uuid4().hex
        parts = (
            f'--{line}\r\nContent-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n'
            f'--{line}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            "Content-Type: image/png\r\n\r\n"
        )
        body = parts.encode() + picture + f"\r\n--{line}--\r\n".encode()
        return self._json(*self.request("/upload/image", body, f"multipart/form-data; boundary={line}"))["name"]

    # Graphs

    def submit(self, graph: Graph, client_id: str = "") -> str:
        """Queue `graph`; its prompt id. `client_id` is whom the websocket messages go to. Raises Rejected."""
        return self.post("/prompt", {"prompt": graph, "client_id": client_id})["prompt_id"]

    def wait(self, prompt_id: str, timeout_s: float = 120) -> Outcome:
        """How the run ended. Raises TimeoutError with the log's end."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if history := self.get(f"/history/{prompt_id}"):
                entry = history[prompt_id]
                status = entry["status"]
                return Outcome(prompt_id, status["status_str"], entry["outputs"], dict(status["messages"]))
            time.sleep(0.02)
        raise TimeoutError(f"{prompt_id} did not end in {timeout_s} s:\n{self.log()[-3000:]}")

    def run(self, graph: Graph, timeout_s: float = 120) -> Outcome:
        """Queue `graph` and wait for its end. Raises Rejected, TimeoutError."""
        return self.wait(self.submit(graph), timeout_s)

    def interrupt(self, prompt_id: str) -> None:
        """ComfyUI's Cancel for one running prompt."""
        self.post("/interrupt", {"prompt_id": prompt_id})

    def queue(self) -> tuple[list[str], list[str]]:
        """Prompt ids that run and that wait."""
        found = self.get("/queue")
        return [entry[1] for entry in found["queue_running"]], [entry[1] for entry in found["queue_pending"]]

    def image(self, outcome: Outcome, node: str, index: int = 0) -> Image.Image:
        """One picture that an output node saved or previewed."""
        query = urllib.parse.urlencode(outcome.outputs[node]["images"][index])
        status, body = self.request(f"/view?{query}")
        if status != 200:
            raise Rejected(status, body.decode(errors="replace"))
        return Image.open(io.BytesIO(body))

    @contextlib.contextmanager
    def events(self) -> Iterator[Events]:
        """The websocket messages of a new client; pass its `client_id` to `submit`."""
        events = Events(self.port)
        try:
            yield events
        finally:
            events.close()
