"""Captions for whole folders of pictures: found, looked at, written, resumed. No ComfyUI, no terminal.

    from img2prompt.captions import caption

    print(caption("pictures", families=["sdxl"]))

Names are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import CaptionError
    from .find import Found
    from .run import Failure, Progress, Summary, caption
    from .task import Row, Task

__all__ = ["CaptionError", "Failure", "Found", "Progress", "Row", "Summary", "Task", "caption"]

_HOME = {
    "errors": ("CaptionError",),
    "find": ("Found",),
    "run": ("Failure", "Progress", "Summary", "caption"),
    "task": ("Row", "Task"),
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
