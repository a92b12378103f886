"""The prompts of a story's beats for one family, within the budget, with nobody looking otherwise in one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .beats import LEVELS, LOOK_LEVELS, Scene, Wardrobe, needed_of, phrases_of, scenes
from .chunks import MOVES_WHOLE
from .errors import NothingToSay, PromptError
from .families import Family
from .frame import Frame
from .keep import Keep
from .minors import says_minor
from .nameless import Names
from .options import RenderOptions
from .phrases import phrases_in
from .prose import write_prose
from .render import check_words, negative_for
from .slots import Claim, Phrase
from .story import Character, Story
from .syntax import parse
from .tags import phrase_tokens, write_tags
from .tokens import count_tokens

BETWEEN, SPARE = 8, 4
"""Tokens: what a sentence puts around a character's phrases at most, and what joining texts may change."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One beat's prompts."""

    positive: str
    negative: str
    tokens: int
    alone: tuple[tuple[Character, str], ...]
    """Each character of the beat of whom something may be said, and the prompt that draws it by itself."""


@dataclass(frozen=True, slots=True)
class StoryPrompts:
    """A story laid out for one family."""

    story: Story
    frame: Frame
    options: RenderOptions
    keep: Keep
    wardrobe: Wardrobe
    scenes: list[Scene]

    @classmethod
    def of(cls, story: Story, family: Family, options: RenderOptions) -> StoryPrompts:
        """Laid out so that what every beat must have fits each of them. Raises PromptError."""
        minor = any(one.age in ("child", "teen") for one in story.cast) or says_minor([options.prefix, *_texts(story)])
        laid = cls._laid(story, family, options, minor=minor)
        # by a tag that the user's vocabulary has
        if not minor and says_minor({phrase.text for phrase in laid.all_phrases()}):
            laid = cls._laid(story, family, options, minor=True)
        if laid.minor:
            check_words(options.prefix, family)
        for scene in laid.scenes:
            laid._fit(scene)
        return laid

    @classmethod
    def _laid(cls, story: Story, family: Family, options: RenderOptions, *, minor: bool) -> StoryPrompts:
        keep = Keep.of(options.leave_out, minor)
        names = Names(story)
        wardrobe = Wardrobe(story, family, options, keep, names)
        laid = list(scenes(story, family, options, keep, wardrobe, names))
        return cls(story, Frame.of(family, options), options, keep, wardrobe, laid)

    def all_phrases(self) -> Iterator[Phrase]:
        """All that may be said in any beat."""
        for scene in self.scenes:
            yield from scene.phrases
            for one, outfit in scene.who:
                yield from self.wardrobe.alone(one, outfit)
        yield from self.wardrobe.look()

    @property
    def minor(self) -> bool:
        """Whether a child or teenager is in the story."""
        return self.keep.minor

    def beats(self) -> Iterator[Drawn]:
        """The prompts, beat by beat. Raises NothingToSay."""
        nameless = map(self.wardrobe.names.out_of_tag, self.story.style.avoid)
        avoid = [phrase for text in nameless for phrase in phrases_in(text) if self.keep.allows(phrase)]
        for scene in self.scenes:
            phrases = phrases_of(scene, self.wardrobe, self.frame.family)
            positive = self._written(scene, phrases)
            negative = negative_for(scene.analysis, self.frame.family, self.minor, positive, avoid)
            alone = ((one, self._alone(scene, number)) for number, (one, _) in enumerate(scene.who))
            shown = tuple((one, prompt) for one, prompt in alone if prompt)
            yield Drawn(positive, negative, count_tokens(positive, self.frame.family.encoder), shown)

    def shortened(self) -> list[Character]:
        """The characters of whom the budget holds less than was found."""
        worn = {one.id: (one, outfit) for scene in self.scenes for one, outfit in scene.who}
        return [one for one, outfit in worn.values() if not self.wardrobe.is_whole(one, outfit)]

    def _fit(self, scene: Scene) -> None:
        """Tell less of look and characters, until all that this beat must have fits. Raises PromptError."""
        wardrobe = self.wardrobe
        while missing := self._missing(scene):
            if wardrobe.look_level < 2:
                wardrobe.look_level += 1
                continue
            costly = [one for one, _ in scene.who if wardrobe.levels[one.id] + 1 < len(LEVELS)]
            if costly:
                wardrobe.levels[min(costly, key=lambda one: wardrobe.levels[one.id]).id] += 1
            elif wardrobe.look_level + 1 < len(LOOK_LEVELS):
                wardrobe.look_level += 1
            else:
                raise PromptError(
                    f"Beat {scene.number} does not hold {missing!r} within {self.frame.budget} tokens; raise the token "
                    "budget, shorten the prefix, or leave out less."
                )

    def _missing(self, scene: Scene) -> str:
        """One phrase that the beat must have and, with nothing but such, has not; "" where it has all."""
        phrases = needed_of(scene, self.wardrobe, self.frame.family)
        if not phrases or self._surely_fit(phrases, len(scene.who)):
            return ""
        return missing(phrases, self._only(scene, phrases))

    def _surely_fit(self, phrases: list[Phrase], characters: int) -> bool:
        """Whether these phrases fit with room to spare, whatever is put between them: quicker than writing them."""
        encoder = self.frame.family.encoder
        words = sum(phrase_tokens(phrase.text, encoder) + 1 for phrase in phrases)
        between = BETWEEN * (characters + 1) if self.frame.family.form == "prose" else 0
        chunks = math.ceil(self.frame.budget / self.frame.family.chunk)  # at each border as much as moves may stay free
        spare = SPARE + (chunks - 1) * MOVES_WHOLE
        return self.frame.count("") + words + between + spare <= self.frame.budget

    def _written(self, scene: Scene, phrases: list[Phrase]) -> str:
        """The whole prompt. Sentences are filled in their order, so what need not be said gives way where it would take
        the room of what must be."""
        required = [phrase for phrase in phrases if phrase.claim == Claim.MUST]
        still = [phrase for phrase in phrases if phrase.claim == Claim.MUST or phrase.slot != "action"]
        for tried in (phrases, still):
            written = self._all(scene, tried)
            if written and not missing(required, written):
                return written
        if required and not missing(required, written := self._only(scene, required)):
            return written
        raise NothingToSay(f"Beat {scene.number} says nothing that could be drawn; choose another seed.")

    def _all(self, scene: Scene, phrases: list[Phrase]) -> str:
        if self.frame.family.form == "prose":
            return write_prose(scene.analysis, phrases, self.frame, self.options, self.keep)
        if all(phrase.slot in ("rating", "source") for phrase in phrases):
            return ""
        return write_tags(phrases, self.frame, self.options.emphasis)

    def _only(self, scene: Scene, phrases: list[Phrase]) -> str:
        """The prompt of these phrases and nothing else."""
        if self.frame.family.form == "prose":
            silent = scene.analysis.model_copy(update={"caption": ""})
            return write_prose(silent, phrases, self.frame, self.options, self.keep)
        return write_tags(phrases, self.frame, self.options.emphasis)

    def _alone(self, scene: Scene, number: int) -> str:
        """The prompt of one character of a beat: how it looks, what it does, and the look of the story."""
        one, outfit = scene.who[number]
        doing = [phrase for phrase in scene.phrases if phrase.slot == "action" and phrase.subject == number]
        phrases = [*self.wardrobe.alone(one, outfit), *self.wardrobe.look()]
        return self._only(scene, [*phrases, *(_of_the_first(phrase) for phrase in doing)])


def missing(required: list[Phrase], prompt: str) -> str:
    """The first of these phrases that the prompt does not hold word for word; "" where it holds all."""
    text = "".join(part for part, _ in parse(prompt)).casefold()
    return next((phrase.text for phrase in required if phrase.text.casefold() not in text), "")


def _of_the_first(phrase: Phrase) -> Phrase:
    return Phrase(phrase.slot, phrase.text, claim=phrase.claim)


def _texts(story: Story) -> Iterator[str]:
    """Every free text that tells of the characters and the beats."""
    yield from (story.logline, story.genre, story.ending, *(one.seen for one in story.observations))
    yield from (*story.style.look, *(color.name for color in story.style.palette))
    for one in story.cast:
        yield from (one.name, *one.identity, *one.default_outfit)
    for beat in story.beats:
        yield from (beat.title, beat.what_is_seen, beat.what_happens, *beat.setting, *beat.tags, *beat.continuity)
        for role in beat.cast:
            yield from (role.action, role.expression, role.outfit_change)
