"""ComfyUI's interface in Debian's Chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from img2prompt.tests.comfyui.server import ComfyServer
    from playwright.sync_api import Browser, Page

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

RunWorkflow = Callable[[dict[str, Any]], tuple[str, Any]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed with the module: while playwright is open its event loop runs here, and no other can."""
    chromium = shutil.which("chromium")
    if not chromium:
        why = "there is no chromium program; install Debian's package chromium (make test does where it may)"
        # CI must not pass for want of a browser.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"Did not run: {why}.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, comfyui: ComfyServer) -> Iterator[Page]:
    """ComfyUI's page of a fresh user, ready for work."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script("localStorage.setItem('vueNodesBannerDismissed', 'true')")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(comfyui.url, wait_until="domcontentloaded")
    page.wait_for_function(READY)
    yield page
    context.close()


@pytest.fixture
def run_workflow(page: Page) -> RunWorkflow:
    """Loads a workflow file's content into the page, queues it, and returns how it ended: ("execution_success" |
    "execution_error" | "execution_interrupted" | "rejected", its data)."""

    def run(workflow: dict[str, Any]) -> tuple[str, Any]:
        page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        kind, data = page.evaluate(QUEUE)
        return kind, data

    return run
