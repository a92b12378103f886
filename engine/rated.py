"""Two questions about one picture, one right after the other: what is in it, and how sure the model is of each tag. Its
server has the picture still at hand then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..prompts.confidence import Probabilities, confidence_request, rated
from ..prompts.request import Request
from .stream import Step

if TYPE_CHECKING:
    from PIL import Image

    from ..prompts.analysis import ImageAnalysis


def rated_request(
    request: Request[ImageAnalysis], again: Callable[[], Image.Image], threshold: float
) -> Request[ImageAnalysis] | Step[ImageAnalysis]:
    """The same request, and for a `threshold` above 0 also which tags the model is surer of: the others are left out.

    `again` opens the picture once more, on a worker thread: pixels that wait for the first answer would take ten times
    the room of what is sent.
    """
    if not threshold:
        return request

    def ask(analysis: ImageAnalysis) -> Step[ImageAnalysis] | ImageAnalysis:
        reads = confidence_request(again(), analysis)
        if not reads.instruction:
            return rated(analysis, Probabilities(yes=[]))
        return Step(reads, lambda read: rated(analysis, read, threshold))

    return Step(request, ask)
