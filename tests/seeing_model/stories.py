"""What the seeing model learns to answer about several pictures: stories built from the real `Story`, short and plain.

What is decided is few: which picture an observation or a beat is about, what is in it, and who that is. All else is the
same in every story, so that two million parameters are enough for the order.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Final, Literal, get_args

from img2prompt.prompts.presets import load_preset
from img2prompt.prompts.questions import story_request
from img2prompt.prompts.story import Beat, CastId, Character, Observation, Role, Story, StyleBible
from img2prompt.tests.seeing_model.lessons import Piece, as_pieces, noise
from img2prompt.tests.seeing_model.scenes import COLORS, Scene, caption, new_scene
from PIL import Image

StoryKind = Literal["story", "story part", "long story"]
STORY_KINDS: Final = ("story", "story part", "long story")

NAMES = {"circle": "Rollo", "square": "Boxy", "triangle": "Trig", "star": "Stella"}
"""A character's name says nothing that may stand in a prompt."""
IDS: tuple[CastId, ...] = get_args(CastId)
COUNTS: dict[StoryKind, dict[int, int]] = {
    "story": {2: 55, 3: 40, 4: 5},
    "story part": {2: 45, 3: 40, 4: 10, 5: 5},
    "long story": dict.fromkeys(range(4, 17), 1),
}
"""How many pictures, and how often."""


def story_scenes(kind: StoryKind, random: Random) -> list[Scene]:
    """What the pictures of a story show: sometimes one shape of one colour comes twice, elsewhere."""
    counts = COUNTS[kind]
    scenes = [new_scene(random) for _ in range(random.choices(list(counts), list(counts.values()))[0])]
    if random.random() < 0.15:
        first, second = random.sample(range(len(scenes)), 2)
        again = replace(scenes[second], color=scenes[first].color, shape=scenes[first].shape)
        if again.background == again.color:
            again = replace(again, background=random.choice([name for name in COLORS if name != again.color]))
        scenes[second] = again
    return scenes


def story(scenes: list[Scene], beats: int) -> Story:
    """The right and whole story of scenes. Each beat rests on the next picture; when there are more beats than
    pictures, the rest on the last, because the model does not read how many there will be."""
    names = list(dict.fromkeys(scene.name for scene in scenes))[: len(IDS)]
    return Story(
        observations=[Observation(image=number, seen=caption(scene)) for number, scene in enumerate(scenes, 1)],
        logline="A row of shapes.",
        genre="abstract",
        cast=[_character(name, scenes, IDS[index]) for index, name in enumerate(names)],
        style=StyleBible(medium="vector graphic", look=["flat color"], palette=[], light="flat", avoid=[]),
        rating="general",
        beats=[_beat(min(index, len(scenes) - 1), scenes, names) for index in range(beats)],
        ending="The end.",
    )


def _character(name: str, scenes: list[Scene], cast_id: CastId) -> Character:
    numbers = [number for number, scene in enumerate(scenes, 1) if scene.name == name]
    scene = scenes[numbers[0] - 1]
    return Character(
        id=cast_id,
        name=NAMES[scene.shape],
        kind="object",
        gender="not applicable",
        age="not applicable",
        identity=[scene.color, scene.shape],
        default_outfit=[],
        seen_in=numbers,
    )


def _beat(index: int, scenes: list[Scene], names: list[str]) -> Beat:
    scene = scenes[index]
    known = names.index(scene.name) if scene.name in names else None
    return Beat(
        image=index + 1,
        title=scene.name,
        what_is_seen=caption(scene),
        what_happens="It appears.",
        cast=[] if known is None else [Role(id=IDS[known], action="", expression="", outfit_change="")],
        setting=[f"{scene.background} background"],
        time="unknown",
        shot="not applicable",
        angle="eye level",
        camera_move="static",
        transition="cut",
        tags=[scene.name],
        continuity=[],
    )


def story_lesson(kind: StoryKind, scenes: list[Scene], random: Random) -> list[Piece]:
    """The answer to learn about `scenes`; of the parts of a story and of long ones, the values alone."""
    beats = len(scenes)
    if random.random() < 0.15:
        beats = random.randint(1, 2 * len(scenes) if kind == "story part" else len(scenes) + 2)
    fields = story(scenes, min(beats, 16)).model_dump(mode="json")
    if kind == "story":
        return as_pieces(fields, whole=True)
    return as_pieces(_part(fields, kind, random), whole=False)


def _part(fields: dict[str, Any], kind: StoryKind, random: Random) -> dict[str, Any]:
    """Some of a story's fields in their order, half the time only those that tell of the pictures."""
    most = 0.05 if kind == "long story" else random.choice([0.0, 0.0, 0.2, 0.6])
    share = random.uniform(0, most)
    chosen = {
        name: value for name, value in fields.items() if random.random() < (0.85 if name in _TELLING else share)
    } or {"observations": fields["observations"]}
    for name, always in (("beats", {"image", "what_is_seen"}), ("cast", {"id", "identity"})):
        if name in chosen:
            kept = {key for part in fields[name] for key in part if key in always or random.random() < share}
            chosen[name] = [{key: value for key, value in part.items() if key in kept} for part in fields[name]]
    return chosen


_TELLING = ("observations", "beats")


def story_words(pictures: int, words: int, random: Random) -> tuple[str, str]:
    """System prompt and instruction: mostly noise of about `words` words, else the package's own."""
    if random.random() < (0.2 if words > 100 else 0.03):
        blank = [Image.new("RGB", (8, 8))] * pictures
        request = story_request(blank, beats=random.randint(0, 16), extra=noise(random.randint(0, 20), random))
        return load_preset("system").fill(), request.instruction
    length = random.choice([words // 20, words // 5, words])
    return noise(random.randint(0, max(3, words // 10)), random), noise(random.randint(1, max(3, length)), random)
