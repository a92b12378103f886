"""`img2prompt read FILES…`: the prompts that picture files carry, and how the pictures were made. It asks no model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..prompts.errors import RecoverError
from .console import Format, put, put_json, say
from .embedded import as_json, safe

if TYPE_CHECKING:
    from ..prompts import Lora, NodeRef, Parameters, Recovered, RecoveredPrompt

MOST_OTHER_CHARACTERS = 200
"""Of a value that only its generator knows, as text; JSON has all of it."""


def read(
    files: Annotated[list[Path], typer.Argument(help="PNG, JPEG or WebP files.", show_default=False)],
    stealth: Annotated[
        bool, typer.Option(help="Search the pixels, too, where a file's headers tell nothing (NovelAI hides it there).")
    ] = True,
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.text,
) -> None:
    """Print the prompts that files carry, exactly as they have them, and how the pictures were made.

    Exit code 1 if a file could not be read; that one carries no prompt is no failure.
    """
    from ..prompts import recover

    rows: list[dict[str, object]] = []
    failed = False
    for file in files:
        found, problem = None, ""
        try:
            found = recover(file, stealth=stealth)
        except RecoverError as error:
            failed, problem = True, safe(str(error))
            say(problem)
        if output is Format.json:
            rows.append(_row(file, found, problem))
        elif not problem:
            put("\n".join(_told(file, found)))
    if output is Format.json:
        put_json(rows)
    if failed:
        raise typer.Exit(1)


def _row(file: Path, found: Recovered | None, problem: str) -> dict[str, object]:
    """What `--format json` tells of one file; its keys are stable, those of `Recovered` among them."""
    from ..prompts import Recovered

    known = found or Recovered("")
    told = as_json(known)
    assert isinstance(told, dict)
    return {
        "image": str(file).encode("utf-8", "replace").decode("utf-8"),
        "found": bool(known.positive),
        "error": problem or None,
        "positive": known.positive,
        "negative": known.negative,
    } | told


def _told(file: Path, found: Recovered | None) -> Iterator[str]:
    """The lines about one file."""
    name = " ".join(safe(str(file)).split("\n"))
    if found is None:
        yield f"{name}: carries no prompt"
        return
    yield f"{name}: {found.generator}" + ("" if found.prompts else ", carries no prompt")
    for number, prompt in enumerate(found.prompts, 1):
        if len(found.prompts) > 1:
            yield f"  prompt {number} of {len(found.prompts)}" + (", the final picture's" if number == 1 else "")
        yield from _prompt(prompt)
        if number == 1:
            yield from _made(found.parameters)
    if not found.prompts:
        yield from _made(found.parameters)
    yield from _field("read from", found.source)
    if found.credentials is not None:
        yield from _field("content credentials", found.credentials or "signer unknown")
    for note in found.notes:
        yield from _field("note", note)


def _made(made: Parameters) -> Iterator[str]:
    """The lines about how the picture of the first prompt was made."""
    for key, value in _parameters(made):
        yield from _field(key, value)


def _prompt(prompt: RecoveredPrompt) -> Iterator[str]:
    """The lines about what one sampler got."""
    yield from _field("positive", prompt.positive)
    yield from _field("negative", prompt.negative)
    for one in prompt.characters:
        place = f" (at {one.center[0]:.2f}, {one.center[1]:.2f})" if one.center else ""
        yield from _field("character", one.positive + place)
        yield from _field("its negative", one.negative)
    yield from _field("positive nodes", ", ".join(map(_node, prompt.positive_nodes)))
    yield from _field("negative nodes", ", ".join(map(_node, prompt.negative_nodes)))
    yield from _field("sampler node", _node(prompt.sampler) if prompt.sampler else "")


def _field(key: str, value: object) -> Iterator[str]:
    """`key: value`, further lines of the value indented below; nothing for None and ""."""
    if value is None or value == "":
        return
    first, *others = str(value).split("\n")
    yield f"  {key}: {first}"
    yield from (f"    {line}" for line in others)


def _node(node: NodeRef) -> str:
    title = f' "{node.title}"' if node.title else ""
    return f"{node.id} {node.type}{title}"


def _parameters(made: Parameters) -> Iterator[tuple[str, object]]:
    """What is known of how the picture was made, by names that people use."""
    for name in ("seed", "steps", "sampler", "scheduler", "cfg_scale", "guidance", "denoise"):
        yield name.replace("_", " "), getattr(made, name)
    if made.width is not None and made.height is not None:
        yield "size", f"{made.width} x {made.height}"
    yield "clip skip", made.clip_skip
    yield "checkpoint", " ".join(filter(None, [made.checkpoint, made.checkpoint_hash and f"({made.checkpoint_hash})"]))
    yield "vae", made.vae
    yield "loras", ", ".join(map(_lora, made.loras))
    for name, value in made.other.items():
        line = " ".join(value.split())
        short = line if len(line) <= MOST_OTHER_CHARACTERS else line[:MOST_OTHER_CHARACTERS] + "…"
        yield " ".join(name.split()), short


def _lora(lora: Lora) -> str:
    clip = f", text encoder {lora.clip_weight:g}" if lora.clip_weight is not None else ""
    return f"{lora.name} ({lora.weight:g}{clip})"
