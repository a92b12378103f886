"""Pictures that no ComfyUI node of its own can make, given to Image → Prompt as ComfyUI calls it."""

from __future__ import annotations

import asyncio
import math

import pytest
import torch
from img2prompt.engine.shared import close_engines
from img2prompt.nodes.image_to_prompt import ImageToPrompt
from img2prompt.prompts.errors import PictureError
from img2prompt.tests.comfyui.graphs import DEFAULTS


@pytest.fixture(autouse=True)
def sketch(monkeypatch: pytest.MonkeyPatch):
    close_engines()
    monkeypatch.setenv("IMG2PROMPT_ENGINE", "sketch")
    yield
    close_engines()


def run(image: torch.Tensor) -> list[str]:
    """The prompts for a batch, as ComfyUI's executor gets them."""
    from comfy_api.latest import io
    from comfy_execution.utils import CurrentNodeContext

    async def execute() -> list[str]:
        node = ImageToPrompt.PREPARE_CLASS_CLONE({io.Hidden.unique_id: "1"})
        with CurrentNodeContext("a prompt", "1", 0):
            given = {"image": image, **DEFAULTS}  # in lists of one, since the node takes lists
            output = await node.EXECUTE_NORMALIZED_ASYNC(**{name: [value] for name, value in given.items()})
        return output.args[0]

    return asyncio.run(execute())


@pytest.mark.parametrize("shape", [(1, 48, 64, 3), (1, 48, 64, 4), (1, 48, 64, 1), (1, 1, 1, 3), (2, 64, 1, 3)])
def test_odd_but_good_pictures(shape: tuple[int, ...]) -> None:
    prompts = run(torch.full(shape, 0.0))
    assert len(prompts) == shape[0]
    assert all(("white" if shape[3] == 4 else "black") in prompt for prompt in prompts)


def test_a_hundred_megapixels() -> None:
    (prompt,) = run(torch.zeros(1, 1, 1, 3).expand(1, 10_000, 10_000, 3))
    assert "black" in prompt


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (torch.zeros(0, 8, 8, 3), "empty"),
        (torch.zeros(1, 8, 8, 3).fill_(math.nan), "NaN"),
        (torch.full((1, 8, 8, 3), 255.0), "0–1"),
        (torch.cat([torch.zeros(2, 8, 8, 3), torch.full((1, 8, 8, 3), -1.0)]), "Picture 3 of 3: "),
    ],
)
def test_what_cannot_be_looked_at_is_an_error(image: torch.Tensor, says: str) -> None:
    with pytest.raises(PictureError, match=says):
        run(image)
