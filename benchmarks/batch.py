"""Batches and long lists through the node in a real ComfyUI; a batch against a bare loop that posts the same payloads
to the same vLLM."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import aiohttp
from img2prompt.engine.chat import prepare, to_payload
from img2prompt.prompts import analysis_request
from img2prompt.scripts.comfyui import tiny_checkpoint
from img2prompt.tests.comfyui.graphs import describe, image_to_prompt
from img2prompt.tests.comfyui.server import ComfyServer, Graph
from img2prompt.tests.memory import MIB, resident_bytes
from img2prompt.tests.seeing import COLORS
from img2prompt.tests.seeing import draw as draw_colors
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.vllm.server import VllmServer
from PIL import Image

PHOTO = Path(__file__).resolve().parent.parent / "docs" / "examples" / "astronaut.jpg"
PICTURES = 32
SIDE = 1024
IN_FLIGHT = 16
PAIRS = 3
SHORT, LONG = 50, 2000
"""Pictures of a list."""
SETTLE_S, LOOK_S = 10.0, 10.0


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
        with resident_bytes(comfy.process.pid) as seen:
            ended = events.wait_for("executed", lambda data: data["node"] == "prompt", timeout_s=600)
    outcome = comfy.wait(prompt_id)
    assert len(outcome.outputs["prompt"]["text"]) == len(files), outcome.error
    return ended.at_s - began.at_s, max(seen) - seen[0]


def long_list(folder: Path) -> dict[str, float]:
    """A folder of many small pictures, read by ComfyUI's own dataset node, as a list through the node; the endpoint
    answers at once. Memory is that above the pictures themselves, and beyond what a short list takes."""
    with SeeingServer() as server:
        settings = {"IMG2PROMPT_ENDPOINT": server.url, "IMG2PROMPT_CACHE": "false"}
        comfy = ComfyServer(folder / "list", settings)
        try:
            _list_run(comfy, SHORT, seed=0)  # not counted: what is imported stays
            short, _, _ = _list_run(comfy, SHORT, seed=1)
            extra, cpu_s, took_s = _list_run(comfy, LONG, seed=2)
            waiting = _waiting_share(comfy, server)
        finally:
            comfy.stop()
    return {
        "pictures": LONG,
        "requests_per_s": round(LONG / took_s, 1),
        "cpu_ms_per_picture": round(1000 * cpu_s / LONG, 1),
        "extra_memory_mib": round((extra - short) / MIB),
        "cpu_share_while_waiting": round(waiting, 3),
    }


def _list_run(comfy: ComfyServer, count: int, seed: int) -> tuple[int, float, float]:
    """Bytes by which ComfyUI's memory grows while the node runs, its CPU seconds, and seconds."""
    with comfy.events() as events:
        prompt_id = comfy.submit(_list_graph(comfy, count, seed), events.client_id)
        began = events.wait_for("executing", lambda data: data["node"] == "prompt", timeout_s=600)
        before_s = _cpu_s(comfy)
        with resident_bytes(comfy.process.pid) as seen:
            ended = events.wait_for("executed", lambda data: data["node"] == "prompt", timeout_s=600)
        cpu_s = _cpu_s(comfy) - before_s
    outcome = comfy.wait(prompt_id)
    assert len(outcome.outputs["prompt"]["text"]) == count, outcome.error
    return max(seen) - seen[0], cpu_s, ended.at_s - began.at_s


def _list_graph(comfy: ComfyServer, count: int, seed: int) -> Graph:
    """So many pictures of 64x48 as a list into the node."""
    folder = comfy.base / "input" / f"{count}"
    folder.mkdir(exist_ok=True)
    colors = list(COLORS)
    for number in range(count):
        draw_colors(colors[number % len(colors)]).save(folder / f"{number:05}.png", compress_level=1)
    load = {"class_type": "LoadImageDataSetFromFolder", "inputs": {"folder": folder.name}}
    return {"folder": load, "prompt": image_to_prompt(["folder", 0], seed=seed)}


def _waiting_share(comfy: ComfyServer, server: SeeingServer) -> float:
    """The share of a core that ComfyUI takes while the whole list waits for a server that does not answer."""
    server.control.hold = True
    prompt_id = comfy.submit(_list_graph(comfy, LONG, seed=3))
    while server.counts.in_flight < IN_FLIGHT:
        time.sleep(0.01)
    time.sleep(SETTLE_S)
    before_s = _cpu_s(comfy)
    time.sleep(LOOK_S)
    share = (_cpu_s(comfy) - before_s) / LOOK_S
    comfy.interrupt(prompt_id)
    comfy.wait(prompt_id)
    server.control.hold = False
    return share


def _cpu_s(comfy: ComfyServer) -> float:
    """CPU seconds that ComfyUI's process has taken so far, as proc(5) tells them."""
    fields = Path(f"/proc/{comfy.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
