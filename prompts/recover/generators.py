"""Every generator that can be read, in the order in which they are asked: what is told by its own mark comes first."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

from .carried import Carried
from .recovered import Recovered

Reader = Callable[[Carried], Recovered | None]
"""What a generator's module has as `read`: None where the file is not its own. Raises RecoverError where it is, and
cannot be read."""

MODULES = (
    "novelai",
    "invokeai",
    "swarmui",
    "fooocus",
    "comfyui",
    "a1111",
    "draw_things",
    "easy_diffusion",
    "midjourney",
)


@cache
def readers() -> tuple[Reader, ...]:
    """The readers, loaded at the first call."""
    return tuple(import_module(f".{name}", __package__).read for name in MODULES)
