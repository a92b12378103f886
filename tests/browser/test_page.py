"""The ground that the other browser tests stand on: the interface comes up and knows the nodes' part."""

from __future__ import annotations

import pytest
from img2prompt.scripts.comfyui import PACK
from img2prompt.tests.browser.conftest import FRONT_ENDS
from img2prompt.tests.comfyui.server import ComfyServer
from playwright.sync_api import Page


@pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)
def test_the_page_comes_up_without_a_dialog(page: Page) -> None:
    page.locator("[data-testid=queue-button]").wait_for()
    assert page.locator("[role=dialog]").count() == 0


def test_the_packs_scripts_are_served(page: Page, comfyui: ComfyServer) -> None:
    scripts = [path for path in comfyui.get("/extensions") if path.startswith(f"/extensions/{PACK}/")]
    assert scripts
    for script in scripts:
        assert page.request.get(comfyui.url + script).ok
