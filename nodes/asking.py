"""What every node does that asks the model: the chosen engine, and the wait for its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Generic

from ..prompts.request import Answer
from .comfy import Progress, WorkStopped, wait
from .images import Pictures, check_batches
from .live import LiveText
from .shown import Answered, answered_by
from .vram import using

if TYPE_CHECKING:
    import torch

    from ..engine import Engine
    from ..engine.choice import EngineChoice
    from ..engine.stream import Step
    from ..prompts.request import Request


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """What goes from Prompt Engine to the nodes that ask."""

    choice: EngineChoice | None = None
    """None: the settings alone choose."""
    release: str = ""
    """One of RELEASES; "": as the settings say."""

    def open(self) -> Engine:
        """The engine itself, shared by all who choose alike. Raises NoEngine or SettingsError."""
        from ..engine import shared_engine

        return shared_engine() if self.choice is None else shared_engine(self.choice)


OF_THE_SETTINGS = ChosenEngine()
"""Where no Prompt Engine is connected."""


@dataclass(frozen=True, slots=True)
class Answers(Generic[Answer]):
    """What was answered to several requests, in their order."""

    answers: list[Answer]
    how: list[Answered]
    """Of each, who answered it and how fast."""
    first: int = 1
    """The number of the first, and how many there are in all: what errors call them by."""
    total: int = 1

    @property
    def names(self) -> list[str]:
        """What to call each."""
        return [f"Picture {number} of {self.total}" for number in range(self.first, self.first + len(self.answers))]


async def ask_each(
    chosen: ChosenEngine,
    batches: Sequence[torch.Tensor],
    requests: Callable[[int, Pictures], Iterable[Request[Answer] | Step[Answer]]],
    progress: Progress,
) -> list[Answers[Answer]]:
    """Answer a request about each picture of a list of batches, however many: one stream, in which a picture is made
    when its turn comes. `requests` makes those of one item of the list, given its number from 0 and its pictures.

    ComfyUI calls a node once for each item of a list, all at one time; 2,000 such calls would each wait and poll by
    themselves, show a progress of one picture, and not know which picture theirs is. Raises as `ask_all`.
    """
    counts, engine = check_batches(batches), chosen.open()
    most = engine.settings.max_pixels
    streams = [requests(item, Pictures(batch, most)) for item, batch in enumerate(batches)]
    found = await ask_all(engine, chosen.release, chain.from_iterable(streams), progress)
    ends = list(accumulate(counts))
    return [
        Answers(found.answers[end - count : end], found.how[end - count : end], end - count + 1, progress.total)
        for end, count in zip(ends, counts, strict=True)
    ]


async def ask_all(
    engine: Engine, release: str, requests: Iterable[Request[Answer] | Step[Answer]], progress: Progress
) -> Answers[Answer]:
    """Answer all requests, with the GPU shared as `release` says, while the browser is told what the model writes.
    Raises EngineError, PictureError, or ComfyUI's InterruptProcessingException."""
    from ..engine import NoEngine

    def on_answer(index: int, _: Answer) -> None:
        live.answered(index)
        progress.step()

    def tend() -> None:
        make_room()
        live.send()

    with LiveText(progress.node_id, progress.total) as live, using(engine, release) as make_room:
        asked = engine.submit_many(
            requests, total=progress.total, on_answer=on_answer, report=progress.say, watch=live.watch
        )
        try:
            answers = await wait(asked, progress, tend)
        except WorkStopped as error:
            raise NoEngine("The engine was stopped before it had answered; run the workflow again.") from error
    status = engine.status()
    return Answers(answers, [answered_by(status, live.seconds(index)) for index in range(len(answers))])
