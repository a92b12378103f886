"""The engine's settings in ComfyUI's own settings dialog: what is shown, what stands in the file then, and that no API
key comes back."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from img2prompt.scripts.samples import NEWER_FRONT_END
from img2prompt.tests.browser.conftest import Screenshot
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.conftest import StartComfyUI
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.waiting import until
from playwright.sync_api import Locator, Page, Response, expect

KEY = "sk-very-secret-a47f"
THERE = "http://127.0.0.1:9/v1"
FREE, FIXED = ("", False), (NEWER_FRONT_END, True)
"""The front end, and whether the environment sets the endpoint."""


@pytest.fixture
def comfyui(
    request: pytest.FixtureRequest, start_comfyui: StartComfyUI, session_endpoint: SeeingServer
) -> Iterator[ComfyServer]:
    """A ComfyUI with a settings file; without one after the test."""
    front_end, fixed = request.param
    server = start_comfyui({"IMG2PROMPT_ENDPOINT": session_endpoint.url} if fixed else {}, front_end)
    server.settings_file.write_text(f'# mine\nendpoint = "{session_endpoint.url}"\n')
    yield server
    server.settings_file.unlink()


@pytest.fixture
def heard(page: Page) -> list[str]:
    """The bodies of all that the page is answered."""
    bodies: list[str] = []

    def note(response: Response) -> None:
        if response.request.resource_type in ("fetch", "xhr"):
            bodies.append(response.text())

    page.on("response", note)
    return bodies


def open_settings(page: Page) -> None:
    page.evaluate("() => app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
    page.get_by_role("dialog").get_by_text("Img2Prompt", exact=True).first.click()
    expect(field(page, "Endpoint")).to_be_visible()


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("dialog").get_by_label(label, exact=True).and_(page.locator("input, select"))


def kept(comfyui: ComfyServer) -> dict[str, object]:
    return tomllib.loads(comfyui.settings_file.read_text())


@pytest.mark.parametrize("comfyui", [FREE], indirect=True, ids=["own"])
def test_what_is_typed_stands_in_the_file(
    page: Page,
    comfyui: ComfyServer,
    endpoint: SeeingServer,
    heard: list[str],
    console_errors: list[str],
    screenshot: Screenshot,
) -> None:
    open_settings(page)
    expect(field(page, "Endpoint")).to_have_value(endpoint.url)
    expect(field(page, "Pixel budget")).to_have_value("1048576")
    expect(field(page, "Leave the GPU")).to_have_value("when VRAM is needed")

    key = field(page, "API key")
    key.fill(KEY)
    key.press("Enter")
    expect(key).to_have_value("")
    expect(key).to_have_attribute("placeholder", "A key is set; type another to replace it.")
    field(page, "Pixel budget").fill("500000")
    field(page, "Pixel budget").press("Tab")
    field(page, "Leave the GPU").select_option("keep")
    wanted = {"endpoint": endpoint.url, "api_key": KEY, "max_pixels": 500000, "release": "keep"}
    until(lambda: kept(comfyui) == wanted)
    screenshot("settings_own")

    field(page, "Pixel budget").fill("7")
    field(page, "Pixel budget").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The pixel budget (max_pixels) must be")
    field(page, "Endpoint").fill(THERE)
    field(page, "Endpoint").press("Enter")
    expect(dialog).to_contain_text("The API key was removed: it belonged to the other server.")
    screenshot("settings_own_moved")
    assert kept(comfyui) == {"endpoint": THERE, "max_pixels": 500000, "release": "keep"}
    assert comfyui.settings_file.read_text().startswith("# mine\n")

    assert heard and KEY not in "".join(heard)
    user = (comfyui.base / "user" / "default" / "comfy.settings.json").read_text()
    assert "Img2Prompt" not in user + page.evaluate("() => JSON.stringify(localStorage)")
    assert console_errors == []


@pytest.mark.parametrize("comfyui", [FIXED], indirect=True, ids=["newer"])
def test_what_the_environment_sets_is_shown_and_cannot_be_changed(
    page: Page,
    comfyui: ComfyServer,
    endpoint: SeeingServer,
    heard: list[str],
    console_errors: list[str],
    screenshot: Screenshot,
) -> None:
    open_settings(page)
    expect(field(page, "Endpoint")).to_have_value(endpoint.url)
    expect(field(page, "Endpoint")).to_be_disabled()
    expect(page.get_by_role("dialog")).to_contain_text("Set by the environment variable IMG2PROMPT_ENDPOINT.")
    key = field(page, "API key")
    key.fill(KEY)
    key.press("Enter")
    expect(key).to_have_attribute("placeholder", "A key is set; type another to replace it.")
    assert kept(comfyui)["api_key"] == KEY
    screenshot("settings_newer")
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(key).to_have_attribute("placeholder", "No key is set.")
    assert kept(comfyui) == {"endpoint": endpoint.url}
    assert heard and KEY not in "".join(heard)
    assert console_errors == []
