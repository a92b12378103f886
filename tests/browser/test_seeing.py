"""The example workflow in the browser on the real vLLM; its picture is the README's."""

from __future__ import annotations

from random import Random

import pytest
from img2prompt.tests.browser.conftest import RunWorkflow, Screenshot
from img2prompt.tests.browser.example import SHOWN, small_example
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing_model.scenes import Scene, draw
from playwright.sync_api import Page

STAR = Scene(color="purple", shape="star", background="yellow", x=0.5, y=0.5, radius=0.36)


@pytest.fixture(scope="session")
def comfyui(seeing_comfyui: ComfyServer) -> ComfyServer:
    """In this module the page is that of a ComfyUI on the real vLLM."""
    return seeing_comfyui


def test_a_person_sees_what_the_model_saw(
    page: Page, comfyui: ComfyServer, run_workflow: RunWorkflow, screenshot: Screenshot
) -> None:
    comfyui.upload_image("example.png", draw(STAR, 512, 512, Random(1)))
    kind, data = run_workflow(small_example())
    assert kind == "execution_success", data
    page.wait_for_function(f"() => {SHOWN}.value.includes('purple star')")
    screenshot("image_to_prompt", height=860)
