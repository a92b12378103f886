"""A model family of the user's own in a real ComfyUI: listed at a refresh, used, edited, and broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from img2prompt.tests.comfyui.graphs import NODE, describe
from img2prompt.tests.comfyui.server import ComfyServer, Rejected
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer

MINE = """
name = "mine"
title = "Mine"
form = "tags"
encoder = "clip"
budget = 75
order = ["general"]
prefix = ["mystyle"]
weights_allowed = true
"""


@pytest.fixture
def folder(comfyui: ComfyServer) -> Iterator[Path]:
    """The user's own folder of families, empty."""
    folder = comfyui.base / "families"
    folder.mkdir()
    yield folder
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@pytest.fixture
def picture(comfyui: ComfyServer) -> str:
    return comfyui.upload_image("families-red.png", draw("red"))


def listed(comfyui: ComfyServer, node: str) -> list[str]:
    """The families in a node's list, as the front end gets them at a refresh."""
    kind, options = comfyui.get(f"/object_info/{node}")[node]["input"]["required"]["family"]
    return options["options"] if kind == "COMBO" else kind


def test_a_family_of_ones_own_is_listed_used_and_read_again(
    comfyui: ComfyServer, endpoint: SeeingServer, picture: str, folder: Path
) -> None:
    assert len(listed(comfyui, NODE)) == 12
    (folder / "mine.toml").write_text(MINE)
    for node in (NODE, "Img2Prompt_RenderPrompt", "Img2Prompt_MixPrompt"):
        assert "mine" in listed(comfyui, node)
    graph = describe(picture, family="mine")
    assert comfyui.run(graph).outputs["prompt"]["text"] == ["mystyle, red center, white border"]
    (folder / "mine.toml").write_text(MINE.replace("mystyle", "otherstyle"))
    assert comfyui.run(graph).outputs["prompt"]["text"] == ["otherstyle, red center, white border"]


def test_a_broken_family_is_listed_and_says_what_is_wrong(
    comfyui: ComfyServer, endpoint: SeeingServer, picture: str, folder: Path
) -> None:
    (folder / "mine.toml").write_text(MINE.replace("budget = 75", 'budget = "many"'))
    assert "mine" in listed(comfyui, NODE)
    outcome = comfyui.run(describe(picture, family="mine"))
    assert outcome.error.startswith(f"In the family file {folder / 'mine.toml'}, budget is wrong")
    assert not outcome.outputs and endpoint.counts.requests == 0


def test_a_family_that_went_away_is_refused(comfyui: ComfyServer, endpoint, picture: str, folder: Path) -> None:
    with pytest.raises(Rejected, match="There is no model family 'mine'"):
        comfyui.run(describe(picture, family="mine"))


def test_emphasis_and_unknown_tags_reach_the_prompt(comfyui: ComfyServer, endpoint: SeeingServer, picture: str) -> None:
    kept = comfyui.run(describe(picture, family="noobai", seed=77)).outputs["prompt"]["text"][0]
    dropped = comfyui.run(describe(picture, family="noobai", seed=77, unknown_tags="drop")).outputs["prompt"]["text"][0]
    assert "red center" in kept and "red center" not in dropped
