"""A story of the three photographs in docs/examples, as a model might tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from img2prompt.prompts.story import Story

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
PHOTOS = [EXAMPLES / f"{name}.jpg" for name in ("astronaut", "chelsea", "coffee")]
HOSTILE = "</pre><script>alert('x')</script> \"quoted\" & <img src=x onerror=alert(1)>"

_CAST = [
    {
        **{"id": "A", "name": "Mara", "kind": "person", "gender": "female", "age": "adult"},
        "identity": ["short brown hair", "brown eyes", "fair skin"],
        "default_outfit": ["orange spacesuit", "white collar ring"],
        "seen_in": [1],
    },
    {
        **{"id": "B", "name": "Pixel", "kind": "animal", "gender": "unknown", "age": "unknown"},
        **{"identity": ["ginger tabby cat", "green eyes"], "default_outfit": [], "seen_in": [2]},
    },
]


def _role(name: str, action: str, expression: str = "") -> dict[str, str]:
    return {"id": name, "action": action, "expression": expression, "outfit_change": ""}


def _beat(
    image: int, title: str, seen: str, happens: str, cast: list[dict[str, str]], **more: object
) -> dict[str, Any]:
    return {
        **{"image": image, "title": title, "what_is_seen": seen, "what_happens": happens, "cast": cast},
        **{"setting": ["training centre"], "time": "morning", "shot": "upper body", "angle": "eye level"},
        **{"camera_move": "static", "transition": "cut", "tags": [], "continuity": [], **more},
    }


def _beats() -> list[dict[str, Any]]:
    return [
        _beat(
            *(1, "The last photograph", "A woman in an orange spacesuit smiles in front of a flag."),
            "Mara has her picture taken on the morning of the launch, and thinks of the one who cannot come along.",
            [_role("A", "standing", "smiling")],
            **{"tags": ["flag", "model rocket"], "continuity": ["orange spacesuit"]},
        ),
        _beat(
            *(2, "Somebody at the door", "A ginger cat looks into the camera from close up."),
            "Pixel has followed her all the way to the training centre and looks as if nothing could be more natural.",
            [_role("B", "looking at viewer")],
            **{"shot": "close-up", "camera_move": "push in", "transition": "match cut", "tags": ["whiskers"]},
        ),
        _beat(
            *(2, "A plan", "A ginger cat looks into the camera from close up."),
            "They look at each other for a long moment. Then Mara opens the bag that was meant for her helmet.",
            [_role("A", "kneeling", "grinning"), _role("B", "sitting")],
            **{"shot": "wide shot", "tags": ["bag", "corridor"], "continuity": ["orange spacesuit"]},
        ),
        _beat(
            *(3, "Coffee for one", "A cup of coffee stands beside a spoon on a wooden table."),
            "In the empty canteen a cup of coffee goes cold. On the radio somebody counts down from ten.",
            [],
            **{"setting": ["canteen", "wooden table"], "tags": ["coffee cup", "spoon"], "transition": "fade out"},
        ),
    ]


def story(**changes: object) -> Story:
    """The story, with some of it changed."""
    told: dict[str, object] = {
        "observations": [
            {"image": 1, "seen": "A woman in an orange spacesuit smiles in front of a flag."},
            {"image": 2, "seen": "A ginger cat looks into the camera from close up."},
            {"image": 3, "seen": "A cup of coffee stands beside a spoon on a wooden table."},
        ],
        "logline": "On the day of her launch an astronaut finds out that her cat has other plans.",
        "genre": "adventure",
        "cast": _CAST,
        "style": {
            **{"medium": "photograph", "look": ["soft focus background"], "light": "daylight", "avoid": ["text"]},
            "palette": [{"name": "orange", "role": "dominant"}, {"name": "brown", "role": "secondary"}],
        },
        "rating": "general",
        "beats": _beats(),
        "ending": "The rocket rises, and in the mission's log stands a crew of one and a half.",
    }
    return Story.model_validate(told | changes)


def as_seen(pictures: int) -> Story:
    """A story without anybody, of so many pictures, a beat for each."""
    numbers = range(1, pictures + 1)
    beats = [_beat(number, f"Beat {number}", "A colour.", "It is there.", [], tags=["colour"]) for number in numbers]
    return story(observations=[{"image": number, "seen": "A colour."} for number in numbers], cast=[], beats=beats)


def crowded() -> Story:
    """The story with so much to each character that CLIP's tokens do not hold it."""
    colors = ("red", "green", "blue", "white", "black", "yellow")
    words = {
        "identity": [f"{color} hand-embroidered ornament" for color in colors],
        "default_outfit": [f"{color} double-breasted velvet overcoat" for color in colors],
    }
    return story(cast=[{**one, **words} for one in _CAST])
