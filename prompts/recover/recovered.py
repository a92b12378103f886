"""What is read out of a picture file: the prompts that made it, and how. Pure values; it knows no format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NodeRef:
    """A node of a ComfyUI or InvokeAI graph."""

    id: str
    """As the executed graph has it: "6"; inside a subgraph "57:27"."""
    type: str
    """The class, "CLIPTextEncode"."""
    title: str = ""
    """The user's own, where it is not the class's."""


@dataclass(frozen=True, slots=True)
class CharacterPrompt:
    """What NovelAI 4 says of one character."""

    positive: str
    negative: str = ""
    center: tuple[float, float] | None = None
    """Where the character stands, x and y from 0 (left, top) to 1; None where the model chooses."""


@dataclass(frozen=True, slots=True)
class RecoveredPrompt:
    """The texts that one sampler got, exactly as the file has them (weights, LoRA tags and all)."""

    positive: str
    """With NovelAI 4's characters after the base text, joined by ", "."""
    negative: str = ""
    positive_nodes: tuple[NodeRef, ...] = ()
    """The nodes that the text was written in (not the encoder it only passes through); empty outside of graphs."""
    negative_nodes: tuple[NodeRef, ...] = ()
    sampler: NodeRef | None = None
    """The node that drew with it; None outside of graphs."""
    characters: tuple[CharacterPrompt, ...] = ()


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA and how strongly it was applied."""

    name: str
    """As the file has it: a file name with or without its ending."""
    weight: float = 1.0
    """Of the diffusion model."""
    clip_weight: float | None = None
    """Of the text encoder, where it is told apart."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """How the picture was made; None, "" or empty where the file does not tell."""

    seed: int | None = None
    steps: int | None = None
    sampler: str = ""
    """As the file names it: "Euler a", "euler_ancestral"."""
    scheduler: str = ""
    cfg_scale: float | None = None
    guidance: float | None = None
    """The distilled guidance of FLUX and its like."""
    denoise: float | None = None
    """0 to 1; below 1 for image to image."""
    width: int | None = None
    """Of the picture that the sampler drew, in pixels; the file may hold it upscaled."""
    height: int | None = None
    clip_skip: int | None = None
    """Counted as A1111 does: 1 is the last layer."""
    checkpoint: str = ""
    """The diffusion model's name, as the file has it."""
    checkpoint_hash: str = ""
    vae: str = ""
    loras: tuple[Lora, ...] = ()
    other: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """What else the file says, by its own names."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a file says of how it was made."""

    generator: str
    """"AUTOMATIC1111", "Forge", "SD.Next", "Civitai", "ComfyUI", "NovelAI", "InvokeAI", "Fooocus", "RuinedFooocus",
    "SwarmUI", "Easy Diffusion", "Draw Things", "Midjourney", or "C2PA" where content credentials are all there is."""
    prompts: tuple[RecoveredPrompt, ...] = ()
    """One per distinct pair of texts, the final picture's first; empty where the file tells how it was made, but holds
    no prompt."""
    parameters: Parameters = field(default_factory=Parameters)
    """Of the sampler of the first prompt."""
    source: str = ""
    """Where it was read: "PNG text 'parameters'", "EXIF UserComment"."""
    credentials: str | None = None
    """Who signed the content credentials (C2PA), "" where that cannot be told; None: there are none."""
    notes: tuple[str, ...] = ()
    """What a person should know of this reading, in sentences."""

    @property
    def positive(self) -> str:
        """The final picture's prompt; "" where the file holds none."""
        return self.prompts[0].positive if self.prompts else ""

    @property
    def negative(self) -> str:
        """The final picture's negative prompt; "" where there is none."""
        return self.prompts[0].negative if self.prompts else ""
