"""Takes the pictures that the documentation shows anew, by the browser tests: `python scripts/screenshots.py`.

Each is what a test has just run and checked, so none shows what is not there. It wants the environments of `make test`
and takes some minutes; look at each picture before you commit it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "browser"
PICTURES = ROOT / "docs" / "screenshots"
TAKEN = {
    "image_to_prompt": ("test_seeing.py", "image_to_prompt"),
    "live_text": ("test_live_text.py", "live_text_*classic*"),
    "engine_panel": ("test_engine_panel.py", "engine_panel_classic_own_awake"),
    "settings": ("test_settings_dialog.py", "settings_own"),
    "story": ("test_multi_image_story.py", "multi_image_story_classic"),
    "read_prompt": ("test_read_prompt.py", "read_prompt_classic_run"),
}
"""The picture's name in the documentation: which test takes it, and how its file is called there."""
COLORS = 256
"""Of a screenshot: a third of the bytes, and nobody sees the difference."""


def main() -> int:
    files = sorted({str(TESTS / test) for test, _ in TAKEN.values()})
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", *files, f"--screenshots={folder}", "--timeout=900"]
        if status := subprocess.run(command, cwd=ROOT, check=False).returncode:
            return status
        for name, (_, pattern) in TAKEN.items():
            taken = sorted(Path(folder).glob(f"{pattern}.png"))[0]
            Image.open(taken).convert("RGB").quantize(COLORS).save(PICTURES / f"{name}.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
