"""What the pack costs ComfyUI's page: the bytes of its scripts, and processor time per second while nothing happens.

    python -m img2prompt.benchmarks.front_end [--seconds 5] [--rounds 3]

It starts ComfyUI and the Chromium on PATH, opens one page with the pack's scripts and nodes and one without the scripts
(the requests for them are refused), and measures them in turns, in both of ComfyUI's views. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..scripts.comfyui import PACK
from ..tests.browser.conftest import ARGUMENTS, READY, TIMEOUT_MS, VIEWS
from ..tests.comfyui.server import ComfyServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCRIPTS = Path(__file__).resolve().parent.parent / "web" / "js"
BYTES_BEFORE = 9446
"""Of the scripts, before there was anything to look at on the nodes."""
METRICS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
BUILD = """async view => {
  await app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', view !== 'classic');
  app.graph.clear();
  const types = ['LoadImage', 'Img2Prompt_ImageToPrompt', 'Img2Prompt_ImageToText', 'Img2Prompt_PromptEngine'];
  for (const [at, type] of types.entries()) {
    const node = LiteGraph.createNode(type);
    app.graph.add(Object.assign(node, {pos: [40 + 420 * (at % 3), 80 + 700 * (at > 2)]}));
    node.onExecuted?.({text: ['a prompt '.repeat(60)]});
  }
  Object.assign(app.canvas.ds, {scale: 0.6, offset: [100, 60]});
  app.canvas.setDirty(true, true);
}"""
FRAMES = """seconds => new Promise(resolve => {
  const end = performance.now() + 1000 * seconds;
  let frames = 0;
  const count = now => now < end ? (frames += 1, requestAnimationFrame(count)) : resolve(frames / seconds);
  requestAnimationFrame(count);
})"""
WITH, WITHOUT = "with the scripts", "without"


def opened(browser: Browser, comfyui: ComfyServer, *, scripts: bool) -> Page:
    """ComfyUI's page, with or without the pack's scripts; its nodes are there in any case."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    if not scripts:
        page.route(f"**/extensions/{PACK}/**", lambda route: route.abort())
    page.goto(comfyui.url, wait_until="domcontentloaded")
    page.wait_for_function(READY)
    return page


def idle(page: Page, seconds: float) -> dict[str, float]:
    """Milliseconds of the processor's time per second, by what they went to, and frames per second."""
    page.bring_to_front()
    page.wait_for_timeout(1000)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def read() -> dict[str, float]:
        return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}

    before = read()
    frames = page.evaluate(FRAMES, seconds)
    after = read()
    session.detach()
    taken_s = after["Timestamp"] - before["Timestamp"]
    return {name: 1000 * (after[name] - before[name]) / taken_s for name in METRICS} | {"frames": frames}


def measured(browser: Browser, comfyui: ComfyServer, seconds: float, rounds: int) -> dict[str, Any]:
    """For each view, the medians of the rounds with and without, and all rounds of what they took together."""
    pages = {WITH: opened(browser, comfyui, scripts=True), WITHOUT: opened(browser, comfyui, scripts=False)}
    found: dict[str, Any] = {}
    for view in VIEWS:
        for page in pages.values():
            page.evaluate(BUILD, view)
        taken: dict[str, list[dict[str, float]]] = {which: [] for which in pages}
        for _ in range(rounds):
            for which, page in pages.items():
                taken[which].append(idle(page, seconds))
        found[view] = {
            which: {name: round(statistics.median(one[name] for one in runs), 2) for name in runs[0]}
            | {"TaskDuration_all": [round(one["TaskDuration"], 2) for one in runs]}
            for which, runs in taken.items()
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turns")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    sizes = {path.name: path.stat().st_size for path in sorted(SCRIPTS.glob("*.js"))}
    total = sum(sizes.values())
    report: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "bytes": {**sizes, "all": total, "more_than_before": total - BYTES_BEFORE},
        "idle": "milliseconds of the processor's time per second; medians of the rounds",
        "seconds": options.seconds,
        "rounds": options.rounds,
    }
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        comfyui = ComfyServer(Path(folder), {})
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        try:
            report["views"] = measured(browser, comfyui, options.seconds, options.rounds)
        finally:
            browser.close()
            comfyui.stop()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
