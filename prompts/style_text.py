"""The art-style analysis: what is to be known of a picture's making, as lines for a person to read."""

from __future__ import annotations

from .analysis import ImageAnalysis
from .keep import Keep
from .phrases import phrases_in
from .slots import LIMITS, light_words, palette_names, shot_words
from .wording import ERAS


def style_text(analysis: ImageAnalysis, keep: Keep) -> str:
    """Lines such as `Medium: oil painting`, plain text; what the picture does not tell has no line.

    Nothing in it is escaped, and the user's words to leave out stay: it is a reading, not a prompt.
    """
    style = analysis.style
    unsure = " (uncertain)" if style.confidence == "low" else ""
    lines = {
        "Medium": [] if analysis.medium == "other" else [analysis.medium],
        "Movement": [name + unsure for name in _phrases([style.movement])],
        "Era": [ERAS.get(style.era, "")],
        "Technique": _phrases([*style.technique, *style.texture]),
        "Palette": palette_names(analysis),
        "Light": light_words(analysis),
        "Composition": [*shot_words(analysis), *_phrases(analysis.composition)],
        "Mood": _phrases(style.mood, LIMITS["mood"]),
    }
    kept = {
        name: [text for text in dict.fromkeys(texts) if text and keep.allows(text)] for name, texts in lines.items()
    }
    return "\n".join(f"{name}: {', '.join(texts)}" for name, texts in kept.items() if texts)


def _phrases(texts: list[str], limit: int = LIMITS["tag"]) -> list[str]:
    return [phrase for text in texts for phrase in phrases_in(text, limit)]
