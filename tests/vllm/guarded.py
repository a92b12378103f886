"""What may be tried on a real vLLM behind the guard."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import Any

from img2prompt.tests.vllm.server import VllmServer


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> object:
        """Of an error in OpenAI's shape; None for anything else."""
        try:
            return self.json["error"]["code"]
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def text(self) -> str:
        """What the model said."""
        return self.json["choices"][0]["message"]["content"]


class GuardedVllm:
    """Asks a running one whatever a program or a web page might; `folder`, `token`, `origin` say where it is."""

    def __init__(self, server: VllmServer) -> None:
        self.folder = server.folder.path
        self.token = server.api_key
        self.origin = server.origin
        self.port = int(server.origin.rpartition(":")[2])
        self.model = server.model

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: dict[str, str | None] | None = None,
        timeout_s: float = 60,
    ) -> Answer:
        """Send one request with the token; a body that is not bytes goes as JSON, and None takes a header away."""
        data = body if isinstance(body, bytes) else (None if body is None else json.dumps(body).encode())
        plain: dict[str, str | None] = {"Authorization": f"Bearer {self.token}"}
        if data is not None:
            plain["Content-Type"] = "application/json"
        plain |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            named = {name: value for name, value in plain.items() if value is not None}
            connection.request(method, target, data, named)
            reply = connection.getresponse()
            return Answer(reply.status, {key.lower(): value for key, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def chat(self, *parts: object, **fields: object) -> Answer:
        """Ask the model about some content parts."""
        content = list(parts) or [{"type": "text", "text": "Describe."}]
        payload = {"model": self.model, "messages": [{"role": "user", "content": content}], "max_tokens": 8}
        return self.ask("POST", "/v1/chat/completions", payload | {"temperature": 0} | fields)

    def metric(self, name: str) -> float:
        """One of its metrics, summed over its labels; 0 when it is not there yet."""
        text = self.ask("GET", "/metrics").body.decode()
        return sum(map(float, re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)))
