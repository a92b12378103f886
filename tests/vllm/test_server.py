"""The ground that the other vLLM tests stand on: it starts, serves the seeing model, and says what it is doing."""

from __future__ import annotations

import json

from img2prompt.tests.vllm.server import VllmServer


def test_it_serves_the_model(vllm_server: VllmServer) -> None:
    assert [model["id"] for model in json.loads(vllm_server.read("/v1/models"))["data"]] == [vllm_server.model]
    assert vllm_server.busy() == 0
