"""What every node does that asks the model: the chosen engine, and the wait for its answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .comfy import Progress, WorkStopped, wait
from .vram import WHEN_NEEDED, using

if TYPE_CHECKING:
    from ..engine import Engine
    from ..engine.choice import EngineChoice
    from ..prompts.request import Answer, Request


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """What goes from Prompt Engine to the nodes that ask."""

    choice: EngineChoice | None = None
    """None: the settings alone choose."""
    release: str = WHEN_NEEDED
    """One of RELEASES."""

    def open(self) -> Engine:
        """The engine itself, shared by all who choose alike. Raises NoEngine or SettingsError."""
        from ..engine import shared_engine

        return shared_engine() if self.choice is None else shared_engine(self.choice)


OF_THE_SETTINGS = ChosenEngine()
"""Where no Prompt Engine is connected."""


async def ask_all(
    engine: Engine, release: str, requests: Iterable[Request[Answer]], progress: Progress
) -> list[Answer]:
    """Answer all requests, in their order, with the GPU shared as `release` says. Raises EngineError, PictureError, or
    ComfyUI's InterruptProcessingException."""
    from ..engine import NoEngine

    with using(engine, release) as tend:
        asked = engine.submit_many(
            requests, total=progress.total, on_answer=lambda *_: progress.step(), report=progress.say
        )
        try:
            return await wait(asked, progress, tend)
        except WorkStopped as error:
            raise NoEngine("The engine was stopped before it had answered; run the workflow again.") from error
