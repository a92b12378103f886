"""What one checkpoint takes of one GPU, part by part, and whether it fits.

    total = weights + key-value cache + encoder cache + activations + CUDA context, in GiB

Weights and both caches are known to the byte (checkpoints.py; the encoder cache from vLLM 0.32,
v1/core/encoder_cache_manager.py). Activations and context are estimates, and their rows say so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from ..context import PIXELS_PER_TOKEN
from ..settings import Settings
from .checkpoints import GIB, Checkpoint
from .device import Device

RESERVE_GIB = 1.0
"""Estimate: what the desktop and ComfyUI's own CUDA context hold even when all of its models are out."""
CONTEXT_GIB = 0.6
"""Estimate: CUDA context and libraries of the server's process."""
LANGUAGE_ACTIVATIONS_GIB = 0.15
"""Estimate: of the language model, for 2,048 tokens in one step."""
VISION_ACTIVATION_BYTES = 4 * 20 * 1024
"""Estimate: of the vision encoder for each token of a picture, which is 4 patches of 20 KiB."""

BATCHED_TOKENS, LEAN_BATCHED_TOKENS = 2048, 1024
SHORTEST_CONTEXT = 2048
KV_STEP_GIB = 1 / 16
ROOMY_GIB, LARGE_GIB = 20.0, 40.0
"""From a 24 GB card on (an L4 reports 22.5 GiB) the cache holds two contexts; from a 48 GB card on, four."""
EAGER_UP_TO_GIB = 16.5
"""Up to a 16 GB card, CUDA graphs and compilation cost memory that the model needs, and two minutes at each start."""
OLDEST_CAPABILITY = 7.5
"""CUDA 13, which vLLM 0.32 is built with, begins with Turing; so do its FP8 and 4-bit methods."""
BESIDE_GIB = 6.0
"""What must be left for a diffusion model to work beside the engine; with less they take turns."""


@dataclass(frozen=True, slots=True)
class Row:
    """One part of the memory."""

    name: str
    gib: float
    how: str
    """How it comes about."""


@dataclass(frozen=True)
class Plan:
    """What the server will be started with, and the memory that it takes."""

    model: str
    """Hub name or folder."""
    precision: str
    rows: tuple[Row, ...]
    fits: bool
    reason: str
    """One or two sentences: why this, or why it does not fit and what would."""
    kv_cache_gib: float
    max_model_len: int
    """Tokens."""
    max_pixels: int
    """Of one picture; the server scales larger ones down."""
    max_num_seqs: int
    max_num_batched_tokens: int
    eager: bool
    """Without CUDA graphs and compilation."""
    cpu_offload_gib: float = 0.0
    """Of the weights, kept in RAM and read over the bus at each step; such a server cannot sleep."""
    weights_gib: float = 0.0
    """0 where they are not known, which is so on a CPU only."""
    level: int = 0
    """How many steps down from the best plan, each after running out of memory at start."""
    label: str = "as planned"
    """The step in words."""
    nearest: dict[str, str] = field(default_factory=dict[str, str])
    """If it does not fit: the settings that make it fit, by the names of their variables."""
    downloaded: bool = True
    """Whether the checkpoint is on disk."""
    own_pixel_limit: bool = False
    """Whether the checkpoint itself asks for pictures no larger than `max_pixels`."""

    @property
    def total_gib(self) -> float:
        return sum(row.gib for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Plain values with stable keys; sizes in GiB, rounded to 1/1000."""
        rows = [{"name": row.name, "gib": round(row.gib, 3), "how": row.how} for row in self.rows]
        names = ("precision", "kv_cache_gib", "max_model_len", "max_pixels", "max_num_seqs", "max_num_batched_tokens")
        more = ("eager", "cpu_offload_gib", "weights_gib", "level", "label", "nearest", "downloaded")
        first = {"model": self.model, "total_gib": round(self.total_gib, 3), "fits": self.fits, "reason": self.reason}
        return first | {"rows": rows} | {name: getattr(self, name) for name in (*names, *more)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user has set, "" and None where the plan may choose."""

    model: str
    precision: str
    kv_cache_gib: float | None
    max_model_len: int | None
    max_pixels: int
    max_in_flight: int

    @classmethod
    def of(cls, settings: Settings) -> Wanted:
        chosen = settings.model_fields_set
        return cls(
            settings.model,
            settings.precision,
            settings.kv_cache_gib if "kv_cache_gib" in chosen else None,
            settings.max_model_len if "max_model_len" in chosen else None,
            settings.max_pixels,
            settings.max_in_flight,
        )


def lay_out(checkpoint: Checkpoint, wanted: Wanted, device: Device, context: int, *, lean: bool) -> Plan:
    """One checkpoint on one GPU, and whether that fits."""
    context, kv_gib = _context_and_cache(checkpoint, wanted, device, context, lean=lean)
    pixels = pixel_cap(checkpoint, wanted)
    batched = LEAN_BATCHED_TOKENS if lean else BATCHED_TOKENS
    plan = Plan(
        checkpoint.name,
        checkpoint.precision,
        _rows(checkpoint, kv_gib, pixels // PIXELS_PER_TOKEN, batched),
        fits=True,
        reason="",
        kv_cache_gib=kv_gib,
        max_model_len=context,
        max_pixels=pixels,
        max_num_seqs=wanted.max_in_flight,
        max_num_batched_tokens=batched,
        eager=lean or device.memory_gib <= EAGER_UP_TO_GIB,
        weights_gib=checkpoint.weights_gib,
        downloaded=checkpoint.folder is not None,
        own_pixel_limit=checkpoint.max_pixels == pixels,
    )
    problem = _problem(plan, checkpoint, wanted, device)
    return replace(plan, fits=not problem, reason=problem or _why(plan, device))


def _context_and_cache(
    checkpoint: Checkpoint, wanted: Wanted, device: Device, context: int, *, lean: bool
) -> tuple[int, float]:
    """Context in tokens and cache in GiB. vLLM refuses a cache that does not hold one whole context."""
    picture_tokens = pixel_cap(checkpoint, wanted) // PIXELS_PER_TOKEN
    context = wanted.max_model_len or context + max(0, picture_tokens - 1024)
    if wanted.kv_cache_gib is None:
        least = math.ceil(context * checkpoint.kv_bytes / GIB / KV_STEP_GIB) * KV_STEP_GIB
        roomy = 4.0 if device.memory_gib >= LARGE_GIB else 2.0 if device.memory_gib >= ROOMY_GIB else 0.0
        return context, least if lean else max(least, roomy)
    if wanted.max_model_len is None:
        context = min(context, _tokens_in(wanted.kv_cache_gib, checkpoint) // 256 * 256)
    return context, wanted.kv_cache_gib


def _tokens_in(kv_gib: float, checkpoint: Checkpoint) -> int:
    return int(kv_gib * GIB) // checkpoint.kv_bytes


def pixel_cap(checkpoint: Checkpoint, wanted: Wanted) -> int:
    """The cap for one picture: the setting, less where the checkpoint or half of a context set by the user is less."""
    half_context = (wanted.max_model_len or 2**30) // 2 * PIXELS_PER_TOKEN
    return min(wanted.max_pixels, checkpoint.max_pixels or wanted.max_pixels, half_context)


def _rows(checkpoint: Checkpoint, kv_gib: float, picture_tokens: int, batched: int) -> tuple[Row, ...]:
    cached = max(batched, picture_tokens)
    vision = picture_tokens * VISION_ACTIVATION_BYTES / GIB
    language = LANGUAGE_ACTIVATIONS_GIB * batched / BATCHED_TOKENS
    return (
        Row("weights", checkpoint.weights_gib, f"{checkpoint.precision}, {checkpoint.source}"),
        Row(
            "key-value cache",
            kv_gib,
            f"{_tokens_in(kv_gib, checkpoint):,} tokens of {checkpoint.kv_bytes:,} bytes",
        ),
        Row(
            "encoder cache",
            cached * checkpoint.picture_bytes / GIB,
            f"{cached:,} picture tokens of {checkpoint.picture_bytes // 1024} KiB",
        ),
        Row("activations", vision + language, f"estimate: a picture of {picture_tokens:,} tokens, {batched:,} a step"),
        Row("CUDA context", CONTEXT_GIB, "estimate"),
    )


def _problem(plan: Plan, checkpoint: Checkpoint, wanted: Wanted, device: Device) -> str:
    """Why it cannot be run so, in one sentence, or ""."""
    if 0 < device.capability < OLDEST_CAPABILITY:
        return (
            f"vLLM needs a GPU of compute capability {OLDEST_CAPABILITY} or later (GeForce RTX 20 and on); "
            f"this one has {device.capability}; set IMG2PROMPT_ENDPOINT to a server on another machine."
        )
    if wanted.precision not in ("auto", plan.precision):
        return f"{plan.model} is stored in {plan.precision}, not in {wanted.precision}."
    held = _tokens_in(plan.kv_cache_gib, checkpoint)
    if held < plan.max_model_len or plan.max_model_len < SHORTEST_CONTEXT:
        needed = max(plan.max_model_len, SHORTEST_CONTEXT)
        return (
            f"A key-value cache of {plan.kv_cache_gib:g} GiB holds {held:,} tokens, less than the context of {needed:,}"
            f", which takes {needed * checkpoint.kv_bytes / GIB:.2f} GiB."
        )
    if plan.total_gib + RESERVE_GIB > device.memory_gib:
        return (
            f"{plan.model} takes {plan.total_gib:.1f} GiB, and {RESERVE_GIB:g} GiB more is needed for the desktop and "
            f"ComfyUI itself; the GPU has {device.memory_gib:.1f} GiB."
        )
    return ""


def _why(plan: Plan, device: Device) -> str:
    left = device.memory_gib - RESERVE_GIB - plan.total_gib
    takes = f"{plan.model} takes {plan.total_gib:.1f} of {device.memory_gib:.1f} GiB"
    if left >= BESIDE_GIB:
        return f"{takes}; {left:.1f} GiB are left for diffusion models beside it."
    return f"{takes}; it and ComfyUI's models take turns on the GPU."
