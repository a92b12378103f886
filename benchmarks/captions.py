"""`img2prompt caption` beside a bare asyncio loop that posts the same requests to the same server, ready in memory; its
own CPU time for each picture; and what answering several pictures at one time is worth on a real vLLM.

    python -P benchmarks/captions.py

Prints the figures and leaves benchmarks/results/local-captions.json, in a quarter of an hour. Needs the environments
comfyui and vllm: a vLLM on the CPU with the small trained model, and the seeing server, which takes a fixed time and so
leaves the cores to us.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from img2prompt.benchmarks.engine import server
from img2prompt.captions import caption
from img2prompt.captions.find import find
from img2prompt.captions.task import Task
from img2prompt.engine import Engine, Settings
from img2prompt.engine.chat import prepare, to_body
from img2prompt.engine.client import ChatClient
from img2prompt.prompts import Request
from img2prompt.tests.vllm.server import VllmServer
from PIL import Image

HERE = Path(__file__).resolve().parent
PHOTO = HERE.parent / "docs" / "examples" / "astronaut.jpg"
RESULTS = HERE / "results" / "local-captions.json"
SIDE = 1024
PICTURES = 512
FEW = 64
"""On the real vLLM, which answers some in a second on two cores."""
IN_FLIGHT = 16
FACTORS = (1, 4, 16, 32)
ANSWER_S = 0.5
TURNS = 3
STEPS = re.compile(r"^vllm:iteration_tokens_total_count{[^}]*} ([0-9.e+]+)$", re.MULTILINE)


def draw(folder: Path, kind: str, count: int) -> None:
    """Photographs of SIDE x SIDE pixels, each a little different."""
    photo = Image.open(PHOTO).convert("RGB")
    sheet = Image.new("RGB", (SIDE, SIDE))
    for x, y in ((0, 0), (512, 0), (0, 512), (512, 512)):
        sheet.paste(photo, (x, y))
    folder.mkdir()
    for number in range(count):
        sheet.rotate(number).save(folder / f"{number:03}.{kind}")


@contextmanager
def engine(url: str, folder: Path, in_flight: int, key: str = "") -> Iterator[Engine]:
    settings = Settings(
        endpoint=url, cache=False, cache_dir=folder, max_in_flight=in_flight, temperature=0.0, answer_timeout_s=600
    )
    made = Engine(ChatClient(settings, url, key), settings)
    try:
        made.wake()
        yield made
    finally:
        made.close()


def caption_s(pictures: Path, url: str, in_flight: int, key: str = "") -> tuple[float, float]:
    """Seconds of a run, and of this process's CPU in it."""
    with tempfile.TemporaryDirectory() as out, engine(url, Path(out), in_flight, key) as asked:
        cpu, began = time.process_time(), time.perf_counter()
        summary = caption(pictures, jsonl=Path(out) / "captions.jsonl", sidecars=False, engine=asked)
        taken = time.perf_counter() - began, time.process_time() - cpu
    assert not summary.failed and summary.done, summary.failures
    return taken


def bodies(pictures: Path, model: str) -> list[bytes]:
    """The requests that a run sends."""
    made = []
    for found in find(pictures):
        request = Task().request(found)
        assert isinstance(request, Request)
        made.append(to_body(prepare(request, SIDE * SIDE, 0.0, png_as_it_is=True), model=model, for_vllm=True))
    return made


async def loop_s(url: str, requests: list[bytes], in_flight: int, key: str = "") -> float:
    """Seconds of a bare loop that posts them, so many at one time."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    connections = aiohttp.TCPConnector(limit=in_flight)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connections, headers=headers, timeout=timeout) as session:

        async def post(body: bytes) -> None:
            async with session.post(f"{url}/chat/completions", data=body) as reply:
                reply.raise_for_status()
                await reply.read()

        began = time.perf_counter()
        await asyncio.gather(*map(post, requests))
        return time.perf_counter() - began


def beside_a_loop(pictures: Path, url: str, model: str, turns: int, key: str = "") -> dict[str, Any]:
    """Both turn by turn, after one of each that does not count."""
    requests = bodies(pictures, model)
    found = [
        (caption_s(pictures, url, IN_FLIGHT, key), asyncio.run(loop_s(url, requests, IN_FLIGHT, key)))
        for _ in range(turns + 1)
    ][1:]
    return {
        "caption_pictures_per_s": [round(len(requests) / run, 2) for (run, _), _ in found],
        "loop_requests_per_s": [round(len(requests) / loop, 2) for _, loop in found],
        "ratio_median": round(statistics.median(loop / run for (run, _), loop in found), 3),
        "cpu_ms_each": round(statistics.median(cpu / len(requests) for (_, cpu), _ in found) * 1000, 1),
    }


def steps_beside_a_loop(pictures: Path, vllm: VllmServer) -> dict[str, float]:
    """How many steps vLLM's engine takes for a run and for the loop, which do not depend on what else the machine does:
    a place that stays free for a while costs steps. Answers are all of one length, so the loop keeps them in step."""
    requests = bodies(pictures, vllm.model)

    def taken(do: Callable[[], object]) -> float:
        before = _steps(vllm)
        do()
        return _steps(vllm) - before

    return {
        "caption": taken(lambda: caption_s(pictures, vllm.url, IN_FLIGHT, vllm.api_key)),
        "loop": taken(lambda: asyncio.run(loop_s(vllm.url, requests, IN_FLIGHT, vllm.api_key))),
    }


def _steps(vllm: VllmServer) -> float:
    time.sleep(1)  # told a moment later
    return sum(map(float, STEPS.findall(vllm.read("/metrics"))))


def factors(pictures: Path, url: str, key: str) -> dict[str, float]:
    """Pictures a second with so many at one time, as a multiple of one after another."""
    caption_s(pictures, url, max(FACTORS), key)  # not counted: later runs find the pictures in vLLM's caches
    taken = {in_flight: caption_s(pictures, url, in_flight, key)[0] for in_flight in FACTORS}
    return {str(in_flight): round(taken[1] / seconds, 2) for in_flight, seconds in taken.items()}


def measure(folder: Path) -> None:
    """Measure all of it; each figure is said on stderr, and saved, as it is there."""
    found: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }

    def add(name: str, value: Any) -> None:
        found[name] = value
        print(f"{name}: {value}", file=sys.stderr, flush=True)
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")

    for kind in ("jpg", "png"):
        draw(folder / kind, kind, PICTURES)
        with server(ANSWER_S) as url:
            add(f"{kind}_fixed_time_server", beside_a_loop(folder / kind, url, "seeing-model", TURNS))
    draw(folder / "few", "jpg", FEW)
    vllm = VllmServer(folder / "vllm")
    try:
        add("vllm_cpu", beside_a_loop(folder / "few", vllm.url, vllm.model, TURNS, vllm.api_key))
        add("vllm_cpu_steps", steps_beside_a_loop(folder / "few", vllm))
        add("vllm_cpu_factor_by_in_flight", factors(folder / "few", vllm.url, vllm.api_key))
    finally:
        vllm.stop()


if __name__ == "__main__":
    RESULTS.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        measure(Path(place))
