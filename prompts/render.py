"""From an analysis to the prompt that a model family wants: deterministic, exact, without a model.

Light to import: what it takes is loaded on first use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import NothingToSay, PromptError
from .options import RenderOptions

if TYPE_CHECKING:
    from .analysis import ImageAnalysis
    from .families import Family
    from .frame import Frame
    from .keep import Keep
    from .slots import Phrase


@dataclass(frozen=True, slots=True)
class Prompt:
    """One picture's prompt for one model family, with the two readings of the picture that go with it."""

    positive: str
    """In ComfyUI's syntax, everything found escaped; never empty."""
    negative: str
    """In ComfyUI's syntax; "" where the family takes none."""
    style: str
    """The art-style analysis, to read: plain text, one aspect a line; may be ""."""
    caption: str
    """The caption, to read: plain text; may be ""."""
    tokens: int
    """Tokens of the positive prompt, by the family's encoder."""
    budget: int
    """The most that `tokens` could have been, unless the prompt was known: that is never cut."""


_DEFAULTS = RenderOptions()
_ANIMALS = re.compile(r"\b(?:anthro\w*|furry|feral|kemono|animal focus)\b")
"""What tells of animals in a prompt."""


def render(
    analysis: ImageAnalysis, family: str | Family, options: RenderOptions = _DEFAULTS, known: str = ""
) -> Prompt:
    """The prompt for one analysis.

    `known` is the prompt that drew the picture, as written, "" where that is not known: when looking at everything it
    is what comes out, after the user's prefix; the other aspects cannot be told apart in it and come of the analysis.
    A child or teenager in the picture makes it fit for all ages: rating general, no adult wording.
    Raises UnknownFamily or FamilyFileError; PromptError for options that cannot be used (see `RenderOptions.check`),
    when the analysis tells nothing of what is looked at, when none of it fits the budget, or for adult wording that is
    known or the user's own where a child is in the picture.
    """
    from .families import load_family
    from .found import found
    from .frame import Frame
    from .keep import Keep
    from .known import around, as_known, told
    from .minors import says_minor, shows_minor
    from .style_text import style_text
    from .tokens import count_tokens

    family, known = load_family(family), as_known(known)
    frame = Frame.of(family, options)
    minor = shows_minor(analysis, options.prefix, known)
    keep = Keep.of(options.leave_out, minor)
    phrases = found(analysis, family, options, keep)
    # by a tag that the user's vocabulary has; writing seen in the picture describes nobody
    if not minor and says_minor(phrase.text for phrase in phrases if phrase.slot != "text"):
        minor, keep = True, Keep.of(options.leave_out, minor=True)
        phrases = found(analysis, family, options, keep)
    if minor:
        check_words(options.prefix, family)
    known_text = told(known, options, minor)
    if known and options.look_at == "everything":
        positive = around(known_text, frame)
    else:
        positive = _positive(analysis, phrases, frame, options, keep)
    readable = Keep.of((), minor)
    return Prompt(
        positive=positive,
        negative=negative_for(analysis, family, minor, positive),
        style=style_text(analysis, readable),
        caption=_caption(analysis, readable),
        tokens=count_tokens(positive, family.encoder),
        budget=frame.budget,
    )


def render_all(
    analyses: Sequence[ImageAnalysis],
    names: Sequence[str],
    family: str | Family,
    options: RenderOptions = _DEFAULTS,
    known: str = "",
) -> list[Prompt]:
    """The prompt for each analysis; `known` is that of them all. Raises as `render`, with the picture's name before
    what concerns that one alone."""
    prompts = []
    for name, analysis in zip(names, analyses, strict=True):
        try:
            prompts.append(render(analysis, family, options, known))
        except NothingToSay as error:
            raise NothingToSay(f"{name}: {error}") from error
    return prompts


def check_words(prefix: str, family: Family) -> None:
    """Raises PromptError for adult wording that the user or a family of theirs puts before a picture of a child."""
    from .minors import adult_words

    if words := adult_words(prefix):
        raise PromptError(f"A child or teenager is in the picture; take {words[0]!r} out of the prefix.")
    if words := adult_words(", ".join([*family.prefix, *family.suffix])):
        raise PromptError(
            f"A child or teenager is in the picture; take {words[0]!r} out of the family {family.name!r}."
        )


def _positive(analysis: ImageAnalysis, phrases: list[Phrase], frame: Frame, options: RenderOptions, keep: Keep) -> str:
    """The whole prompt. Raises NothingToSay, unless the user's prefix is all that fits."""
    from .prose import write_prose
    from .sentences import caption_sentences
    from .tags import write_tags

    told = any(phrase.slot not in ("rating", "source") for phrase in phrases)
    if frame.family.form == "prose":
        prompt = write_prose(analysis, phrases, frame, options, keep)
    else:
        prompt = write_tags(phrases, frame, options.emphasis) if told else ""
    if prompt:
        return prompt
    if told and frame.prefix:
        return frame.around("")
    if told or (options.look_at == "everything" and caption_sentences(analysis.caption, keep)):
        raise NothingToSay(f"Nothing that was found fits a budget of {frame.budget} tokens; raise the token budget.")
    if options.look_at == "everything":
        raise NothingToSay(
            "The analysis of this picture says nothing; look again with another seed, or leave out less."
        )
    raise NothingToSay(
        f"The analysis of this picture says nothing of its {options.look_at}; look at everything, or leave out less."
    )


def _caption(analysis: ImageAnalysis, keep: Keep) -> str:
    """The caption to read: as the model wrote it, on one line, unless a child must be protected from some of it."""
    from .sentences import caption_sentences
    from .syntax import clean

    caption = clean(analysis.caption)
    return caption if keep.allows(caption) else " ".join(caption_sentences(analysis.caption, keep))


def negative_for(
    analysis: ImageAnalysis | None, family: Family, minor: bool, positive: str, avoid: Sequence[str] = ()
) -> str:
    """The family's negative prompt, the flaws that were seen (None: nobody looked) and what else to avoid (cleaned
    phrases), less what the prompt itself asks for."""
    from . import booru_wording, wording
    from .phrases import key_of
    from .syntax import escape

    if not family.negative:
        return ""
    wanted = {key_of(part) for part in positive.split(",")}
    if not minor and analysis and analysis.rating in ("questionable", "explicit"):
        wanted.add("nsfw")
    names = booru_wording.FLAWS if family.vocabulary == "danbooru" else wording.FLAWS
    flaws = [names.get(flaw, flaw) for flaw in analysis.flaws.items] if analysis else []
    subjects = analysis.subjects if analysis else ()
    animals = any(subject.kind in ("animal", "creature") for subject in subjects) or _ANIMALS.search(positive)
    own = [*family.negative, *([] if animals else family.negative_without_animals)]
    words = {key_of(word): word for word in (*(["nsfw"] if minor else []), *own, *map(escape, [*flaws, *avoid]))}
    return ", ".join(word for key, word in words.items() if key not in wanted)
