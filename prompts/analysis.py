"""What one look at one picture finds: a bounded, typed description that the model fills in.

Rules that the JSON schema keeps, each because a decoder or the renderer needs it:

- every field is required, and "nothing" has a word ("" , "unknown", "not applicable"): no nulls, no unions;
- every string and list is bounded, so the longest legal answer is bounded and decoding always ends;
- no `uniqueItems` (vLLM's guidance backend answers 400); duplicates are dropped when rendering;
- prose comes first and tags last, so that the tags follow from text that looked at the picture;
- no field for quality or score: the model describes, the renderer owns the quality words.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Tag = Annotated[str, Field(max_length=40)]
"""One short phrase of a comma-separated prompt."""

Medium = Literal[
    "photograph", "film still", "digital painting", "anime illustration", "cartoon", "comic panel", "3d render",
    "oil painting", "watercolor", "gouache", "acrylic", "ink drawing", "pencil sketch", "charcoal", "pastel",
    "vector graphic", "pixel art", "collage", "sculpture", "screenshot", "diagram", "mixed media", "other",
]  # fmt: skip
Kind = Literal[
    "person", "character", "animal", "creature", "robot", "vehicle", "object", "food", "plant", "building", "other",
]  # fmt: skip
Gender = Literal["female", "male", "androgynous", "unknown", "not applicable"]
Age = Literal["child", "teen", "young adult", "adult", "elderly", "unknown", "not applicable"]
Position = Literal["left", "center", "right", "foreground", "background", "full frame"]
Shot = Literal[
    "extreme close-up", "close-up", "portrait", "upper body", "cowboy shot", "full body", "wide shot",
    "establishing shot", "not applicable",
]  # fmt: skip
Angle = Literal["eye level", "from above", "from below", "overhead", "dutch angle", "aerial", "worm's eye"]
View = Literal["front", "three-quarter", "profile", "back", "multiple", "not applicable"]
Lens = Literal["fisheye", "ultra wide", "wide", "normal", "telephoto", "macro", "unknown"]
Focus = Literal["deep", "shallow", "tilt-shift", "unknown"]
Light = Literal[
    "daylight", "overcast", "golden hour", "blue hour", "night", "moonlight", "studio", "window light", "candlelight",
    "firelight", "neon", "artificial indoor", "flat", "unknown",
]  # fmt: skip
LightDirection = Literal["front", "side", "back", "rim", "top", "below", "diffuse", "unknown"]
Contrast = Literal["low key", "balanced", "high key", "high contrast"]
Rating = Literal["general", "sensitive", "questionable", "explicit"]
Era = Literal[
    "prehistoric", "ancient", "medieval", "early modern", "19th century", "1900s-1940s", "1950s-1970s", "1980s-1990s",
    "contemporary", "futuristic", "timeless", "unknown",
]  # fmt: skip
Confidence = Literal["low", "medium", "high"]
ColorRole = Literal["dominant", "secondary", "accent"]
Flaw = Literal[
    "blur", "noise", "jpeg artifacts", "watermark", "signature", "text overlay", "border", "cropped subject",
    "overexposed", "underexposed", "bad anatomy", "extra fingers", "low resolution",
]  # fmt: skip


class Part(BaseModel):
    """Base of every part of an answer: unknown keys are an error, not noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Subject(Part):
    """Someone or something that the picture is of."""

    kind: Kind
    count: Annotated[int, Field(ge=1, le=20)]
    gender: Gender
    age: Age
    known_character: Annotated[str, Field(max_length=48)]
    """A recognisable fictional character as "name (series)", else ""."""
    appearance: Annotated[list[Tag], Field(max_length=10)]
    """Hair, eyes, skin, build, species."""
    clothing: Annotated[list[Tag], Field(max_length=10)]
    action: Annotated[list[Tag], Field(max_length=6)]
    """Pose, gesture, gaze."""
    expression: Annotated[str, Field(max_length=32)]
    position: Position


class Style(Part):
    """How the picture was made and feels."""

    movement: Annotated[str, Field(max_length=40)]
    """An art movement such as "impressionism", else ""."""
    influences: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=3)]
    """Who it resembles; advisory, never rendered unless asked for."""
    technique: Annotated[list[Tag], Field(max_length=6)]
    """Brushwork, line, grain, halftone."""
    texture: Annotated[list[Tag], Field(max_length=4)]
    mood: Annotated[list[Annotated[str, Field(max_length=24)]], Field(max_length=3)]
    era: Era
    confidence: Confidence


class Color(Part):
    """One colour of the palette, by a plain name."""

    name: Annotated[str, Field(max_length=24)]
    role: ColorRole


class Flaws(Part):
    """What is visibly wrong with the picture: hints for the negative prompt."""

    items: Annotated[list[Flaw], Field(max_length=6)]


class VisibleText(Part):
    """Writing that can be read in the picture."""

    text: Annotated[str, Field(max_length=80)]
    where: Annotated[str, Field(max_length=32)]


class ImageAnalysis(Part):
    """One look at one picture."""

    caption: Annotated[str, Field(max_length=900)]
    medium: Medium
    subjects: Annotated[list[Subject], Field(max_length=6)]
    setting: Annotated[list[Tag], Field(max_length=8)]
    shot: Shot
    angle: Angle
    view: View
    lens: Lens
    focus: Focus
    composition: Annotated[list[Tag], Field(max_length=4)]
    light: Light
    light_direction: LightDirection
    contrast: Contrast
    palette: Annotated[list[Color], Field(max_length=5)]
    style: Style
    visible_text: Annotated[list[VisibleText], Field(max_length=6)]
    flaws: Flaws
    rating: Rating
    tags: Annotated[list[Tag], Field(max_length=45)]
    """Short lower-case phrases, most telling first."""
    confidence: Confidence
