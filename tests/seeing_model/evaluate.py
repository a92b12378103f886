"""How well a served checkpoint sees: `python -m img2prompt.tests.seeing_model.evaluate --url http://127.0.0.1:8000/v1`.

It asks the package's own question, with its own prompts and payload, about drawn pictures of random sizes that were not
trained on; with `--pictures` above 1, for a story of so many at a time. A first answer counts; there is no second try.

Right is what names colour and shape, and no other colour or shape, apart from the background's colour: in an analysis
the caption and the tags; in a story every observation, and what is seen in every beat, each of its own picture.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any

from img2prompt.engine.chat import prepare, read_reply, to_payload
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.questions import analysis_request, story_request
from img2prompt.prompts.request import Request
from img2prompt.prompts.story import Story
from img2prompt.tests.seeing_model.scenes import COLORS, SHAPES, Scene, caption, draw, new_scene, tags
from img2prompt.tests.seeing_model.stories import story
from PIL import Image

WORDS = {*COLORS, *SHAPES}
MAX_PIXELS = 1_048_576


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of which server."""

    url: str
    model: str
    temperature: float
    side: int
    """Of the pictures, in pixels; 0: 256 to 1,024, each side by itself."""
    pictures: int
    beats: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one answer was worth."""

    scenes: list[Scene]
    reply: str
    seconds: float
    points: dict[str, bool] = field(default_factory=dict)
    """What was right; empty for an answer that does not parse."""

    def right(self) -> bool:
        """Whether all that counts is: "exact", word for word as it was taught, need not be."""
        return bool(self.points) and all(right for name, right in self.points.items() if name != "exact")


def names_rightly(text: str, scene: Scene) -> bool:
    """Whether `text` names the colour and the shape and, besides the background's colour, none else."""
    named = {word for word in re.findall(r"[a-z]+", text) if word in WORDS}
    return {scene.color, scene.shape} <= named <= {scene.color, scene.shape, scene.background}


def analysis_points(answer: ImageAnalysis, scene: Scene) -> dict[str, bool]:
    """What is right about an analysis."""
    return {
        "caption": names_rightly(answer.caption, scene),
        "tags": names_rightly(", ".join(answer.tags), scene),
        "exact": answer.caption == caption(scene) and answer.tags == tags(scene),
    }


def story_points(answer: Story, scenes: list[Scene]) -> dict[str, bool]:
    """What is right about a story. Whether it contradicts itself was looked at when it was parsed."""
    seen = [one.seen for one in answer.observations]
    by_id = {one.id: ", ".join(one.identity) for one in answer.cast}
    beats = [(beat, scenes[beat.image - 1]) for beat in answer.beats]
    return {
        "observations": all(names_rightly(text, scene) for text, scene in zip(seen, scenes, strict=True)),
        "beats": all(names_rightly(beat.what_is_seen, scene) for beat, scene in beats),
        "tags": all(names_rightly(", ".join(beat.tags), scene) for beat, scene in beats),
        "cast": all(names_rightly(", ".join(by_id[role.id] for role in beat.cast), scene) for beat, scene in beats),
        "exact": answer.model_dump() == story(scenes, len(answer.beats)).model_dump(),
    }


def ask(asked: Asked, seed: int) -> Outcome:
    """Draw the pictures of that seed and ask about them."""
    random = Random(seed)
    scenes, drawn = [], []
    for _ in range(asked.pictures):
        scenes.append(new_scene(random))
        size = (asked.side or random.randint(256, 1024), asked.side or random.randint(256, 1024))
        drawn.append(draw(scenes[-1], *size, random))
    begin = time.monotonic()
    reply = _send(asked, _request(asked, drawn, seed))
    seconds = time.monotonic() - begin
    text = reply["choices"][0]["message"]["content"]
    try:
        if asked.pictures == 1:
            points = analysis_points(read_reply(reply, ImageAnalysis), scenes[0])
        else:
            points = story_points(read_reply(reply, Story), scenes)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is counted and shown)
        return Outcome(scenes, f"{error}: {text}", seconds)
    return Outcome(scenes, text, seconds, points)


def _request(asked: Asked, drawn: list[Image.Image], seed: int) -> Request[Any]:
    if asked.pictures == 1:
        return analysis_request(drawn[0], seed=seed)
    return story_request(drawn, beats=asked.beats, seed=seed)


def _send(asked: Asked, request: Request[Any]) -> dict[str, Any]:
    payload = to_payload(prepare(request, MAX_PIXELS, asked.temperature), model=asked.model, for_vllm=True)
    post = urllib.request.Request(
        f"{asked.url}/chat/completions", json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(post, timeout=600) as response:
        return json.loads(response.read())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="Qwen3-VL-8B-Instruct", help="the name it is served under")
    parser.add_argument("--count", type=int, default=100, help="of requests")
    parser.add_argument("--seed", type=int, default=900_000, help="of the first request's pictures")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--side", type=int, default=0, help="width and height, in pixels; 0: random")
    parser.add_argument("--pictures", type=int, default=1, help="in a request")
    parser.add_argument("--beats", type=int, default=0, help="of a story; 0: one per picture")
    options = parser.parse_args()
    asked = Asked(options.url, options.model, options.temperature, options.side, options.pictures, options.beats)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda seed: ask(asked, seed), range(options.seed, options.seed + options.count)))
    for outcome in outcomes:
        if not outcome.right():
            print(f"{'; '.join(map(caption, outcome.scenes))} -> {outcome.points} {outcome.reply}")
    parsed = [outcome.points for outcome in outcomes if outcome.points]
    shares = ", ".join(f"{name} {sum(points[name] for points in parsed)}" for name in (parsed or [{}])[0])
    median = sorted(outcome.seconds for outcome in outcomes)[len(outcomes) // 2]
    right = sum(outcome.right() for outcome in outcomes)
    print(f"of {len(outcomes)}: parsed {len(parsed)}, right {right} ({shares}); median {median:.1f} s a request")


if __name__ == "__main__":
    main()
