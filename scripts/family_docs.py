"""Write docs/families.md from the families' own files: `python scripts/family_docs.py`. A test holds it current.

Needs the package installed (as in .environments/dev).
"""

from __future__ import annotations

from pathlib import Path

from img2prompt.prompts import Family, load_family, read_analysis, render
from img2prompt.prompts.catalogue import FAMILIES
from img2prompt.prompts.chunks import clip_chunks

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "astronaut.json"
PAGE = ROOT / "docs" / "families.md"
ORDER = (
    *("sd15", "sdxl", "pony", "illustrious", "noobai", "animagine4"),
    *("sd35", "flux1", "flux2", "chroma", "qwen-image", "z-image"),
)
ENCODERS = {"clip": "CLIP", "t5": "T5", "qwen": "Qwen", "mistral": "Mistral"}
HEAD = """# Model families

What each family wants of a prompt, where that is known from, and what one and the same picture becomes for each. This
page is made from [`prompts/families/*.toml`](../prompts/families) by `scripts/family_docs.py`; a test holds it current.

Your own family is one more such file, in the folder `families` beside your `settings.toml` (on Linux
`~/.config/img2prompt/families/mine.toml`, with `name = "mine"`): copy the nearest one here and change it. It is in the
node's list at the next refresh (press *R* in ComfyUI). A file with a mistake is listed, too, and says what is wrong
when it is used; one with the name of a family here takes its place. Beside it, `vocabulary/*.csv` (lines of
`tag,category,count,"aliases"`, as in a1111-sd-webui-tagcomplete's danbooru.csv) adds Danbooru tags and aliases.

| family | form | counted in | tokens | weights | negative |
|---|---|---|---|---|---|
"""
EXAMPLE_HEAD = """
## One picture for all twelve

![The astronaut Eileen Collins](examples/astronaut.jpg)

The analysis is [`examples/astronaut.json`](examples/astronaut.json), written by hand as the model would fill it in.
Each prompt below is `img2prompt render docs/examples/astronaut.json --family …`, without any further option. Where CLIP
reads it in more than one chunk, the chunks are counted: the first has what tells most, each is in the family's order,
and `(tag:1.0)`, which changes no weight, keeps a tag from being cut where a chunk ends.
"""


def facts_row(family: Family) -> str:
    """The family's line in the table."""
    form = "Danbooru tags" if family.vocabulary == "danbooru" else {"tags": "tags", "prose": "sentences"}[family.form]
    if family.details == "phrases":
        form += ", then phrases with periods"
    link = f"[{family.title}](#{anchor(family)})"
    weights, negative = ("yes" if it else "no" for it in (family.weights_allowed, family.negative))
    return (
        f"| {link} (`{family.name}`) | {form} | {ENCODERS[family.encoder]} | {family.budget} | {weights} | {negative} |"
    )


def anchor(family: Family) -> str:
    """GitHub's name for the family's heading."""
    return "".join(c for c in family.title.lower().replace(" ", "-") if c.isalnum() or c == "-")


def section(family: Family) -> str:
    """The family's own part: its notes, facts and sources."""
    lines = [f"## {family.title}", "", family.notes, "", f"- **Order**: {', '.join(family.order)}"]
    for name in ("prefix", "suffix", "negative", "negative_without_animals"):
        if words := getattr(family, name):
            lines.append(f"- **{name.replace('_', ' ').capitalize()}**: {', '.join(words)}")
    for name in ("rating", "source"):
        if table := getattr(family, name):
            lines.append(f"- **{name.capitalize()}**: {', '.join(f'{key} → {word}' for key, word in table.items())}")
    sources = [f"{claim} ({', '.join(map(linked, found))})" for claim, found in family.sources.items()]
    return "\n".join([*lines, f"- **Sources**: {'; '.join(sources)}"])


def linked(source: str) -> str:
    """A source as Markdown."""
    return f"<{source}>" if source.startswith("https://") else source


def example(family: Family) -> str:
    """What the example becomes for a family."""
    prompt = render(read_analysis(EXAMPLE.read_text(encoding="utf-8")), family)
    chunks = len(clip_chunks(prompt.positive)) if family.encoder == "clip" else 1
    spread = f" in {chunks} chunks" if chunks > 1 else ""
    parts = [
        f"### {family.title}: {prompt.tokens} of {prompt.budget} tokens{spread}",
        "",
        "```text",
        prompt.positive,
        "```",
    ]
    if prompt.negative:
        parts += ["", "Negative:", "", "```text", prompt.negative, "```"]
    return "\n".join(parts)


def page() -> str:
    """The whole page."""
    families = [load_family(FAMILIES / f"{name}.toml") for name in ORDER]  # not the developer's own
    parts = [
        HEAD + "\n".join(map(facts_row, families)),
        *map(section, families),
        EXAMPLE_HEAD.strip(),
        *map(example, families),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
