"""The beats of a story as what the renderer takes: analyses and phrases, each character's words the same in every beat.

What a character looks like is found once, by itself, and copied into each of its beats. Where the budget of the fullest
beat does not hold all of it, less of it is told in every beat, never more in one than in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .analysis import Flaws, ImageAnalysis, Light, Style, Subject
from .booru import as_tags, without_implied
from .families import Family, Slot
from .found import found
from .keep import Keep
from .nameless import Names
from .options import RenderOptions
from .phrases import key_of, phrases_in
from .slots import LIMITS, SUBJECT_SLOTS, Claim, Phrase, free
from .story import Beat, Character, Role, Story, Time

LOOK_SLOTS: tuple[Slot, ...] = ("source", "medium", "style")
BODY_SLOTS: tuple[Slot, ...] = ("appearance", "clothing")
WHO_SLOTS: tuple[Slot, ...] = ("rating", "count", "subject")
LEVELS = ((99, 99), (8, 6), (7, 4), (6, 4), (6, 3), (5, 3), (5, 2), (4, 2), (3, 2), (3, 1), (2, 1), (1, 1), (1, 0))
"""How much of identity and outfit is told, in phrases, from all to the least."""
LOOK_LEVELS = (99, 3, 2, 1, 0)
"""How many phrases of the look besides the medium."""
_SUN: frozenset[Light] = frozenset({"daylight", "overcast", "golden hour", "window light"})
_DARK: frozenset[Light] = frozenset({"night", "moonlight", "blue hour", "neon"})
_BY_DAY: frozenset[Time] = frozenset({"morning", "noon", "afternoon"})
MOST_SETTING = 8
"""Of an analysis."""
Outfit = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """One beat for one family, before the budget is known to hold it."""

    number: int
    analysis: ImageAnalysis
    """What would be found in a picture of the beat."""
    phrases: list[Phrase]
    """All that can be said but how characters and the whole look."""
    who: list[tuple[Character, Outfit]]
    """Who is there and in what, in the order of the analysis's subjects."""


class Wardrobe:
    """How the characters and the whole look, in one family's words."""

    def __init__(self, story: Story, family: Family, options: RenderOptions, keep: Keep, names: Names) -> None:
        self._story, self._family, self._options, self._keep, self.names = story, family, options, keep, names
        self._alone: dict[tuple[str, Outfit], list[Phrase]] = {}
        look = found(self._picture([]), family, options, keep)
        self._look = [must(phrase) for phrase in look if phrase.slot in LOOK_SLOTS]
        self._bodies: dict[tuple[str, Outfit, int, int], list[Phrase]] = {}
        self.levels = dict.fromkeys((one.id for one in story.cast), 0)
        """The level at which each character is told."""
        self.look_level = 0

    def look(self) -> list[Phrase]:
        """The words of the look that every beat has."""
        left, kept = LOOK_LEVELS[self.look_level], []
        for phrase in self._look:
            if phrase.slot == "style":
                left -= 1
            if phrase.slot != "style" or left >= 0:
                kept.append(phrase)
        return kept

    def body(self, one: Character, outfit: Outfit, number: int = 0) -> list[Phrase]:
        """The words of a character in an outfit, as the subject of that number."""
        key = (one.id, outfit, number, self.levels[one.id])
        if key not in self._bodies:
            most = dict(zip(BODY_SLOTS, LEVELS[self.levels[one.id]], strict=True))
            kept = self._bodies[key] = []
            for phrase in self._whole_body(one, outfit):
                most[phrase.slot] -= 1
                if most[phrase.slot] >= 0:
                    kept.append(replace(phrase, subject=number))
        return self._bodies[key]

    def is_whole(self, one: Character, outfit: Outfit) -> bool:
        """Whether all of it is told."""
        return len(self.body(one, outfit)) == len(self._whole_body(one, outfit))

    def alone(self, one: Character, outfit: Outfit) -> list[Phrase]:
        """A character by itself: how many of whom, and its body."""
        who = [phrase for phrase in self._found(one, outfit) if phrase.slot in WHO_SLOTS]
        return [*who, *self.body(one, outfit)]

    def subject(self, one: Character, outfit: Outfit, role: Role | None = None) -> Subject:
        """A character as an analysis has it."""
        names = self.names
        return Subject(
            kind=one.kind,
            count=1,
            gender=one.gender,
            age=one.age,
            known_character="",
            appearance=[_tag(names, text) for text in one.identity],
            clothing=list(outfit),
            action=[_tag(names, role.action)] if role else [],
            expression=names.out_of_tag(role.expression)[: LIMITS["expression"]] if role else "",
            position="center",
        )

    def _whole_body(self, one: Character, outfit: Outfit) -> list[Phrase]:
        return [phrase for phrase in self._found(one, outfit) if phrase.slot in BODY_SLOTS]

    def _found(self, one: Character, outfit: Outfit) -> list[Phrase]:
        """All that is found of a character by itself."""
        key = (one.id, outfit)
        if key not in self._alone:
            phrases = found(self._picture([self.subject(one, outfit)]), self._family, self._options, self._keep)
            self._alone[key] = [must(phrase) for phrase in phrases if phrase.slot in (*WHO_SLOTS, *BODY_SLOTS)]
        return self._alone[key]

    def _picture(self, subjects: list[Subject]) -> ImageAnalysis:
        return picture(self._story, subjects, self.names)


def scenes(
    story: Story, family: Family, options: RenderOptions, keep: Keep, wardrobe: Wardrobe, names: Names
) -> Iterator[Scene]:
    """All beats."""
    cast = {one.id: one for one in story.cast}
    for number, beat in enumerate(story.beats, 1):
        who = [(cast[role.id], outfit_of(cast[role.id], role, names)) for role in beat.cast]
        subjects = [wardrobe.subject(one, outfit, role) for (one, outfit), role in zip(who, beat.cast, strict=True)]
        analysis = picture(story, subjects, names, beat)
        phrases = found(analysis, family, options, keep)
        props = free("setting", map(names.out_of_tag, beat.continuity), LIMITS["tag"])
        if family.vocabulary == "danbooru":
            props = as_tags(props, options.unknown_tags)
        continuity = {key_of(phrase.text) for phrase in props}
        apart = (*BODY_SLOTS, *LOOK_SLOTS)
        own = [_claiming(phrase, continuity) for phrase in phrases if phrase.slot not in apart]
        yield Scene(number, analysis, own, who)


def needed_of(scene: Scene, wardrobe: Wardrobe, family: Family) -> list[Phrase]:
    """What a beat must say: who is there, how they look, and the look of the whole; none twice."""
    who = [phrase for phrase in scene.phrases if phrase.claim == Claim.MUST]
    for number, (one, outfit) in enumerate(scene.who):
        who += wardrobe.body(one, outfit, number)
    return _once([*who, *wardrobe.look()], family)


def phrases_of(scene: Scene, wardrobe: Wardrobe, family: Family) -> list[Phrase]:
    """All that can be said of a beat, what it must say first, none twice."""
    kept = _once([*needed_of(scene, wardrobe, family), *scene.phrases], family)
    if family.vocabulary != "danbooru":
        return kept
    telling = set(map(id, without_implied(kept)))
    return [phrase for phrase in kept if phrase.claim == Claim.MUST or id(phrase) in telling]


def _once(phrases: list[Phrase], family: Family) -> list[Phrase]:
    """The phrases, none twice."""
    said: set[tuple[int, str]] = set()
    kept: list[Phrase] = []
    for phrase in phrases:
        # among tags "green eyes" twice are one; in sentences each has its own
        apart = family.form == "prose" and phrase.slot in SUBJECT_SLOTS
        key = (phrase.subject if apart else 0, key_of(phrase.text))
        if key not in said:
            said.add(key)
            kept.append(phrase)
    return kept


def outfit_of(one: Character, role: Role, names: Names) -> Outfit:
    """What a character wears in a beat, in plain phrases."""
    worn = [role.outfit_change] if phrases_in(role.outfit_change) else one.default_outfit
    return tuple(_tag(names, text) for text in worn)


def picture(story: Story, subjects: list[Subject], names: Names, beat: Beat | None = None) -> ImageAnalysis:
    """The analysis of a picture of a beat in the story's look; without a beat, of the look alone."""
    look = story.style
    setting: list[str] = []
    if beat is not None:
        time = [] if beat.time == "unknown" else [beat.time]
        place = beat.setting[: MOST_SETTING - len(beat.continuity) - len(time)]
        setting = [_tag(names, text) for text in (*beat.continuity, *place, *time)]
    return ImageAnalysis(
        caption=names.out_of(beat.what_is_seen)[:900] if beat else "",
        medium=look.medium,
        subjects=subjects,
        setting=setting,
        shot=beat.shot if beat else "not applicable",
        angle=beat.angle if beat else "eye level",
        view="not applicable",
        lens="unknown",
        focus="unknown",
        composition=[],
        light=_light(look.light, beat.time if beat else "unknown"),
        light_direction="unknown",
        contrast="balanced",
        palette=look.palette,
        style=Style(
            movement="",
            influences=[],
            technique=[_tag(names, text) for text in look.look],
            texture=[],
            mood=[],
            era="unknown",
            confidence="high",
        ),
        visible_text=[],
        flaws=Flaws(items=[]),
        rating=story.rating,
        tags=[_tag(names, text) for text in beat.tags] if beat else [],
        confidence="high",
    )


def _light(light: Light, time: Time) -> Light:
    """The story's light, unless the beat's time of day contradicts it."""
    if (time == "night" and light in _SUN) or (time in _BY_DAY and light in _DARK):
        return "unknown"
    return light


def _tag(names: Names, text: str) -> str:
    """A short phrase without names; where that made it too long, cut, as the model's own are."""
    return names.out_of_tag(text)[: LIMITS["tag"]]


def must(phrase: Phrase) -> Phrase:
    """The phrase as one that every beat must have."""
    return replace(phrase, claim=Claim.MUST)


def _claiming(phrase: Phrase, continuity: set[str]) -> Phrase:
    if phrase.slot in WHO_SLOTS:
        return must(phrase)
    if phrase.slot == "setting" and key_of(phrase.text) in continuity:
        return replace(phrase, claim=Claim.EARLY)
    return phrase
