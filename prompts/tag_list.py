"""All that an analysis says as plain tags, for datasets: no quality words, no budget, nothing escaped."""

from __future__ import annotations

from .analysis import ImageAnalysis
from .families import Family, load_family
from .found import found
from .keep import Keep
from .minors import says_minor, shows_minor
from .options import RenderOptions
from .phrases import key_of

FOR_PROSE = "sdxl"
"""Whose words are told for families that want sentences."""
NO_TAGS = ("rating", "source", "text")
"""Slots that say how a picture counts, or what is written in it."""


def tag_list(analysis: ImageAnalysis, family: str | Family, options: RenderOptions) -> list[str]:
    """The tags, each once, in the family's vocabulary and in the order of its slots. Where a child is in the picture,
    none is adult wording. Raises UnknownFamily or FamilyFileError."""
    family = load_family(family)
    if family.form == "prose":
        family = load_family(FOR_PROSE)
    minor = shows_minor(analysis, options.prefix, "")
    phrases = found(analysis, family, options, Keep.of(options.leave_out, minor))
    if not minor and says_minor(phrase.text for phrase in phrases if phrase.slot != "text"):
        phrases = found(analysis, family, options, Keep.of(options.leave_out, minor=True))
    order = {slot: at for at, slot in enumerate(family.order)}
    kept = sorted((one for one in phrases if one.slot not in NO_TAGS), key=lambda one: order.get(one.slot, 0))
    return list({key_of(phrase.text): phrase.text for phrase in kept}.values())
