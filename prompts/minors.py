"""Children in a picture: found from any sign of one, and then no adult wording reaches a prompt.

Errs on the careful side: a word that may mean a child counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .analysis import ImageAnalysis
from .syntax import clean

_MINOR = re.compile(
    r"\b(?:child(?:ren|hood)?|childlike|kids?|toddlers?|bab(?:y|ies)|infants?|newborns?|teen(?:s|age|aged|agers?)?|"
    r"pre ?teens?|tweens?|adolescents?|juveniles?|minors?|underaged?|school ?(?:girl|boy|child)(?:s|ren)?|"
    r"(?:little|young|small) (?:girl|boy)s?|loli(?:ta|con)?s?|shota(?:con)?s?|"
    r"(?:[0-9]|1[0-7]) ?(?:years?|yrs?|yo|y o)(?: ?olds?)?)\b",
    re.IGNORECASE,
)
ADULT = re.compile(
    r"\b(?:nud(?:e|es|ity|ist)|naked|nsfw|porn\w*|hentai|ecchi|eroti\w*|sex\w*|sensual\w*|seducti\w*|sultry|provocative\w*|"
    r"lewd|explicit|questionable|uncensored|topless|bottomless|undress\w*|unclothed|half ?dressed|barely clothed|"
    r"strip(?:ping|per|tease)|lingerie|underwear|underpants|panty|panties|thong|g ?string|bra|bras|brassiere|garter\w*|"
    r"negligee|see ?through|transparent clothing|sheer (?:dress|top|clothing)|cleavage|sideboob|underboob|upskirt|"
    r"breasts?|boobs?|busty|nipples?|areolae?|genital\w*|vagina\w*|vulva|puss(?:y|ies)|penis\w*|cock|testic\w*|anus|anal|"
    r"butts?|buttocks|ass|crotch|cameltoe|groin|pubic|cum|semen|orgasm\w*|masturbat\w*|intercourse|fellatio|oral|"
    r"bondage|bdsm|fetish\w*|spread legs|voluptuous|curvaceous|bikinis?|microbikini|adult content|mature content)\b",
    re.IGNORECASE,
)
_APART = " xxx "
"""A word between two texts, so that the end of one and the start of the next are not read together."""


def shows_minor(analysis: ImageAnalysis, *more: str) -> bool:
    """Whether anything found, or any of these further texts, points to a child or teenager."""
    if any(subject.age in ("child", "teen") for subject in analysis.subjects):
        return True
    return _MINOR.search(_plain(_APART.join([*_texts(analysis), *more]))) is not None


def minor_words(analysis: ImageAnalysis) -> list[str]:
    """The words by which an analysis's free text points to a child or teenager, as they stand there, none twice."""
    return list(dict.fromkeys(word.lower() for word in _MINOR.findall(_plain(_APART.join(_texts(analysis))))))


def adult_words(text: str) -> list[str]:
    """The adult wording in a text, as it stands there."""
    return ADULT.findall(_plain(text))


def _plain(text: str) -> str:
    """Text in which words are apart by single spaces, whatever stood between them."""
    return " ".join(re.split(r"[\W_]+", clean(text)))


def _texts(analysis: ImageAnalysis) -> Iterator[str]:
    """Every free text that describes the picture; writing seen in it describes nothing."""
    yield analysis.caption
    yield from (*analysis.setting, *analysis.composition, *analysis.tags)
    yield from (*analysis.style.technique, *analysis.style.texture, *analysis.style.mood, analysis.style.movement)
    for subject in analysis.subjects:
        yield from (subject.known_character, subject.expression)
        yield from (*subject.appearance, *subject.clothing, *subject.action)
