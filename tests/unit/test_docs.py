"""What the README and docs/ say is so: pages made from the code are current, links lead somewhere, nodes are complete,
commands and error sentences exist. Settings, plans and example files are test_docs_values.py's."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from img2prompt.cli.app import app
from img2prompt.prompts.options import MOST_PICTURES
from img2prompt.scripts import family_docs
from img2prompt.tests.unit.pages import DOCS, FENCE, PAGES, ROOT, each_page, text_of
from typer.core import TyperGroup

LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
NODES: dict[str, dict[str, Any]] = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
"""The nodes with their inputs and outputs; tests/comfyui/test_help.py holds them against the schemas."""
BETWEEN = {f"image_{number}" for number in range(2, MOST_PICTURES)}
"""Inputs of a story that stand behind the "…" of `image_1` … `image_16`."""
SHORTEST_SENTENCE = 12


def without_code(text: str) -> str:
    """A page without its fenced and indented blocks and inline code."""
    return CODE.sub("", re.sub(r"(?m)^    .*$", "", FENCE.sub("", text)))


@cache
def anchors(page: Path) -> set[str]:
    """GitHub's names for a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"(?m)^#+ +(.*?) *$", FENCE.sub("", text_of(page))):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "").lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        twins = sum(1 for known in found if re.fullmatch(rf"{re.escape(name)}(-\d+)?", known))
        found.add(f"{name}-{twins}" if twins else name)
    return found


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for link in LINK.findall(without_code(text_of(page))):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(ROOT)
        if not (inside and target.exists() and (not anchor or anchor in anchors(target))):
            wrong.append(link)
    assert wrong == []


def test_links_are_seen() -> None:
    """The finder finds: a link with brackets in its words, a picture, an anchor of its own page."""
    assert LINK.findall("a [`x[0]`](a.md#b) ![y](z.png) [own](#c)") == ["a.md#b", "z.png", "#c"]
    assert {"image--prompt", "release-prompt-engine"} <= anchors(DOCS / "nodes.md")


def test_the_front_page_links_every_page() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall(text_of(DOCS / "index.md"))}
    assert {page.name for page in DOCS.glob("*.md")} - linked == {"index.md"}


def test_the_families_page_is_current() -> None:
    assert family_docs.PAGE.read_text(encoding="utf-8") == family_docs.page(), (
        "the families or the renderer changed: read what became of docs/families.md after "
        "`.environments/dev/bin/python scripts/family_docs.py`, and commit it"
    )
    assert family_docs.page().count("\n## ") == 13  # twelve families, and the example


# Nodes


def node_section(name: str) -> str:
    """What nodes.md says under the heading of a node."""
    return text_of(DOCS / "nodes.md").partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("node", NODES.values(), ids=lambda node: node["display_name"])
def test_every_input_and_output_of_a_node_is_there(node: dict[str, Any]) -> None:
    section = node_section(node["display_name"])
    names = {*node["inputs"], *(output["name"] for output in node["outputs"].values())}
    assert {name for name in names - BETWEEN if f"`{name}`" not in section} == set()


def test_there_is_no_other_node() -> None:
    headings = re.findall(r"(?m)^## (.+)$", text_of(DOCS / "nodes.md"))
    assert set(headings) == {node["display_name"] for node in NODES.values()}


def test_every_example_workflow_is_told() -> None:
    names = {path.stem for path in (ROOT / "example_workflows").glob("*.json")}
    assert {name for name in names if f"`{name}`" not in text_of(DOCS / "getting-started.md")} == set()


# Commands


def commands_in(page: Path) -> list[list[str]]:
    """The words of each `img2prompt …` in a page's code."""
    text = text_of(page)
    lines = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    lines += CODE.findall(FENCE.sub("", text))
    found = [re.search(r"(?:^|[/ (']|\b[A-Z_0-9]+=\S+ )img2prompt ((?:[a-z]|--).*)", line) for line in lines]
    return [re.split(r"  +#|'|\)", match[1])[0].split() for match in found if match]


def command_named(words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words begin with, and the words after its name."""
    found: Any = typer.main.get_command(app)
    for place, word in enumerate(words):
        if not isinstance(found, TyperGroup):
            return found, words[place:]
        assert word in found.commands or word == "…", f"there is no command {' '.join(words[: place + 1])}"
        if word == "…":
            return found, []
        found = found.commands[word]
    return found, []


@each_page
def test_every_command_exists_with_its_options(page: Path) -> None:
    for words in commands_in(page):
        command, rest = command_named(words)
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        known |= {"--help"}
        used = {word.partition("=")[0] for word in rest if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
        assert used - known == set(), " ".join(words)


def test_every_command_is_told() -> None:
    """With its words alone in code, in the table of command-line.md."""
    main: Any = typer.main.get_command(app)
    names = [
        [name, *([inner] if inner else [])]
        for name, found in main.commands.items()
        for inner in getattr(found, "commands", {"": None})
    ]
    assert [words for words in names if words not in commands_in(DOCS / "command-line.md")] == []
    assert len(names) > 15


def test_commands_are_seen() -> None:
    assert sum(len(commands_in(page)) for page in PAGES) > 50
    assert ["engine", "status", "--connect"] in commands_in(DOCS / "rented-gpu.md")
    with pytest.raises(AssertionError, match="no command engine fly"):
        command_named(["engine", "fly"])


@each_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", text_of(ROOT / "Makefile")))
    code = [block for _, block in FENCE.findall(text_of(page))] + CODE.findall(text_of(page))
    assert {name for one in code for name in re.findall(r"(?m)^make ([a-z-]+)", one)} - targets == set()


# Error sentences


@cache
def sentences() -> tuple[str, ...]:
    """All texts in the code that are no docstring, with "\0" for what varies."""
    found: list[str] = []
    for folder in ("prompts", "engine", "captions", "evaluation", "nodes", "cli"):
        for file in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings and the like
            parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
            for node in ast.walk(tree):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(str(p.value) if isinstance(p, ast.Constant) else "\0" for p in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said | parts:
                    found.append(re.sub(r"\{\w*\}", "\0", node.value))
    return tuple(found)


def quoted() -> list[str]:
    """The sentences in the block quotes of troubleshooting.md."""
    return re.findall(r"(?m)^> (.+)$", text_of(DOCS / "troubleshooting.md"))


def is_said(quote: str) -> bool:
    """Whether some text of the code begins so; "…" stands for anything."""
    fixed = [re.escape(part) for part in quote.split("…")]
    pattern = re.compile(".*?".join(fixed) if fixed[0] else ".{0,60}?" + ".*?".join(fixed[1:]), re.DOTALL)
    return any(pattern.match(text) for text in sentences())


@pytest.mark.parametrize("quote", quoted())
def test_a_quoted_sentence_is_in_the_code(quote: str) -> None:
    assert max(map(len, quote.split("…"))) >= SHORTEST_SENTENCE
    assert is_said(quote)


def test_a_sentence_that_nobody_says_would_be_noticed() -> None:
    assert len(quoted()) > 60
    assert not is_said("No engine is set up; buy one")
    assert not is_said("… gave no answer in … hours")
