"""How well a served checkpoint sees: `python -m img2prompt.tests.seeing_model.evaluate --url http://127.0.0.1:8000/v1`.

It asks the package's own question, with its own prompts and payload, about drawn pictures of random sizes that were not
trained on. A first answer counts; there is no second try. Colour and shape must stand in caption and tags, and no
other colour or shape, apart from the background's colour.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from img2prompt.engine.chat import prepare, read_reply, to_payload
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.questions import analysis_request
from img2prompt.tests.seeing_model.scenes import COLORS, SHAPES, Scene, caption, draw, new_scene, tags

WORDS = {*COLORS, *SHAPES}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one answer was worth."""

    scene: Scene
    size: tuple[int, int]
    reply: str
    seconds: float
    parsed: bool = False
    seen: bool = False
    """Caption and tags name the right colour and shape."""
    exact: bool = False
    """Caption and tags are what was taught, word for word."""


def names_rightly(text: str, scene: Scene) -> bool:
    """Whether `text` names the colour and the shape and, besides the background's colour, none else."""
    named = {word for word in re.findall(r"[a-z]+", text) if word in WORDS}
    return {scene.color, scene.shape} <= named <= {scene.color, scene.shape, scene.background}


def ask(url: str, model: str, seed: int, temperature: float, side: int) -> Outcome:
    """Draw the picture of that seed, `side` pixels (0: 256 to 1,024, each side by itself), and ask about it."""
    random = Random(seed)
    scene = new_scene(random)
    size = (side or random.randint(256, 1024), side or random.randint(256, 1024))
    request = analysis_request(draw(scene, *size, random), seed=seed)
    payload = to_payload(prepare(request, 1_048_576, temperature), model=model, for_vllm=True)
    post = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    begin = time.monotonic()
    with urllib.request.urlopen(post, timeout=600) as response:
        reply = json.loads(response.read())
    seconds = time.monotonic() - begin
    text = reply["choices"][0]["message"]["content"]
    try:
        answer = read_reply(reply, ImageAnalysis)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is counted and shown)
        return Outcome(scene, size, f"{error}: {text}", seconds)
    if isinstance(answer, str):
        return Outcome(scene, size, f"{answer}: {text}", seconds)
    seen = names_rightly(answer.caption, scene) and names_rightly(", ".join(answer.tags), scene)
    exact = answer.caption == caption(scene) and answer.tags == tags(scene)
    return Outcome(scene, size, f"{answer.caption} | {', '.join(answer.tags)}", seconds, True, seen, exact)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="Qwen3-VL-8B-Instruct", help="the name it is served under")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=900_000, help="of the first picture")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--side", type=int, default=0, help="width and height, in pixels; 0: random")
    options = parser.parse_args()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(
            pool.map(
                lambda seed: ask(options.url, options.model, seed, options.temperature, options.side),
                range(options.seed, options.seed + options.count),
            )
        )
    for outcome in outcomes:
        if not outcome.seen:
            print(f"{outcome.size} {caption(outcome.scene)} -> {outcome.reply}")
    parsed, seen, exact = (sum(getattr(o, name) for o in outcomes) for name in ("parsed", "seen", "exact"))
    median = sorted(outcome.seconds for outcome in outcomes)[len(outcomes) // 2]
    print(f"of {len(outcomes)}: parsed {parsed}, seen {seen}, word for word {exact}; median {median:.1f} s a request")


if __name__ == "__main__":
    main()
