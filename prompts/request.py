"""The only value that goes to an engine: pictures, an instruction, the type of the answer, and how to sample it.

It knows nothing of servers, ComfyUI, or how an answer becomes a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from PIL import Image

Answer = TypeVar("Answer", bound=BaseModel)


INCONSISTENT = "inconsistent"
"""pydantic's error type of an answer that keeps to its schema and contradicts itself: it may be asked for again."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model chooses tokens.

    Defaults start from Qwen's own for the Instruct models (top_p 0.8, top_k 20, repetition_penalty 1.0;
    https://github.com/QwenLM/Qwen3-VL, "Generation Hyperparameters"), with two changes for JSON:
    temperature 0.3 instead of 0.7, because an analysis reports rather than invents, and presence_penalty 0 instead
    of 1.5, because JSON must repeat its own quotes and commas.
    """

    seed: int = 0
    temperature: float = 0.3
    top_p: float = 0.8
    top_k: int = 20
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 2048
    """The longest answer, in tokens; a realistic analysis takes about 400."""


@dataclass(frozen=True, slots=True)
class Request(Generic[Answer]):
    """One question about one or more pictures: everything an engine needs to answer it."""

    pictures: tuple[Image.Image, ...]
    """In any mode and size; the engine composites, scales and encodes them. Leave them as they are until the answer is
    there."""
    instruction: str
    answer: type[Answer]
    """The pydantic model that the answer must be; its JSON schema guides the decoding."""
    sampling: Sampling = field(default_factory=Sampling)
