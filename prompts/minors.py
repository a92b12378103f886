"""Children in a picture: found from any sign of one, and then no adult wording reaches a prompt.

Errs on the careful side: a word that may mean a child counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from .analysis import ImageAnalysis
from .syntax import clean

DATA = Path(__file__).with_name("data")
_NUMBERS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", *map(str, range(18))),
)
_WORDS = frozenset(
    (
        *("child", "children", "childhood", "childlike", "kid", "kids", "kiddo", "kiddos", "toddler", "toddlers"),
        *("baby", "babies", "infant", "infants", "newborn", "newborns", "youngster", "youngsters", "teen"),
        *("teens", "teenage", "teenaged", "teenager", "teenagers", "preteen", "preteens", "tween", "tweens"),
        *("adolescent", "adolescents", "juvenile", "juveniles", "minor", "minors", "underage", "underaged"),
        *("pubescent", "prepubescent", "schoolgirl", "schoolgirls", "schoolboy", "schoolboys", "schoolchild"),
        *("schoolchildren", "preschool", "preschooler", "preschoolers", "kindergarten", "kindergartner"),
        *("kindergartners", "kindergartener", "kindergarteners", "schoolkid", "schoolkids", "highschooler"),
        *("highschoolers", "loli", "lolis", "lolicon", "shota", "shotas", "shotacon"),
        *(f"{age}yo" for age in range(18)),
    )
)
"""Words that mean somebody under age by themselves."""
_STARTS = frozenset(
    (
        *_NUMBERS,
        *("little", "young", "small", "high", "middle", "elementary", "primary", "junior", "grade", "school", "pre"),
        *("first", "age", "aged"),
    )
)
"""Words that begin such a phrase: only where one is there, phrases are looked for."""
_PHRASE = (
    r"pre (?:teen|pubescent|school)\w*|school (?:girl|boy|child|kid)\w*|first graders?|"
    r"(?:high|middle|elementary|primary|junior high|grade) school(?:er)?s?|"
    r"(?:little|young|small) (?:(?!(?:wo)?m[ae]n |and |or |adult )\w+ ){0,2}(?:girl|boy)s?|"
    rf"(?:{'|'.join(_NUMBERS)}) (?:years?|yrs?|yo|y o)(?: olds?)?|(?:age|aged) (?:{'|'.join(_NUMBERS)})"
)
_MINOR_PHRASE = re.compile(rf"\b(?:{_PHRASE})\b")
_MINOR = re.compile(rf"\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))}|{_PHRASE})\b")
# girl, boy, child, children, youths, baby
_MINOR_CJK = re.compile("\u5973\u5b69|\u7537\u5b69|\u5c0f\u5b69|\u513f\u7ae5|\u5c11\u5e74|\u5c11\u5973|\u5a74\u513f")
ADULT = re.compile(
    r"\b(?:nud(?:e|es|ity|ist)|naked|nsfw|porn\w*|hentai|ecchi|eroti\w*|sex\w*|sensual\w*|seducti\w*|sultry|provocative\w*|"
    r"lewd|explicit|questionable|uncensored|topless|bottomless|undress\w*|unclothed|half ?dressed|barely clothed|"
    r"strip(?:ping|per|tease)|lingerie|underwear|underpants|panty|panties|thong|g ?string|bra|bras|brassiere|garter\w*|"
    r"negligee|see ?through|transparent clothing|sheer (?:dress|top|clothing)|cleavage|sideboob|underboob|upskirt|"
    r"breasts?|boobs?|busty|nipples?|areolae?|genital\w*|vagina\w*|vulva|puss(?:y|ies)|penis\w*|cock|testic\w*|anus|anal|"
    r"butts?|buttocks|ass|crotch|cameltoe|groin|pubic|cum|semen|orgasm\w*|masturbat\w*|intercourse|fellatio|oral|"
    r"bondage|bdsm|fetish\w*|spread legs|voluptuous|curvaceous|curvy|bikinis?|microbikini|adult content|mature content|"
    r"lustful|aroused|in heat|horny|kinky|handjobs?|blowjobs?|footjobs?|fingering|paizuri|deepthroat|gangbang|dildos?|"
    r"vibrators?|futanari|ejaculat\w*|femdom|shibari|peeing|ahegao|no pants|straddl\w*|playboy|fishnets?)\b",
    re.IGNORECASE,
)
_APART = " xxx "
"""A word between two texts, so that the end of one and the start of the next are not read together."""


def shows_minor(analysis: ImageAnalysis, *more: str) -> bool:
    """Whether anything found, or any of these further texts, points to a child or teenager."""
    if any(subject.age in ("child", "teen") for subject in analysis.subjects):
        return True
    return says_minor([*_texts(analysis), *more])


def minor_words(analysis: ImageAnalysis) -> list[str]:
    """The words by which an analysis's free text points to a child or teenager, as they stand there, none twice."""
    text = _plain(_APART.join(_texts(analysis))).lower()
    return list(dict.fromkeys([*_MINOR.findall(text), *_MINOR_CJK.findall(text)]))


def says_minor(texts: Iterable[str]) -> bool:
    """Whether any of these texts points to a child or teenager."""
    text = _plain(_APART.join(texts)).lower()
    words = text.split(" ")
    if not _WORDS.isdisjoint(words):
        return True
    if not _STARTS.isdisjoint(words) and _MINOR_PHRASE.search(text):
        return True
    return not text.isascii() and _MINOR_CJK.search(text) is not None


def adult_words(text: str) -> list[str]:
    """The adult wording in a text, as it stands there; all of it, where it is one of the vocabulary's adult tags."""
    plain = _plain(text)
    return ADULT.findall(plain) or ([plain] if plain.lower() in _adult_tags() else [])


@cache
def _adult_tags() -> frozenset[str]:
    """The vocabulary's tags that must not stand beside a child (`data/adult_tags.txt`), plain."""
    return frozenset(_plain(tag) for tag in (DATA / "adult_tags.txt").read_text(encoding="utf-8").split("\n") if tag)


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
