"""Pictures that the model on the real vLLM has not seen."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random

import pytest
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing_model.scenes import Scene, draw, new_scene

UNSEEN = 20_261_122
"""The first seed of the pictures drawn here. Training draws its pictures with one seed of its own."""

DrawUnseen = Callable[[int, tuple[int, int]], list[tuple[Scene, str]]]


@pytest.fixture(scope="session")
def draw_unseen(seeing_comfyui: ComfyServer) -> DrawUnseen:
    """Draws and uploads so many new pictures of one size: what each shows, and its name in the input folder."""
    seeds = count(UNSEEN)

    def upload(seed: int, size: tuple[int, int]) -> tuple[Scene, str]:
        chance = Random(seed)
        scene = new_scene(chance)
        return scene, seeing_comfyui.upload_image(f"{seed}.png", draw(scene, *size, chance))

    return lambda number, size: [upload(next(seeds), size) for _ in range(number)]
