"""The figures of docs/scale.md are computed from those that were measured."""

from __future__ import annotations

import pytest
from img2prompt.benchmarks.scale import RATES, hours, read, table, volume
from img2prompt.captions.on_ray import BATCH, SEGMENT, SHAPING
from img2prompt.tests.unit.pages import DOCS, ROOT, text_of

PAGE = text_of(DOCS / "scale.md")
RESULTS = ROOT / "benchmarks" / "results" / "2026-11-23-cpu-scale.json"


def test_the_table_is_computed_from_the_figures_that_it_links() -> None:
    assert f"({RESULTS.relative_to(ROOT)})" in PAGE.replace("../", "")
    assert f"\n\n{table(read(RESULTS))}\n\n" in PAGE


def test_a_driver_writes_about_so_many_a_second() -> None:
    assert 1000 / read(RESULTS).writing_ms == pytest.approx(2000, rel=0.2)
    assert "about 2,000 a second" in PAGE


def test_what_the_page_says_of_workers() -> None:
    assert f"the {BATCH} pictures of each" in " ".join(PAGE.split())
    assert f"At most {SEGMENT:,} pictures are with Ray" in PAGE
    for name in SHAPING:
        assert f"`{name}`" in PAGE or (name.endswith("_timeout_s") and "and timeouts" in PAGE)


@pytest.mark.parametrize(
    ("seconds", "text"), [(1_000_000 / max(RATES), "5.6 h"), (3600, "1 h"), (3_600_000, "1,000 h"), (36, "0.01 h")]
)
def test_hours(seconds: float, text: str) -> None:
    assert hours(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "1,000 B"), (1000, "1 kB"), (228_974e6, "230 GB"), (4.114e12, "4.1 TB"), (3e18, "3,000 PB")],
)
def test_volumes(size: float, text: str) -> None:
    assert volume(size) == text
