"""A batch through the node in a real ComfyUI, against a bare loop that posts the same payloads to the same vLLM."""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from img2prompt.engine.chat import prepare, to_payload
from img2prompt.prompts import analysis_request
from img2prompt.scripts.comfyui import tiny_checkpoint
from img2prompt.tests.comfyui.graphs import describe
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing import draw as draw_colors
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.vllm.server import VllmServer
from PIL import Image

PHOTO = Path(__file__).resolve().parent.parent / "docs" / "examples" / "astronaut.jpg"
PICTURES = 32
SIDE = 1024
IN_FLIGHT = 16
PAIRS = 3
MIB = 2**20


def compare(folder: Path) -> dict[str, Any]:
    """Requests per second of node and loop, turn by turn, and the median of their ratio pair by pair."""
    pictures = _pictures()
    vllm = VllmServer(folder)
    settings = {**vllm.environment, "IMG2PROMPT_TEMPERATURE": "0", "IMG2PROMPT_CACHE": "false"}
    try:
        comfy = ComfyServer(folder / "comfyui", settings, tiny_checkpoint())
        try:
            files = [comfy.upload_image(f"{i}.png", picture) for i, picture in enumerate(pictures)]
            payloads = [_payload(picture, vllm.model) for picture in pictures]
            # Once each, not counted: both then find the pictures in vLLM's caches, and pay only for what they do.
            asyncio.run(_loop_s(vllm, payloads))
            _node_s(comfy, files, seed=0)
            turns = [
                (_node_s(comfy, files, seed=turn + 1)[0], asyncio.run(_loop_s(vllm, payloads))) for turn in range(PAIRS)
            ]
        finally:
            comfy.stop()
    finally:
        vllm.stop()
    return {
        "node_requests_per_s": [round(PICTURES / node_s, 3) for node_s, _ in turns],
        "loop_requests_per_s": [round(PICTURES / loop_s, 3) for _, loop_s in turns],
        "ratio_median": round(statistics.median(loop_s / node_s for node_s, loop_s in turns), 3),
    }


def extra_memory_mib(folder: Path) -> int:
    """By how much the first batch makes a fresh ComfyUI grow while the node runs, at most."""
    with SeeingServer() as server:
        server.control.delay_s = 0.5
        settings = {"IMG2PROMPT_ENDPOINT": server.url, "IMG2PROMPT_CACHE": "false"}
        comfy = ComfyServer(folder / "memory", settings, tiny_checkpoint())
        try:
            files = [comfy.upload_image(f"{i}.png", picture) for i, picture in enumerate(_pictures())]
            _, extra = _node_s(comfy, files, seed=0)
        finally:
            comfy.stop()
    return round(extra / MIB)


def _pictures() -> list[Image.Image]:
    """Photographs in size and detail, each a little different."""
    photo = Image.open(PHOTO).convert("RGB")
    sheet = Image.new("RGB", (SIDE, SIDE))
    for x, y in ((0, 0), (512, 0), (0, 512), (512, 512)):
        sheet.paste(photo, (x, y))
    return [sheet.rotate(2 * number) for number in range(PICTURES)]


def _payload(picture: Image.Image, model: str) -> bytes:
    chat = prepare(analysis_request(picture), SIDE * SIDE, 0.0)
    return json.dumps(to_payload(chat, model=model, for_vllm=True)).encode()


async def _loop_s(vllm: VllmServer, payloads: list[bytes]) -> float:
    """Seconds that a bare asyncio loop takes to post all payloads, as many in flight as the node has."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {vllm.api_key}"}
    connections = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connections, headers=headers) as session:

        async def post(payload: bytes) -> None:
            async with session.post(f"{vllm.url}/chat/completions", data=payload) as reply:
                reply.raise_for_status()
                await reply.read()

        began = time.perf_counter()
        await asyncio.gather(*map(post, payloads))
        return time.perf_counter() - began


def _node_s(comfy: ComfyServer, files: list[str], seed: int) -> tuple[float, int]:
    """Seconds that the node runs for the batch, and bytes by which ComfyUI's memory grows meanwhile at most."""
    with comfy.events() as events:
        prompt_id = comfy.submit(describe(*files, seed=seed), events.client_id)
        began = events.wait_for("executing", lambda data: data["node"] == "prompt", timeout_s=600)
        with _memory_of(comfy.process.pid) as seen:
            ended = events.wait_for("executed", lambda data: data["node"] == "prompt", timeout_s=600)
    outcome = comfy.wait(prompt_id)
    assert len(outcome.outputs["prompt"]["text"]) == len(files), outcome.error
    return ended.at_s - began.at_s, max(seen) - seen[0]


@contextmanager
def _memory_of(pid: int) -> Iterator[list[int]]:
    """Resident bytes of a process, sampled every 10 ms."""
    seen: list[int] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.is_set():
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            seen.append(pages * 4096)
            stop.wait(0.01)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def cancel_s(folder: Path) -> dict[str, float]:
    """Seconds from ComfyUI's Cancel, with 16 requests in flight, to the end of the run and to a server that is free."""
    with SeeingServer() as server:
        server.control.delay_s = 60
        settings = {"IMG2PROMPT_ENDPOINT": server.url, "IMG2PROMPT_CACHE": "false"}
        comfy = ComfyServer(folder / "cancel", settings, tiny_checkpoint())
        try:
            file = comfy.upload_image("red.png", draw_colors("red"))
            taken = [_one_cancel(comfy, server, file, seed) for seed in range(PAIRS)]
        finally:
            comfy.stop()
    return {
        "run_ended": round(statistics.median(run for run, _ in taken), 3),
        "server_free": round(statistics.median(free for _, free in taken), 3),
    }


def _one_cancel(comfy: ComfyServer, server: SeeingServer, file: str, seed: int) -> tuple[float, float]:
    with comfy.events() as events:
        prompt_id = comfy.submit(describe(*[file] * IN_FLIGHT, seed=seed), events.client_id)
        while server.counts.in_flight < IN_FLIGHT:
            time.sleep(0.01)
        began = time.monotonic()
        comfy.interrupt(prompt_id)
        while server.counts.in_flight:
            time.sleep(0.001)
        free = time.monotonic() - began
        ended = events.wait_for("execution_interrupted").at_s - began
    comfy.wait(prompt_id)
    return ended, free
