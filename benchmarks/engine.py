"""What the engine adds to the model's own time: a hit in the cache, ask() beside a bare HTTP call,
what it costs to hear the words as they are written, status().

    python -P benchmarks/engine.py

Prints the figures and leaves benchmarks/results/local-engine.json. Needs no torch and no model: the server that answers
(tests/seeing_server.py) looks at pixels, in a process of its own. Times are in ms.
"""

from __future__ import annotations

import base64
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from img2prompt.engine import Engine, Settings
from img2prompt.engine.backend import Watch
from img2prompt.engine.chat import prepare, to_payload
from img2prompt.engine.client import ChatClient
from img2prompt.prompts import ImageAnalysis, Request, analysis_request
from PIL import Image

HERE = Path(__file__).resolve().parent
PHOTO = HERE.parent / "docs" / "examples" / "astronaut.jpg"
RESULTS = HERE / "results" / "local-engine.json"
SIDE = 1024
MAX_PIXELS = SIDE * SIDE
WARM_UP = 5
RUNS = 101
ANSWER_S = 0.1
"""What the server takes for an answer here; a model takes longer."""


@contextmanager
def server(delay_s: float = 0.0) -> Iterator[str]:
    """The base URL of a seeing server in its own process: in ours it would take turns with what is measured."""
    command = [sys.executable, "-m", "img2prompt.tests.seeing_server", "--port=0", f"--delay-s={delay_s}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@contextmanager
def engine(url: str, folder: Path, *, cache: bool) -> Iterator[Engine]:
    settings = Settings(endpoint=url, cache=cache, cache_dir=folder)
    made = Engine(ChatClient(settings, url), settings)
    try:
        made.wake()
        yield made
    finally:
        made.close()


def photograph() -> Image.Image:
    """1024x1024 pixels in a photograph's detail."""
    photo = Image.open(PHOTO).convert("RGB")
    sheet = Image.new("RGB", (SIDE, SIDE))
    for x in range(0, SIDE, photo.width):
        for y in range(0, SIDE, photo.height):
            sheet.paste(photo, (x, y))
    return sheet


@dataclass
class Taken:
    """Milliseconds of many calls of one action."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Of all threads of this process: what other programs do on the machine changes it little."""

    def summary(self) -> dict[str, float]:
        tenths = statistics.quantiles(self.wall, n=10)
        found = {"median": statistics.median(self.wall), "p10": tenths[0], "p90": tenths[-1]}
        return {name: round(ms, 2) for name, ms in (found | {"cpu_median": statistics.median(self.cpu)}).items()}

    def minus(self, other: Taken) -> dict[str, float]:
        """By how much the medians differ."""
        wall = statistics.median(self.wall) - statistics.median(other.wall)
        return {
            "median": round(wall, 2),
            "cpu_median": round(statistics.median(self.cpu) - statistics.median(other.cpu), 2),
        }


def take_turns(*actions: Callable[[int], object]) -> list[Taken]:
    taken = [Taken() for _ in actions]
    for turn in range(WARM_UP + RUNS):
        for action, mine in zip(actions, taken, strict=True):
            began, began_cpu = time.perf_counter(), time.process_time()
            action(turn)
            if turn >= WARM_UP:
                mine.wall.append((time.perf_counter() - began) * 1000)
                mine.cpu.append((time.process_time() - began_cpu) * 1000)
    return taken


def cache_hit_ms(folder: Path) -> dict[str, float]:
    """ask() about a picture that was asked about before: scaling, hashing, looking it up, checking the answer."""
    picture = photograph()
    with server() as url, engine(url, folder, cache=True) as asked:
        asked.ask(analysis_request(picture))
        (hits,) = take_turns(lambda _turn: asked.ask(analysis_request(picture.copy())))
        status = asked.status()
    assert (status.cache_hits, status.cache_misses) == (WARM_UP + RUNS, 1), status
    return hits.summary()


def added_ms(folder: Path) -> dict[str, Any]:
    """ask() beside bare HTTP calls with the same payload: one that has it ready, one that encodes the picture, too."""
    picture = photograph()

    def request(turn: int) -> Request[ImageAnalysis]:
        return analysis_request(picture, seed=turn)

    # each turn has a seed of its own, and prepare() is not timed
    payloads = [_payload(request(turn)) for turn in range(WARM_UP + RUNS)]
    bodies = [json.dumps(payload).encode() for payload in payloads]
    with server(ANSWER_S) as url, engine(url, folder, cache=False) as asked, httpx2.Client(trust_env=False) as http:

        def post(body: bytes) -> ImageAnalysis:
            reply = http.post(f"{url}/chat/completions", content=body, headers={"Content-Type": "application/json"})
            reply.raise_for_status()
            return ImageAnalysis.model_validate_json(reply.json()["choices"][0]["message"]["content"])

        def encode_and_post(turn: int) -> ImageAnalysis:
            payload = payloads[turn]
            payload["messages"][1]["content"][0]["image_url"]["url"] = _data_url(picture)
            return post(json.dumps(payload).encode())

        ours, ready, encoding = take_turns(
            lambda turn: asked.ask(request(turn)), lambda turn: post(bodies[turn]), encode_and_post
        )
    return {
        "ask": ours.summary(),
        "bare_with_ready_payload": ready.summary(),
        "bare_that_encodes": encoding.summary(),
        "added_to_ready_payload": ours.minus(ready),
        "added_to_one_that_encodes": ours.minus(encoding),
    }


def streamed_ms(folder: Path) -> dict[str, Any]:
    """ask() with somebody who listens to the words, beside ask(): what the pieces of one answer cost."""
    picture, pieces = photograph(), []

    class Listening(Watch):
        def asked(self) -> bool:
            pieces.clear()
            return True

        def wrote(self, text: str) -> None:
            pieces.append(text)

    with server() as url, engine(url, folder, cache=False) as asked:

        def listen(turn: int) -> None:
            request = analysis_request(picture, seed=turn)
            asked.submit_many([request], watch=lambda _: Listening()).result()

        streamed, whole = take_turns(listen, lambda turn: asked.ask(analysis_request(picture, seed=turn)))
    added = streamed.minus(whole)
    return {"pieces": len(pieces), "streamed": streamed.summary(), "whole": whole.summary(), "added": added}


def status_ms(folder: Path) -> dict[str, float]:
    with server() as url, engine(url, folder, cache=True) as asked:
        (taken,) = take_turns(lambda _turn: asked.status())
    return taken.summary()


def _payload(request: Request[ImageAnalysis]) -> dict[str, Any]:
    return to_payload(prepare(request, MAX_PIXELS, None), model="seeing-model", for_vllm=True)


def _data_url(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return {
            "when": datetime.now(UTC).isoformat(timespec="minutes"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "load_before": os.getloadavg()[0],
            "cache_hit_1024_ms": cache_hit_ms(Path(folder)),
            "ask_1024_ms": added_ms(Path(folder)),
            "streamed_ms": streamed_ms(Path(folder)),
            "status_ms": status_ms(Path(folder)),
        }


if __name__ == "__main__":
    result = measure()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
