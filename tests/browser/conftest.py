"""ComfyUI's interface in Debian's Chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from img2prompt.scripts.samples import NEWER_FRONT_END

if TYPE_CHECKING:
    from img2prompt.tests.comfyui.server import ComfyServer
    from img2prompt.tests.conftest import StartComfyUI
    from img2prompt.tests.seeing_server import SeeingServer
    from playwright.sync_api import Browser, ConsoleMessage, Page

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 60_000
"""The page is ready in 2 to 7 s, in 14 s on busy cores."""

READY = "() => window.app?.extensionManager?.workflow?.activeWorkflow"
QUEUE = """async () => {
  const end = new Promise(resolve => {
    for (const type of ['execution_success', 'execution_error', 'execution_interrupted'])
      app.api.addEventListener(type, event => resolve([type, event.detail]), {once: true});
  });
  await app.queuePrompt(0, 1);  // its value does not tell whether the server took it
  const errors = app.lastNodeErrors;
  return errors && Object.keys(errors).length ? ['rejected', errors] : await end;
}"""

NOT_OURS = ("https://api.comfy.org", "Failed to load resource", "JobsApiError")
"""ComfyUI's own errors: its registry, which its page may not ask here, files that a fresh user does not have, and what
newer front ends ask of a server that is older."""
VIEW = """() => {
  const least = axis => app.graph._nodes.map(node => node.pos[axis]).sort((a, b) => a - b)[0] ?? 0;
  Object.assign(app.canvas.ds, {scale: 0.7, offset: [110 - least(0), 200 - least(1)]});
  app.canvas.setDirty(true, true);
}"""
"""The graph's left top corner, clear of the bars."""

FRONT_ENDS = ["", NEWER_FRONT_END]
"""For `@pytest.mark.parametrize("comfyui", FRONT_ENDS, indirect=True)`: ComfyUI's own interface, and a newer one."""
VIEWS = ["classic", "nodes-2.0"]

RunWorkflow = Callable[[dict[str, Any]], tuple[str, Any]]
Screenshot = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def chromium() -> str:
    """The browser's program; asked for first, before any server is started for nothing."""
    program = shutil.which("chromium")
    if program:
        return program
    why = "Did not run: there is no chromium program; install Debian's package chromium (make test does where it may)."
    if os.environ.get("CI") == "true":
        pytest.fail(why)  # CI must not pass for want of a browser
    pytest.skip(why)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Closed with the module: while playwright is open its event loop runs here, and no other can."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def comfyui(request: pytest.FixtureRequest, start_comfyui: StartComfyUI, session_endpoint: SeeingServer) -> ComfyServer:
    """As that of tests/conftest.py; with one of FRONT_ENDS where the test is parametrized so."""
    return start_comfyui({"IMG2PROMPT_ENDPOINT": session_endpoint.url}, getattr(request, "param", ""))


def choose_view(page: Page, view: str) -> None:
    """Show nodes in one of VIEWS from now on."""
    page.evaluate("on => app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', on)", view != "classic")


@pytest.fixture
def language() -> str:
    """The browser's, which the interface takes for a fresh user's. A test of another one is parametrized by it."""
    return "en-US"


@contextmanager
def opened(browser: Browser, url: str, language: str = "en-US") -> Iterator[Page]:
    """The page of a fresh user of the ComfyUI at `url`, ready for work."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale=language)
    context.add_init_script("localStorage.setItem('vueNodesBannerDismissed', 'true')")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(url, wait_until="domcontentloaded")
    page.wait_for_function(READY)
    yield page
    context.close()


@pytest.fixture
def page(browser: Browser, comfyui: ComfyServer, language: str) -> Iterator[Page]:
    """ComfyUI's page of a fresh user, ready for work."""
    with opened(browser, comfyui.url, language) as page:
        yield page


def errors_in(page: Page) -> list[str]:
    """What goes wrong in the page from now on, as its console tells it: a list that grows."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in NOT_OURS):
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


@pytest.fixture
def console_errors(page: Page) -> list[str]:
    """What goes wrong in the test's page from now on."""
    return errors_in(page)


@pytest.fixture
def run_workflow(page: Page) -> RunWorkflow:
    """Loads a workflow file's content into the page, queues it, and returns how it ended: ("execution_success" |
    "execution_error" | "execution_interrupted" | "rejected", its data)."""

    def run(workflow: dict[str, Any]) -> tuple[str, Any]:
        page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        kind, data = page.evaluate(QUEUE)
        return kind, data

    return run


@pytest.fixture
def screenshot(page: Page, request: pytest.FixtureRequest, tmp_path: Path) -> Screenshot:
    """Saves what the page shows, so many pixels of it, as NAME.png, in the folder given with --screenshots."""
    folder = Path(request.config.getoption("--screenshots") or tmp_path)

    def save(name: str, height: int = 640) -> None:
        page.set_viewport_size({"width": 1600, "height": height})
        page.evaluate(VIEW)
        page.wait_for_timeout(500)  # the canvas is drawn a few frames later
        page.screenshot(path=folder / f"{name}.png")

    return save
