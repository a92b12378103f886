"""Analyses as a good model would write them, by short names, and one in which nothing was found."""

from __future__ import annotations

from typing import Any

from img2prompt.prompts.analysis import ImageAnalysis

NOTHING: dict[str, Any] = {
    "caption": "",
    "medium": "other",
    "subjects": [],
    "setting": [],
    "shot": "not applicable",
    "angle": "eye level",
    "view": "not applicable",
    "lens": "unknown",
    "focus": "unknown",
    "composition": [],
    "light": "unknown",
    "light_direction": "unknown",
    "contrast": "balanced",
    "palette": [],
    "style": {
        "movement": "",
        "influences": [],
        "technique": [],
        "texture": [],
        "mood": [],
        "era": "unknown",
        "confidence": "high",
    },
    "visible_text": [],
    "flaws": {"items": []},
    "rating": "general",
    "tags": [],
    "confidence": "high",
}
SOMEONE: dict[str, Any] = {
    "kind": "person",
    "count": 1,
    "gender": "female",
    "age": "adult",
    "known_character": "",
    "appearance": [],
    "clothing": [],
    "action": [],
    "expression": "",
    "position": "center",
}


def analysis(**fields: Any) -> ImageAnalysis:
    """An analysis in which only these fields tell anything."""
    return ImageAnalysis.model_validate(NOTHING | fields)


def subject(**fields: Any) -> dict[str, Any]:
    """An adult woman of whom only these fields tell more."""
    return SOMEONE | fields


def style(**fields: Any) -> dict[str, Any]:
    """A style of which only these fields tell anything."""
    return NOTHING["style"] | fields


def color(name: str, role: str) -> dict[str, str]:
    """A colour of the palette."""
    return {"name": name, "role": role}


CAFE = analysis(
    caption="This image shows a young woman with red hair sitting on a wooden bench in a narrow alley. She wears a "
    "blue dress and a straw hat, and holds a paper cup (coffee). Golden evening light falls from the left, and the "
    "stone walls behind her are out of focus. The photograph is calm and warm, stunning, highly detailed.",
    medium="photograph",
    subjects=[
        subject(
            age="young adult",
            appearance=["red hair", "freckles", "green eyes", "long_hair"],
            clothing=["blue dress", "straw hat"],
            action=["sitting on bench", "holding paper cup"],
            expression="slight smile",
            position="left",
        )
    ],
    setting=["narrow alley", "stone walls", "cobblestones"],
    shot="cowboy shot",
    view="three-quarter",
    lens="telephoto",
    focus="shallow",
    composition=["rule of thirds"],
    light="golden hour",
    light_direction="side",
    palette=[
        color("grey", "accent"),
        color("amber", "dominant"),
        color("Navy_blue", "secondary"),
    ],
    style=style(technique=["film grain"], mood=["calm", "nostalgic"], era="contemporary", influences=["Someone"]),
    visible_text=[{"text": "CAFÉ (open)", "where": "sign above the door"}],
    flaws={"items": ["noise", "text overlay"]},
    tags=["1girl", "solo", "woman", "masterpiece", "bench", "sunlight", "coffee (drink)", "smile :)"],
)
HARBOUR = analysis(
    caption="Fishing boats lie in a harbour at dawn. Their masts are mirrored in pink water.",
    medium="oil painting",
    subjects=[
        subject(kind="vehicle", count=5, gender="not applicable", age="not applicable", appearance=["fishing boat"])
    ],
    setting=["harbour", "calm water"],
    shot="wide shot",
    composition=["high horizon"],
    light="daylight",
    light_direction="back",
    contrast="low key",
    palette=[color("pink", "dominant"), color("slate blue", "secondary")],
    style=style(movement="impressionism", technique=["visible brushstrokes"], texture=["canvas"], era="19th century"),
    tags=["masts", "reflection"],
)
DUEL = analysis(
    caption="Two women in armour fight a robot with swords.",
    medium="anime illustration",
    subjects=[
        subject(appearance=["silver hair"], clothing=["armor"], action=["swinging sword"], position="left"),
        subject(appearance=["black hair", "scar"], clothing=["armor"], expression="angry", position="right"),
        subject(
            kind="robot", gender="not applicable", age="not applicable", appearance=["rusty"], position="background"
        ),
    ],
    angle="from below",
    style=style(movement="", technique=["cel shading"], mood=["tense"]),
    tags=["sparks", "fighting", "2girls"],
)
SKETCH = analysis(
    caption="Mostly navy and gold with an accent of crimson; cool colors, low-key light; wide format.",
    contrast="low key",
    palette=[
        color("navy", "dominant"),
        color("gold", "secondary"),
        color("crimson", "accent"),
    ],
    style=style(confidence="low"),
    tags=["cool colors"],
    confidence="low",
)
"""As the sketch engine answers: only what pixels tell."""
