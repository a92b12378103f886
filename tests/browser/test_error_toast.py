"""A node that fails says in a toast what to do next; and the sockets of an engine have a colour of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from img2prompt.tests.browser.conftest import FRONT_ENDS, QUEUE, choose_view
from img2prompt.tests.browser.example import saved
from img2prompt.tests.comfyui.graphs import describe, with_engine
from img2prompt.tests.comfyui.server import ComfyServer, free_port
from img2prompt.tests.seeing import draw
from playwright.sync_api import Page, expect

PLACES = {"load0": (0, 80), "engine": (0, 480), "prompt": (380, 80)}
TOASTS = ".p-toast-message, [data-testid=toast], [data-sonner-toast], [role=region] li"
BOTH = pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)


@BOTH
def test_a_stopped_endpoint_is_told_once_with_the_next_step(page: Page, comfyui: ComfyServer) -> None:
    file = comfyui.upload_image("toast.png", draw("green", size=(320, 240)))
    stopped = f"http://127.0.0.1:{free_port()}/v1"
    workflow = saved(page, with_engine(describe(file, seed=960), endpoint=stopped), PLACES)
    page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    toast = page.locator(TOASTS).filter(has_text=stopped)

    def failed() -> dict[str, Any]:
        kind, data = page.evaluate(QUEUE)
        assert kind == "execution_error"
        expect(toast).to_have_count(1)
        expect(toast).to_contain_text(data["exception_message"].strip())
        expect(toast).to_contain_text("Image → Prompt")
        return data

    failed()
    data = failed()
    page.evaluate("detail => app.api.dispatchCustomEvent('execution_error', detail)", {**data, "node_type": "KSampler"})
    expect(toast).to_have_count(1)


@BOTH
@pytest.mark.usefixtures("light")
def test_the_sockets_of_an_engine_keep_their_colour(page: Page) -> None:
    choose_view(page, "nodes-2.0")
    color = "app.canvas.default_connection_color_byType['IMG2PROMPT_ENGINE']"
    own = page.evaluate(color)
    assert own
    page.wait_for_function(f"() => {color} === '{own}'")
    assert page.evaluate("app.canvas.constructor.link_type_colors['IMG2PROMPT_ENGINE']") == own
    variable = "getComputedStyle(document.body).getPropertyValue('--color-datatype-IMG2PROMPT_ENGINE').trim()"
    assert page.evaluate(variable) == own
    assert page.evaluate("app.canvas.default_connection_color_byType['IMAGE']") not in ("", own)


@pytest.fixture
def light(page: Page) -> Iterator[None]:
    """The light theme, which ComfyUI's server would keep for the tests after this one."""
    theme = "theme => app.ui.settings.setSettingValueAsync('Comfy.ColorPalette', theme)"
    page.evaluate(theme, "light")
    yield
    page.evaluate(theme, "dark")
