"""The last test on the shared vLLM: it stops the server."""

from __future__ import annotations

from img2prompt.tests.comfyui.graphs import redraw
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.vllm.conftest import DrawUnseen
from img2prompt.tests.vllm.server import VllmServer


def test_a_stopped_server_is_an_error_that_says_so(
    seeing_comfyui: ComfyServer, vllm_server: VllmServer, draw_unseen: DrawUnseen
) -> None:
    ((_, file),) = draw_unseen(1, (256, 256))
    vllm_server.stop()
    outcome = seeing_comfyui.run(redraw(file))
    assert "Nobody answers at" in outcome.error
    assert not outcome.outputs
