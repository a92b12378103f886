"""How the analysis's fixed words are said in Danbooru's tags: "" where there is none, or none worth a token.

Each is in the vocabulary; a test holds it. `wording.py` has the same in plain words.
"""

from __future__ import annotations

from .analysis import Age, Angle, Contrast, Flaw, Focus, Gender, Kind, Lens, Light, LightDirection, Medium, Shot, View

SHOTS: dict[Shot, str] = {
    "extreme close-up": "close-up",
    "close-up": "close-up",
    "portrait": "portrait",
    "upper body": "upper body",
    "cowboy shot": "cowboy shot",
    "full body": "full body",
    "wide shot": "wide shot",
    "establishing shot": "scenery",
    "not applicable": "",
}
ANGLES: dict[Angle, str] = {
    "eye level": "",
    "from above": "from above",
    "from below": "from below",
    "overhead": "from above",
    "dutch angle": "dutch angle",
    "aerial": "from above",
    "worm's eye": "from below",
}
VIEWS: dict[View, str] = {
    "front": "",
    "three-quarter": "",
    "profile": "from side",
    "back": "from behind",
    "multiple": "multiple views",
    "not applicable": "",
}
LENSES: dict[Lens, str] = {
    "fisheye": "fisheye",
    "ultra wide": "",
    "wide": "",
    "normal": "",
    "telephoto": "",
    "macro": "",
    "unknown": "",
}
FOCUSES: dict[Focus, str] = {
    "deep": "",
    "shallow": "depth of field",
    "tilt-shift": "depth of field",
    "unknown": "",
}
LIGHTS: dict[Light, str] = {
    "daylight": "day",
    "overcast": "overcast",
    "golden hour": "sunset",
    "blue hour": "twilight",
    "night": "night",
    "moonlight": "moonlight",
    "studio": "",
    "window light": "sunlight",
    "candlelight": "candlelight",
    "firelight": "fire",
    "neon": "neon lights",
    "artificial indoor": "",
    "flat": "",
    "unknown": "",
}
LIGHT_DIRECTIONS: dict[LightDirection, str] = {
    "front": "",
    "side": "sidelighting",
    "back": "backlighting",
    "rim": "backlighting",
    "top": "",
    "below": "",
    "diffuse": "",
    "unknown": "",
}
CONTRASTS: dict[Contrast, str] = {
    "low key": "dark",
    "balanced": "",
    "high key": "",
    "high contrast": "high contrast",
}
MEDIA: dict[Medium, str] = {
    "photograph": "photo (medium)",
    "film still": "photorealistic",
    "digital painting": "",
    "anime illustration": "",
    "cartoon": "toon (style)",
    "comic panel": "comic",
    "3d render": "3d",
    "oil painting": "painting (medium)",
    "watercolor": "watercolor (medium)",
    "gouache": "painting (medium)",
    "acrylic": "acrylic paint (medium)",
    "ink drawing": "ink (medium)",
    "pencil sketch": "graphite (medium)",
    "charcoal": "traditional media",
    "pastel": "pastel (medium)",
    "vector graphic": "flat color",
    "pixel art": "pixel art",
    "collage": "collage",
    "sculpture": "statue",
    "screenshot": "fake screenshot",
    "diagram": "",
    "mixed media": "traditional media",
    "other": "",
}
KINDS: dict[Kind, str] = {
    "person": "",
    "character": "",
    "animal": "animal",
    "creature": "monster",
    "robot": "robot",
    "vehicle": "vehicle focus",
    "object": "",
    "food": "food",
    "plant": "plant",
    "building": "building",
    "other": "",
}
"""What a subject is where no count tag says it and its appearance is not told."""
COUNTED: dict[Gender, str] = {
    "female": "girl",
    "male": "boy",
    "androgynous": "other",
    "unknown": "other",
    "not applicable": "other",
}
AGES: dict[tuple[Age, Gender], str] = {
    **{("child", gender): "child" for gender in COUNTED},
    ("elderly", "female"): "old woman",
    ("elderly", "male"): "old man",
    ("elderly", "androgynous"): "old",
    ("elderly", "unknown"): "old",
}
FLAWS: dict[Flaw, str] = {
    "blur": "blurry",
    "noise": "noise",
    "jpeg artifacts": "jpeg artifacts",
    "watermark": "watermark",
    "signature": "signature",
    "text overlay": "text",
    "border": "border",
    "cropped subject": "cropped",
    "overexposed": "overexposed",
    "underexposed": "underexposed",
    "bad anatomy": "bad anatomy",
    "extra fingers": "extra digits",
    "low resolution": "lowres",
}
"""What a negative prompt calls a flaw; meta tags and the words of published negatives, so not all in the vocabulary."""
