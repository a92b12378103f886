"""What a prompt is: the request, the analysis, and the deterministic way from one to the other. No ComfyUI, no network.

Names are loaded on first use, so that importing this package costs nothing; `render` is not, since its module has the
same name and would take its place, but that module is light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .render import Prompt, render, render_all

if TYPE_CHECKING:
    from .analysis import ImageAnalysis
    from .catalogue import family_names
    from .errors import (
        FamilyFileError,
        Img2PromptError,
        NothingToSay,
        PictureError,
        PresetError,
        PromptError,
        UnknownFamily,
    )
    from .families import Family, load_family
    from .look import Look, measure
    from .options import LookAt, RenderOptions
    from .presets import Preset, load_preset, preset_names
    from .questions import analysis_request
    from .request import Request, Sampling
    from .syntax import clean, escape, parse, weighted
    from .tokens import count_tokens

__all__ = [
    "Family",
    "FamilyFileError",
    "ImageAnalysis",
    "Img2PromptError",
    "Look",
    "LookAt",
    "NothingToSay",
    "PictureError",
    "Preset",
    "PresetError",
    "Prompt",
    "PromptError",
    "RenderOptions",
    "Request",
    "Sampling",
    "UnknownFamily",
    "analysis_request",
    "clean",
    "count_tokens",
    "escape",
    "family_names",
    "load_family",
    "load_preset",
    "measure",
    "parse",
    "preset_names",
    "render",
    "render_all",
    "weighted",
]

_HOME = {
    "analysis": ("ImageAnalysis",),
    "errors": (
        *("FamilyFileError", "Img2PromptError", "NothingToSay", "PictureError", "PresetError", "PromptError"),
        "UnknownFamily",
    ),
    "catalogue": ("family_names",),
    "families": ("Family", "load_family"),
    "look": ("Look", "measure"),
    "options": ("LookAt", "RenderOptions"),
    "presets": ("Preset", "load_preset", "preset_names"),
    "questions": ("analysis_request",),
    "request": ("Request", "Sampling"),
    "syntax": ("clean", "escape", "parse", "weighted"),
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
