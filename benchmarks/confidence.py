"""What it costs to have 30 tags of a picture rated: seconds and requests, with and without, on a real vLLM.

    python -P benchmarks/confidence.py                                   # the tests' small model, on the CPU
    IMG2PROMPT_API_KEY=… python -P benchmarks/confidence.py --endpoint URL

Prints the figures and leaves benchmarks/results/local-confidence.json. Every picture is new to the server. The tags are
30 colours, because the small model names fewer; its answers are short and soon written, so beside them the reads seem
dearer than they are beside a large model's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from img2prompt.engine import Engine, Settings
from img2prompt.engine.client import ChatClient
from img2prompt.prompts import ImageAnalysis, Request, analysis_request
from img2prompt.prompts.confidence import Probabilities, confidence_request
from PIL import Image

HERE = Path(__file__).resolve().parent
PHOTO = HERE.parent / "docs" / "examples" / "astronaut.jpg"
RESULTS = HERE / "results" / "local-confidence.json"
PHRASES = 30
SIDE = 1024
ONE_BY_ONE = 8
TOGETHER = 16
COUNTERS = ("vllm:request_success_total", "vllm:prompt_tokens_total", "vllm:prompt_tokens_cached_total")
SHADES = ("pale", "light", "bright", "dark", "deep")
COLORS = ("red", "green", "blue", "yellow", "orange", "purple", "brown", "gray")


@contextmanager
def server(endpoint: str) -> Iterator[tuple[str, str]]:
    """URL and key of the endpoint, or of a vLLM of our own."""
    if endpoint:
        yield endpoint, os.environ.get("IMG2PROMPT_API_KEY", "")
        return
    from img2prompt.tests.vllm.server import VllmServer

    with tempfile.TemporaryDirectory() as folder:
        vllm = VllmServer(Path(folder))
        try:
            yield vllm.url, vllm.api_key
        finally:
            vllm.stop()


def pictures(first: int, count: int) -> list[Image.Image]:
    """So many of a photograph's detail, each turned otherwise."""
    photo = Image.open(PHOTO).convert("RGB").resize((SIDE, SIDE))
    return [photo.rotate(first + number) for number in range(count)]


def with_30_tags(found: ImageAnalysis) -> ImageAnalysis:
    """The analysis with as many phrases to rate."""
    tags = [f"{shade} {color}" for shade in SHADES for color in COLORS][:PHRASES]
    return ImageAnalysis.model_validate(found.model_dump() | {"subjects": [], "setting": [], "tags": tags})


class Counted:
    """What the server did while something was timed."""

    def __init__(self, url: str, key: str) -> None:
        self._metrics = urllib.request.Request(url.removesuffix("/v1") + "/metrics")
        self._metrics.add_header("Authorization", f"Bearer {key}")

    def time(self, action: Callable[[], object]) -> dict[str, float]:
        """Seconds, and by how much each counter grew."""
        before, began = self._read(), time.perf_counter()
        action()
        taken = time.perf_counter() - began
        after = self._read()
        return {"seconds": taken, **{name: after[name] - before[name] for name in COUNTERS}}

    def _read(self) -> dict[str, float]:
        with urllib.request.urlopen(self._metrics, timeout=30) as reply:
            text = reply.read().decode()
        return {name: sum(map(float, re.findall(rf"^{name}{{.*}} (\S+)$", text, re.MULTILINE))) for name in COUNTERS}


def summary(turns: list[dict[str, float]]) -> dict[str, Any]:
    """Of one picture: medians."""
    requests, prompt, cached = (statistics.median(turn[name] for turn in turns) for name in COUNTERS)
    return {
        "seconds": round(statistics.median(turn["seconds"] for turn in turns), 3),
        "seconds_of_each": [round(turn["seconds"], 3) for turn in turns],
        "requests": round(requests),
        "prompt_tokens": round(prompt),
        "prompt_tokens_cached": round(cached),
    }


def measure(url: str, key: str) -> dict[str, Any]:
    settings = Settings(cache=False, temperature=0.0)
    engine = Engine(ChatClient(settings, url, key), settings)
    counted = Counted(url, key)

    def reads(picture: Image.Image, found: ImageAnalysis) -> Request[Probabilities]:
        return confidence_request(picture, with_30_tags(found))

    try:
        (warm,) = pictures(0, 1)
        found = engine.ask(analysis_request(warm))
        engine.ask(reads(warm, found))
        looks, rates = [], []
        for picture in pictures(1, ONE_BY_ONE):
            looks.append(counted.time(lambda picture=picture: engine.ask(analysis_request(picture))))
            rates.append(counted.time(lambda picture=picture: engine.ask(reads(picture, found))))
        several = pictures(1 + ONE_BY_ONE, TOGETHER)
        look = counted.time(lambda: engine.ask_many([analysis_request(one) for one in several]))
        rate = counted.time(lambda: engine.ask_many([reads(one, found) for one in several]))
    finally:
        engine.close()
    return {
        "one_picture": {"analysis": summary(looks), f"{PHRASES}_reads": summary(rates)},
        f"{TOGETHER}_pictures_at_once": {"analysis": summary([look]), f"{PHRASES}_reads_each": summary([rate])},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default="", help="base URL of a vLLM that runs")
    options = parser.parse_args()
    with server(options.endpoint) as (url, key):
        result = {
            "when": datetime.now(UTC).isoformat(timespec="minutes"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "load_before": round(os.getloadavg()[0], 2),
            "pixels": f"{SIDE}x{SIDE}",
            "phrases": PHRASES,
            **measure(url, key),
        }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2), file=sys.stdout)


if __name__ == "__main__":
    main()
