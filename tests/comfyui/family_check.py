"""What is wrong with a family's prompts for generated analyses; importable, so that other processes can run it.

ComfyUI's own parser reads the prompts.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random

from img2prompt.prompts import (
    ImageAnalysis,
    NothingToSay,
    Prompt,
    RenderOptions,
    clean,
    count_tokens,
    escape,
    load_family,
    render,
)
from img2prompt.prompts.chunks import clip_chunks, cut_tag
from img2prompt.prompts.faces import FACES
from img2prompt.prompts.families import Family
from img2prompt.prompts.found import found
from img2prompt.prompts.keep import Keep
from img2prompt.prompts.minors import adult_words, shows_minor
from img2prompt.prompts.phrases import key_of
from img2prompt.prompts.slots import DETAILS, SUBJECT_SLOTS
from img2prompt.scripts.comfyui import COMFYUI
from img2prompt.tests.unit.prompts.strategies import ACTIVE, WORDS, answer

SECOND_LOOK = 4
"""Every so many analyses are rendered twice."""
Segments = list[tuple[str, float]]


def text_of(random: Random) -> str:
    """A text such as a model, a picture or an attacker may write: active syntax and words, in any mixture."""
    parts = (random.choice(ACTIVE if random.random() < 0.3 else WORDS) for _ in range(random.randint(0, 4)))
    return random.choice(("", " ", ", ")).join(parts)


def analysis_of(number: int) -> ImageAnalysis:
    """The generated analysis of that number: whatever the schema allows."""
    random = Random(number)
    return answer(ImageAnalysis, [], random, [text_of(random) for _ in range(random.randint(1, 8))])


def reader() -> Callable[[str], Segments]:
    """A prompt as ComfyUI takes it apart: its texts with their weights. In a process of its own, too."""
    if str(COMFYUI) not in sys.path:
        sys.path.append(str(COMFYUI))
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    from comfy.sd1_clip import escape_important, token_weights, unescape_important

    def read(prompt: str) -> Segments:
        return [(unescape_important(text), weight) for text, weight in token_weights(escape_important(prompt), 1.0)]

    return read


def problems(name: str, analyses: int) -> list[str]:
    """What is wrong with the family's prompts for all generated analyses; [] for nothing. Runs in a process."""
    read, family, found, rendered = reader(), load_family(name), [], 0
    for number in range(analyses):
        analysis = analysis_of(number)
        try:
            prompt = render(analysis, family)
        except NothingToSay:
            continue
        rendered += 1
        found += [f"{number}: {wrong}: {prompt.positive!r}" for wrong in wrongs(analysis, family, prompt, read)]
        if number % SECOND_LOOK == 0 and render(analysis, family) != prompt:
            found.append(f"{number}: another prompt the second time: {prompt.positive!r}")
    if rendered < analyses * 0.8:
        found.append(f"only {rendered} prompts")
    return found


def wrongs(analysis: ImageAnalysis, family: Family, prompt: Prompt, read: Callable[[str], Segments]) -> Iterator[str]:
    """What is wrong with one prompt."""
    segments = read(prompt.positive)
    text = "".join(part for part, _ in segments)
    if {weight for _, weight in segments} != {1.0}:
        yield "a weight"
    harmless = ", ".join(piece for piece in text.split(", ") if piece not in FACES)
    if clean(harmless) != harmless:
        yield "something acts"
    if prompt.tokens != count_tokens(prompt.positive, family.encoder) or prompt.tokens > family.budget:
        yield "the budget"
    if family.encoder == "clip":
        yield from wrong_chunks(family, prompt)
    elif escape(text) != prompt.positive:
        yield "more than one segment"
    if not text.endswith(", ".join(family.suffix)):
        yield "the suffix"
    if family.form == "tags":
        yield from wrong_tags(family, text.split(", "))
        yield from wrong_order(analysis, family, prompt)
    if shows_minor(analysis):
        if adult_words(text) or (family.rating and family.rating["general"] not in text.split(", ")):
            yield "not for all ages"
        if family.negative and "nsfw" not in prompt.negative.split(", "):
            yield "the negative of a child's picture"


def wrong_chunks(family: Family, prompt: Prompt) -> Iterator[str]:
    """What is wrong with how CLIP reads a prompt."""
    if cut_tag(prompt.positive) is not None:
        yield "a tag is cut"
    if len(clip_chunks(prompt.positive)) > math.ceil(family.budget / family.chunk):
        yield "too many chunks"


def wrong_order(analysis: ImageAnalysis, family: Family, prompt: Prompt) -> Iterator[str]:
    """What is not in the family's order, which begins anew at most once a chunk; what belongs to one subject stands
    together."""
    together = DETAILS if family.vocabulary == "danbooru" else SUBJECT_SLOTS
    together_at = min(family.order.index(slot) for slot in together if slot in family.order)
    place: dict[str, int] = {}
    for phrase in found(analysis, family, RenderOptions(), Keep.of((), shows_minor(analysis))):
        if phrase.slot in family.order:  # the caption's clauses may stand in for tags
            at = together_at if phrase.slot in together else family.order.index(phrase.slot)
            place.setdefault(phrase.text, at)
    chunks = clip_chunks(prompt.positive)
    places = [place[tag] for tag in "".join(chunks).split(", ") if tag in place]
    if sum(after < before for before, after in pairwise(places)) > len(chunks) - 1:
        yield "the order"


def wrong_tags(family: Family, tags: list[str]) -> Iterator[str]:
    """What is wrong with a list of tags."""
    if len({key_of(tag) for tag in tags}) != len(tags):
        yield "said twice"
    if tags[: len(family.prefix)] != family.prefix or tags[len(tags) - len(family.suffix) :] != family.suffix:
        yield "an affix"
