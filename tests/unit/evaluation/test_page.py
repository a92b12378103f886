"""The page: all of it in one file, nothing of what is foreign acts on it. How it looks was checked in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from img2prompt.evaluation.comparison import Comparison
from img2prompt.evaluation.page import SHOWN_EACH, as_html
from img2prompt.evaluation.scores import Outcome
from img2prompt.tests.unit.cli.stories import HOSTILE
from img2prompt.tests.unit.evaluation.sides import answered, failed, pictures, ran

ELEMENTS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "section",
        "article",
        "div",
        "h1",
        "h2",
        "h3",
    ),
    *("h4", "p", "b", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "img"),
}


class Read(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(outcome: Outcome) -> Outcome:
    assert outcome.written
    written = replace(outcome.written, prompt=HOSTILE, caption=HOSTILE, model_tags=(HOSTILE,))
    return replace(outcome, written=written, tags=frozenset({HOSTILE}))


@pytest.fixture
def made(tmp_path: Path) -> Comparison:
    """Two sides, all words of which would act on a page."""
    known = [
        replace(one, name=f"{HOSTILE}/{one.name}", tags=(HOSTILE,), caption=HOSTILE, prompt=HOSTILE)
        for one in pictures(tmp_path, 3)
    ]
    known[2].image.write_bytes(b"no picture")
    first = ran([hostile(answered(0.1)), hostile(answered(0.5)), failed(HOSTILE)])
    return Comparison(known, [first, ran([hostile(answered(0.3))] * 3, f"model={HOSTILE}")])


def test_nothing_foreign_acts(made: Comparison) -> None:
    page = as_html(made, HOSTILE)
    read = Read(page)
    assert {name for name, _ in read.elements} <= ELEMENTS
    assert {name for _, found in read.elements for name in found if name.startswith("on")} == set()
    plain = " ".join(HOSTILE.split())
    assert read.text.count(plain) > 10, "it is there to be read"
    pictures_shown = [found["src"] or "" for name, found in read.elements if name == "img"]
    assert pictures_shown and all(source.startswith("data:image/jpeg;base64,") for source in pictures_shown)
    assert re.findall(r"""(?:href|src|url|action)\s*[=(]\s*["']?(?!data:)[a-z]+:""", page) == []


def test_its_policy_allows_its_own_style_alone(made: Comparison) -> None:
    page = as_html(made, "mine.jsonl")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_it_shows_failures_and_both_ends(tmp_path: Path) -> None:
    outcomes = [answered(number / 100) for number in range(40)]
    made = Comparison(pictures(tmp_path, 41), [ran([*outcomes, failed("It broke.")])])
    read = Read(as_html(made, "mine.jsonl"))
    headings = re.findall(r"Failed \(1\)|Worst by tag F1|Best by tag F1", read.text)
    assert headings == ["Failed (1)", "Worst by tag F1", "Best by tag F1"]
    shown = re.findall(r"^(\d+)\.png$", read.text, re.MULTILINE)
    assert list(map(int, shown)) == [40, *range(SHOWN_EACH), *range(39, 39 - SHOWN_EACH, -1)]
    assert "BadAnswer: It broke." in read.text
    assert "right (1) sky" in read.text and "missed (1) tree" in read.text
    assert "not in the reference (1) bench" in read.text


def test_of_two_sides_it_shows_where_one_gains_and_loses(tmp_path: Path) -> None:
    first, other = [answered(0.5)] * 4, [answered(value) for value in (0.1, 0.9, 0.5, 0.7)]
    made = Comparison(pictures(tmp_path, 4), [ran(first), ran(other, "model=b")])
    text = Read(as_html(made, "mine.jsonl")).text
    loses, gains = text.index("Where B loses most against A, by tag F1"), text.index("Where B gains most against A")
    assert re.findall(r"^(\d)\.png$", text[loses:gains], re.MULTILINE) == ["0", "2"]
    assert re.findall(r"^(\d)\.png$", text[gains:], re.MULTILINE) == ["1", "3"]


def test_each_other_side_has_a_table_beside_the_first(tmp_path: Path) -> None:
    """Each has its own pictures in common with the first, and so its own means of the first."""
    first, b, c = ([answered(value), answered(0.8)] for value in (0.1, 0.2, 0.3))
    sides = [ran(first), ran([failed(), b[1]], "model=b"), ran(c, "model=c")]
    page = as_html(Comparison(pictures(tmp_path, 2), sides), "mine.jsonl")
    tables = re.findall(r"<table>(.*?)</table>", page)
    assert [re.findall(r"<th>(.*?)</th>", table) for table in tables] == [
        ["measure", "A", "B", "B - A [95 %]"],
        ["measure", "A", "C", "C - A [95 %]"],
    ]
    assert [re.findall(r"<td>(0\.\d+)</td>", table)[:2] for table in tables] == [["0.800"] * 2, ["0.450", "0.550"]]


def test_without_anything_to_sort_by_it_shows_the_first(tmp_path: Path) -> None:
    outcome = answered(0)
    bare = replace(outcome, scores={"answered": 1.0})
    text = Read(as_html(Comparison(pictures(tmp_path, 2), [ran([bare, bare])]), "mine.jsonl")).text
    assert "Pictures" in text and re.findall(r"^(\d)\.png$", text, re.MULTILINE) == ["0", "1"]
