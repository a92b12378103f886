"""A prompt as sentences: the caption, then in plain sentences what the caption does not say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from .analysis import ImageAnalysis
from .families import Slot
from .frame import Frame
from .keep import Keep
from .options import RenderOptions
from .phrases import listed, sentence, with_article, words_of
from .plain import PALETTE
from .sentences import caption_sentences, shortened
from .slots import SUBJECT_SLOTS, Claim, Phrase
from .syntax import escape
from .tokens import count_tokens
from .wording import NUMBERS

_TOPIC: dict[Slot, str] = {
    **dict.fromkeys(SUBJECT_SLOTS, "subject"),
    "medium": "style",
    "style": "style",
    "shot": "shot",
    "composition": "shot",
}
"""Slots that share one sentence; any other slot has its own."""


def write_prose(
    analysis: ImageAnalysis, phrases: list[Phrase], frame: Frame, options: RenderOptions, keep: Keep
) -> str:
    """The whole prompt with the sentences that fit the budget, in ComfyUI's syntax; "" where there is nothing to say.

    The caption is used only when looking at everything: a style prompt must not speak of the subject. It begins with
    the subject; a style that is to be stressed is said before it, because early words weigh most.
    """
    page = _Page(frame, phrases)
    early = [phrase for phrase in phrases if phrase.claim == Claim.EARLY]
    phrases = [phrase for phrase in phrases if phrase.claim != Claim.EARLY]
    topics = groupby(_in_order(phrases, frame.family.order), key=_topic)
    about = [(topic, list(some)) for (topic, _), some in topics]
    first = [part for part in about if part[0] == options.emphasis == "style" or _must(part[1])]
    _add_topics(page, first, keep)
    for phrase in early:
        page.add(sentence(phrase.text))
    if options.look_at == "everything":
        page.add_all(caption_sentences(analysis.caption, keep))
    page.told = set(page.said)
    _add_topics(page, [part for part in about if part not in first], keep)
    body = page.text()
    return frame.around(body) if body else ""


def _add_topics(page: _Page, topics: Iterable[tuple[str, list[Phrase]]], keep: Keep) -> None:
    for topic, phrases in topics:
        for text in _sentences(topic, phrases, page):
            if keep.allows(text):
                page.add(text)


def _must(phrases: list[Phrase]) -> bool:
    return any(phrase.claim == Claim.MUST for phrase in phrases)


class _Page:
    """The sentences so far: what they say and how many tokens are left.

    A sentence costs what it costs alone, since a space ends a word for every encoder here; at the end all is counted.
    """

    def __init__(self, frame: Frame, phrases: list[Phrase]) -> None:
        self.frame = frame
        self.all_nouns = Counter(phrase.text for phrase in phrases if phrase.slot == "subject")
        self.nouns: Counter[str] = Counter()
        self.left = frame.budget - frame.count("") - (1 if frame.prefix else 0)  # 1: the comma after the prefix
        self.sentences: list[str] = []
        self.said = words_of(frame.prefix)
        self.told: set[str] = set()
        """What the caption says: one subject's dress does not keep another's from being told."""

    def text(self) -> str:
        """The page, escaped, within the budget."""
        while self.sentences and self.frame.count(self._print()) > self.frame.budget:
            self.sentences.pop()
        return self._print()

    def says(self, phrase: Phrase) -> bool:
        """Whether every word of a phrase already stands there; of a subject's, in the caption."""
        if phrase.claim == Claim.MUST:
            return False
        return words_of(_gist(phrase)) <= (self.told if phrase.slot in SUBJECT_SLOTS else self.said)

    def add_all(self, sentences: Iterable[str]) -> None:
        """Add sentences until one does not fit; if it is the first, its beginning."""
        for text in sentences:
            if not self.add(text):
                if not self.sentences and (beginning := shortened(text, self._fits)):
                    self.add(beginning)
                break

    def add(self, text: str) -> bool:
        """Add one sentence if it fits."""
        if not text or not self._fits(text):
            return False
        self.left -= self._cost(text)
        self.sentences.append(text)
        self.said |= words_of(text)
        return True

    def _fits(self, text: str) -> bool:
        return self._cost(text) <= self.left

    def _cost(self, text: str) -> int:
        return count_tokens(escape(text), self.frame.family.encoder)

    def _print(self) -> str:
        return escape(" ".join(self.sentences))


def _topic(phrase: Phrase) -> tuple[str, int]:
    """What shares a sentence: a topic, and for subjects each its own."""
    return _TOPIC.get(phrase.slot, phrase.slot), phrase.subject


def _in_order(phrases: list[Phrase], order: list[Slot]) -> list[Phrase]:
    """The phrases as they are said: topics in the family's order, in a topic subject by subject, slot by slot."""
    slot_at = {slot: at for at, slot in enumerate(order)}
    topic_at: dict[str, int] = {}
    for at, slot in enumerate(order):
        topic_at.setdefault(_TOPIC.get(slot, slot), at)
    return sorted(phrases, key=lambda phrase: (topic_at[_topic(phrase)[0]], phrase.subject, slot_at[phrase.slot]))


def _sentences(topic: str, phrases: list[Phrase], page: _Page) -> Iterator[str]:
    """The sentences on one topic, of those phrases that the page does not already say."""
    new = [phrase for phrase in phrases if not page.says(phrase)]
    texts = [phrase.text for phrase in new]
    if page.frame.family.details == "phrases" and (page.told or topic != "subject"):
        yield from (sentence(phrase.text) for phrase in new if phrase.slot != "subject")
        return
    match topic:
        case "subject":
            yield _subject(phrases, new, page)
        case "setting" if texts:
            yield sentence(f"The setting: {listed(texts)}")
        case "mood" if texts:
            yield sentence(f"The mood is {listed(texts)}")
        case "text":
            yield from map(sentence, texts)
        case "general" if texts:
            yield sentence(f"Also visible: {listed(texts)}")
        case _:
            yield sentence(", ".join(texts))


def _gist(phrase: Phrase) -> str:
    """The words of a phrase that matter for whether it was said before."""
    match phrase.slot:
        case "color":
            return phrase.text.removesuffix(PALETTE)
        case "text":
            return phrase.text.split('"')[1]
    return phrase.text


def _subject(phrases: list[Phrase], new: list[Phrase], page: _Page) -> str:
    """One subject as `A woman, red hair, wearing a blue dress and a hat, smiling.`; "" where nothing of it is new."""
    noun = next((phrase.text for phrase in phrases if phrase.slot == "subject"), "")
    said: dict[Slot, list[str]] = {}
    for phrase in new:
        said.setdefault(phrase.slot, []).append(phrase.text)
    said.pop("subject", None)
    if not said and page.sentences:
        return ""  # the caption has named it, if by another word
    clothing = [f"wearing {listed(said['clothing'])}"] if "clothing" in said else []
    details = [*said.get("character", []), *said.get("appearance", []), *clothing, *said.get("action", [])]
    return sentence(", ".join(filter(None, [_named(noun, page), *details])))


def _named(noun: str, page: _Page) -> str:
    """A subject's noun as a sentence begins with it: one more of a kind, one that was spoken of, or a new one."""
    known = bool(noun) and words_of(noun) <= page.told
    page.nouns[noun] += 1
    if not noun:
        return ""
    if page.nouns[noun] > 1:
        return f"another {noun}"
    if page.all_nouns[noun] > 1:
        return f"one {noun}" if noun.partition(" ")[0] not in NUMBERS else noun
    if known:
        return f"the {noun}"  # "a woman" would be a second woman
    return noun if noun.partition(" ")[0] in NUMBERS else with_article(noun)
