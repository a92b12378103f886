"""What a prompt is: the request, the analysis, and the deterministic way from one to the other. No ComfyUI, no network.

Names are loaded on first use, so that importing this package costs nothing; `render`, `mix` and `recover` are not: a
module has the same name and would take its place, but those modules are light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .mix import Recipe, mix
from .recover import recover
from .render import Prompt, render, render_all

if TYPE_CHECKING:
    from .analysis import ImageAnalysis
    from .analysis_text import read_analysis
    from .catalogue import family_names, user_folder
    from .confidence import Probabilities, RatedAnalysis, check_threshold, confidence_request, rated
    from .errors import (
        AnalysisError,
        FamilyFileError,
        Img2PromptError,
        NothingToSay,
        PictureError,
        PresetError,
        PromptError,
        RecoverError,
        UnknownFamily,
        VocabularyFileError,
    )
    from .families import Family, load_family
    from .look import Look, measure
    from .options import LookAt, RenderOptions
    from .presets import Preset, load_preset, preset_names
    from .questions import analysis_request, check_story, story_request
    from .recover.recovered import CharacterPrompt, Lora, NodeRef, Parameters, Recovered, RecoveredPrompt
    from .request import Request, Sampling
    from .story import Story
    from .storyboard import Panel, Region, Storyboard, check_story_options, render_story
    from .syntax import clean, escape, parse, weighted
    from .texts import ImageText, finished_text, finished_texts, text_request, text_requests
    from .tokens import count_tokens

__all__ = [
    "AnalysisError",
    "CharacterPrompt",
    "Family",
    "FamilyFileError",
    "ImageAnalysis",
    "ImageText",
    "Img2PromptError",
    "Look",
    "LookAt",
    "Lora",
    "NodeRef",
    "NothingToSay",
    "Panel",
    "Parameters",
    "PictureError",
    "Preset",
    "PresetError",
    "Probabilities",
    "Prompt",
    "PromptError",
    "RatedAnalysis",
    "Recipe",
    "RecoverError",
    "Recovered",
    "RecoveredPrompt",
    "Region",
    "RenderOptions",
    "Request",
    "Sampling",
    "Story",
    "Storyboard",
    "UnknownFamily",
    "VocabularyFileError",
    "analysis_request",
    "check_story",
    "check_story_options",
    "check_threshold",
    "clean",
    "confidence_request",
    "count_tokens",
    "escape",
    "family_names",
    "finished_text",
    "finished_texts",
    "load_family",
    "load_preset",
    "measure",
    "mix",
    "parse",
    "preset_names",
    "rated",
    "read_analysis",
    "recover",
    "render",
    "render_all",
    "render_story",
    "story_request",
    "text_request",
    "text_requests",
    "user_folder",
    "weighted",
]

_HOME = {
    "analysis": ("ImageAnalysis",),
    "analysis_text": ("read_analysis",),
    "errors": (
        *("AnalysisError", "FamilyFileError", "Img2PromptError", "NothingToSay", "PictureError", "PresetError"),
        *("PromptError", "RecoverError", "UnknownFamily", "VocabularyFileError"),
    ),
    "catalogue": ("family_names", "user_folder"),
    "confidence": ("Probabilities", "RatedAnalysis", "check_threshold", "confidence_request", "rated"),
    "families": ("Family", "load_family"),
    "look": ("Look", "measure"),
    "options": ("LookAt", "RenderOptions"),
    "presets": ("Preset", "load_preset", "preset_names"),
    "questions": ("analysis_request", "check_story", "story_request"),
    "recover.recovered": ("CharacterPrompt", "Lora", "NodeRef", "Parameters", "Recovered", "RecoveredPrompt"),
    "request": ("Request", "Sampling"),
    "story": ("Story",),
    "storyboard": ("Panel", "Region", "Storyboard", "check_story_options", "render_story"),
    "syntax": ("clean", "escape", "parse", "weighted"),
    "texts": ("ImageText", "finished_text", "finished_texts", "text_request", "text_requests"),
    "tokens": ("count_tokens",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
