"""The engine's own vLLM, for real: started, asked about a picture, and gone with its owner, however that ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.settings import Settings
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request, Sampling
from img2prompt.tests.processes import session
from img2prompt.tests.seeing_model.scenes import draw, new_scene
from img2prompt.tests.vllm.server import CHECKPOINT, PROGRAM
from img2prompt.tests.waiting import until

GONE_WITHIN_S = 30.0
"""10 s at most by the keeper's own limits; the rest is for busy cores."""


def settings(folder: Path) -> Settings:
    return Settings(engine="managed", model=str(CHECKPOINT), vllm=str(PROGRAM), cache=False, cache_dir=folder)


def test_it_starts_answers_about_a_picture_and_leaves_nothing_running(tmp_path: Path) -> None:
    random = Random(5)
    scene = new_scene(random)
    request = Request(
        (draw(scene, 256, 256, random),), "Describe the picture.", ImageAnalysis, Sampling(seed=1, temperature=0.0)
    )
    reports: list[str] = []

    async def run() -> tuple[ImageAnalysis, str]:
        backend = ManagedBackend(settings(tmp_path))
        try:
            await backend.ready(reports.append)
            return await backend.answer(request), backend.status().detail
        finally:
            await backend.close()

    analysis, detail = asyncio.run(run())
    assert scene.name in analysis.caption
    assert {"vLLM: loading weights", "vLLM: warming up"} & set(reports)
    until(lambda: not session(process_in(detail)))


OWNER = """\
import asyncio
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.settings import Settings
backend = ManagedBackend(Settings.load())
asyncio.run(backend.ready(lambda line: print(backend.status().detail, flush=True)))
print(backend.status().detail, flush=True)
asyncio.run(asyncio.sleep(600))
"""


def test_a_killed_owner_leaves_nothing_running(tmp_path: Path) -> None:
    values = settings(tmp_path).model_dump(include={"engine", "model", "vllm", "cache", "cache_dir"})
    environment = {f"IMG2PROMPT_{name.upper()}": str(value) for name, value in values.items()}
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as owner:
        assert owner.stdout is not None
        # By then the engine core and its worker are there, too.
        told = next(line for line in owner.stdout if re.search("loading weights|warming up|serves", line))
        leader = process_in(told)
        assert len(session(leader)) >= 2
        owner.send_signal(signal.SIGKILL)
    until(lambda: not session(leader), GONE_WITHIN_S)


def process_in(detail: str) -> int:
    """The server's process id, which is its session's too."""
    found = re.search(r"process (\d+)", detail)
    assert found
    return int(found[1])
