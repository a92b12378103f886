"""Stories for tests: one that a model could have told, and strategies for any that the schema allows."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st
from img2prompt.prompts.options import MOST_BEATS, RenderOptions
from img2prompt.prompts.story import MOST_IN_A_BEAT, Beat, Character, Role, Story, StyleBible
from img2prompt.tests.unit.prompts.strategies import answer, any_text

IDS = "ABCDEF"


def character(
    letter: str, name: str, gender: str, identity: list[str], outfit: list[str], **more: Any
) -> dict[str, Any]:
    fields = {"kind": "person", "age": "adult", "seen_in": [1]} | more
    return {"id": letter, "name": name, "gender": gender, "identity": identity, "default_outfit": outfit} | fields


def role(letter: str, action: str = "", expression: str = "", outfit_change: str = "") -> dict[str, Any]:
    return {"id": letter, "action": action, "expression": expression, "outfit_change": outfit_change}


def beat(image: int, title: str, cast: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "what_is_seen": "",
        "what_happens": "",
        "setting": [],
        "time": "unknown",
        "shot": "wide shot",
        "angle": "eye level",
        "camera_move": "static",
        "transition": "cut",
        "tags": [],
        "continuity": [],
    }
    return {"image": image, "title": title, "cast": cast} | fields | more


MARA = character(
    "A", "Mara Voss", "female", ["red braided hair", "green eyes", "freckles", "scar on cheek"],
    ["yellow raincoat", "rubber boots"], seen_in=[1, 2],
)  # fmt: skip
TOM = character("B", "Tom", "male", ["short black hair", "round glasses"], ["blue sweater"], seen_in=[2, 3])
LAMP = character(
    "C", "The Lamp", "not applicable", ["brass lantern", "dented"], [], kind="object", age="not applicable"
)
LANTERN: dict[str, Any] = {
    "observations": [
        {"image": 1, "seen": "a woman runs along a harbor"},
        {"image": 2, "seen": "a woman with a lantern, a man in a door"},
        {"image": 3, "seen": "a man reads a letter"},
    ],
    "logline": "Mara brings the lantern home.",
    "genre": "drama",
    "cast": [MARA, TOM, LAMP],
    "style": {
        "medium": "watercolor",
        "look": ["soft edges", "muted colors"],
        "palette": [{"name": "blue", "role": "dominant"}],
        "light": "overcast",
        "avoid": ["lens flare"],
    },
    "rating": "general",
    "beats": [
        beat(
            1, "Storm", [role("A", "running", "scared")], what_is_seen="Mara runs along the harbor in a storm.",
            what_happens="She must be home before dark.", setting=["harbor", "storm"], time="night",
            angle="from above", tags=["lightning"], continuity=["carried brass lantern"], camera_move="push in",
        ),
        beat(
            2, "The door", [role("A", "holding lantern", "smile"), role("B", "waving", "happy")],
            what_is_seen="Mara Voss holds a lantern at a door while Tom waves.", what_happens="He has waited.",
            setting=["lighthouse door"], time="dawn", shot="full body", tags=["wet ground"],
            continuity=["carried brass lantern"], transition="dissolve",
        ),
        beat(
            3, "The letter", [role("B", "reading letter", "surprised", "grey blanket over shoulders"), role("C")],
            what_is_seen="Tom's face over a letter.", what_happens="All is forgiven.", setting=["kitchen"],
            time="morning", shot="close-up", tags=["steam"],
        ),
    ],
    "ending": "The light burns again.",
}  # fmt: skip


def lantern(**changed: Any) -> Story:
    """The story of the lantern, with other fields."""
    return Story.model_validate(LANTERN | changed)


def long_story(beats: int = MOST_BEATS) -> Story:
    """The lantern's beats again and again."""
    return lantern(
        observations=[{"image": number, "seen": "a harbor"} for number in range(1, beats + 1)],
        beats=[LANTERN["beats"][number % 3] | {"image": number + 1} for number in range(beats)],
    )


def _any_story(random: Random, texts: list[str]) -> Story:
    """A story of any texts that contradicts itself in nothing."""
    pictures, ids = random.randint(2, 4), IDS[: random.randint(0, 4)]
    cast = [answer(Character, [], random, texts).model_dump() | {"id": letter} for letter in ids]
    for one in cast:
        one |= {"seen_in": [1]}
    count = random.randint(1, 5)
    images = (
        list(range(1, pictures + 1)) if count == pictures else sorted(random.choices(range(1, pictures + 1), k=count))
    )
    beats = []
    for image in images:
        there = random.sample(ids, random.randint(0, min(len(ids), MOST_IN_A_BEAT)))
        roles = [answer(Role, [], random, texts).model_dump() | {"id": letter} for letter in there]
        plain = {name: field for name, field in Beat.model_fields.items() if name not in ("image", "cast")}
        told = {name: answer(field.annotation, field.metadata, random, texts) for name, field in plain.items()}
        beats.append(told | {"image": image, "cast": roles})
    document = {
        "observations": [{"image": number, "seen": random.choice(texts)} for number in range(1, pictures + 1)],
        **{name: random.choice(texts)[:40] for name in ("logline", "genre", "ending")},
        "cast": cast,
        "style": answer(StyleBible, [], random, texts).model_dump(),
        "rating": random.choice(("general", "sensitive", "explicit")),
        "beats": beats,
    }
    return Story.model_validate(document)


stories: st.SearchStrategy[Story] = st.builds(
    _any_story,
    st.randoms(use_true_random=True),
    st.lists(any_text.map(lambda text: text[:200]), min_size=1, max_size=12),
)
"""Any legal story; its fields share a few texts, so that they also repeat each other."""
options: st.SearchStrategy[RenderOptions] = st.builds(
    RenderOptions,
    leave_out=st.lists(st.sampled_from(("hair", "Cat", "oil_painting", "red", "the", "smiling")), max_size=2).map(
        tuple
    ),
    token_budget=st.sampled_from((0, 0, 12, 60, 77, 120, 500)),
    unknown_tags=st.sampled_from(("keep", "drop")),
)
