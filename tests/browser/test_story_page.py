"""The storyboard page in a real browser, opened from a file: it is looked at and copied from, and does nothing else."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from img2prompt.cli.story_formats import Told
from img2prompt.cli.story_page import Shots, as_html
from img2prompt.engine.pictures import open_picture
from img2prompt.prompts import render_story
from img2prompt.tests.unit.cli.stories import HOSTILE, PHOTOS, story
from playwright.sync_api import Browser, Page

BOARD = render_story(story(), "sdxl")
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a story whose third beat has words that would act on a page."""
    first, second, third, last = BOARD.panels
    panels = (first, second, replace(third, title=HOSTILE, happens=HOSTILE, prompt=HOSTILE), last)
    told = Told(story(), replace(BOARD, panels=panels), "sdxl", "endpoint", PHOTOS, "English", Path())
    path = tmp_path_factory.mktemp("story") / "story.html"
    path.write_text(as_html(told, Shots.of(map(open_picture, PHOTOS))), encoding="utf-8")
    return path


@pytest.fixture(params=LOOKS)
def page(browser: Browser, file: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page in one scheme and width. It asks for nothing over the network, and nothing goes wrong in it."""
    wrong: list[str] = []
    with browser.new_context(**LOOKS[request.param], permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda asked: wrong.append(asked.url) if asked.url.startswith("http") else None)
        page.goto(file.as_uri())
        yield page
    assert wrong == []


def test_it_is_looked_at_and_copied_from(
    page: Page, request: pytest.FixtureRequest, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    folder = Path(pytestconfig.getoption("--screenshots") or tmp_path)
    page.screenshot(path=folder / f"story_page_{request.node.callspec.params['page']}.png", full_page=True)
    assert page.locator("article img").evaluate_all("all => all.every(one => one.naturalWidth > 300)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out at the side"

    page.get_by_role("button", name="Copy prompt 3").click()
    page.get_by_role("status").filter(has_text="Prompt 3 copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == HOSTILE

    page.get_by_role("button", name="Copy all prompts").click()
    page.get_by_role("status").filter(has_text="All 4 prompts copied.").wait_for()
    prompts = [panel.prompt for panel in BOARD.panels]
    prompts[2] = HOSTILE
    assert page.evaluate("navigator.clipboard.readText()").splitlines() == prompts

    region = page.get_by_role("button", name="Copy region 1 A")
    assert not region.is_visible()
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")  # no mouse is needed
    region.focus()
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="Region 1 A copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == BOARD.panels[0].regions[0].prompt


def test_where_the_clipboard_is_denied_the_old_way_copies(browser: Browser, file: Path) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script("navigator.clipboard.writeText = async () => { throw new Error('denied') }")
        page.goto(file.as_uri())
        page.get_by_role("button", name="Copy prompt 1").click()
        page.get_by_role("status").filter(has_text="Prompt 1 copied.").wait_for()


@pytest.mark.parametrize("policy", ["its own", "none"])
def test_nothing_else_runs_or_loads_on_it(browser: Browser, file: Path, tmp_path: Path, policy: str) -> None:
    """Even where words got into the page as they are, its policy stops them; without it they would act."""
    text = file.read_text(encoding="utf-8")
    if policy == "none":
        text = re.sub(r"<meta http-equiv=[^>]*>", "", text)
    with socket.create_server(("127.0.0.1", 0)) as listening, browser.new_context() as context:
        listening.settimeout(0 if policy == "its own" else 10)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/x.png"
        evil = f"<script>window.evil = 1</script><img src='data:,' onerror='window.worse = 1'><img src='{address}'>"
        broken = tmp_path / "broken.html"
        broken.write_text(text.replace("<main>", f"<main>{evil}"), encoding="utf-8")
        page = context.new_page()
        page.goto(broken.as_uri(), wait_until="load" if policy == "its own" else "domcontentloaded")
        page.get_by_role("button", name="Copy prompt 1").click()  # its own script runs
        page.get_by_role("status").filter(has_text="copied").wait_for()
        acted = page.evaluate("[window.evil, window.worse]")
        if policy == "its own":
            assert acted == [None, None]
            with pytest.raises(BlockingIOError):
                listening.accept()
        else:
            assert acted == [1, 1]
            listening.accept()[0].close()
