"""The pages that tests hold to the code: the README and docs/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def each_page(test: Any) -> Any:
    """Runs a test for each of them."""
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)(test)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")
