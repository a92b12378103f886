"""The memory plan: which checkpoint, cache, context and pixels a GPU gets.

What is chosen for a card leaves room for what ComfyUI runs beside it where that is possible; else the two take turns.
What the user has set is kept, and where that does not fit, the plan says what would.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ..errors import SettingsError
from ..settings import Settings
from .budget import Plan, Row, Wanted, lay_out, pixel_cap
from .checkpoints import GIB, HUB_NAMES, SIZES, Checkpoint, find_checkpoint, sibling
from .device import Device
from .remembered import remembered

CONTEXT, LEAN_CONTEXT = 8192, 6144
"""Tokens. The lean one still holds a picture of 1,024 tokens, the longest preset and an analysis of 2,048 tokens."""
NATIVE_FP8 = 8.9
EXACT_GIB = 60.0
"""From here on a GPU that cannot compute in FP8 serves bf16: it is exact, no slower there, and there is room. One that
can (Ada, Hopper, Blackwell) is faster with FP8, which also leaves 6.5 GiB more to diffusion models."""
CPU_KV_GIB, CPU_SEQUENCES = 1.0, 8
WORTH_GIB = 0.25
"""A step down that saves less is not worth a start."""
GRAPHS_GIB = 0.5
"""Estimate: what CUDA graphs hold, beyond what the plan counts."""
OFFLOAD_GIB = 2.0


def make_plan(settings: Settings, device: Device) -> Plan:
    """The plan to start with: the best one, or as many steps below it as ran out of memory here before.

    Where nothing fits that keeps to what the user has set, it is a plan that says so, why, and what would fit. Raises
    SettingsError for a checkpoint whose size cannot be known.
    """
    best = best_plan(settings, device)
    level = remembered(settings, device) if best.fits else 0
    if not level:
        return best
    steps = _steps(best, Wanted.of(settings), device)
    return steps[min(level, len(steps) - 1)]


def smaller(plan: Plan, settings: Settings, device: Device) -> Plan | None:
    """The next step down when the server ran out of memory with this plan, or None when there is none.

    First the same checkpoint with less around it, so that nothing is downloaded unasked; then, if the user named no
    checkpoint, the next smaller one; if he did, a part of its weights in RAM.
    """
    if device.kind != "gpu" or not plan.fits:
        return None
    steps = _steps(best_plan(settings, device), Wanted.of(settings), device)
    return steps[plan.level + 1] if plan.level + 1 < len(steps) else None


def best_plan(settings: Settings, device: Device) -> Plan:
    """What fits best by the arithmetic alone, whatever happened before. Raises SettingsError like `make_plan`."""
    wanted = Wanted.of(settings)
    if device.kind != "gpu":
        return _cpu_plan(wanted)
    tried = list(plans(wanted, device))
    fitting = next((plan for plan in tried if plan.fits), None)
    # what does not fit is told of the checkpoint that was named, else of the smallest one
    return fitting or _with_nearest(tried[0] if wanted.model else tried[-1], wanted, device)


def _steps(best: Plan, wanted: Wanted, device: Device) -> list[Plan]:
    """The best plan and those below it, each enough smaller to be worth a start."""
    steps = [best]
    lean = list(plans(wanted, device, lean=True))
    for plan in lean:
        if _saved(steps[-1], plan) >= WORTH_GIB:
            steps.append(_labelled(plan, len(steps), best))
    if wanted.model and wanted.model not in SIZES:
        steps.append(_offloaded(lean[0], len(steps)))
    return steps


def _saved(before: Plan, after: Plan) -> float:
    graphs = GRAPHS_GIB if after.eager and not before.eager else 0.0
    return before.total_gib - after.total_gib + graphs


def _labelled(plan: Plan, level: int, best: Plan) -> Plan:
    what = f"a context of {plan.max_model_len:,} tokens, {plan.kv_cache_gib:g} GiB of cache and no CUDA graphs"
    if plan.model != best.model:
        what = f"the smaller checkpoint {plan.model}, with {what}"
    return replace(plan, level=level, label=what, reason=f"With {what}, {plan.reason}")


def _offloaded(plan: Plan, level: int) -> Plan:
    """A plan with a part of the weights in RAM, at the cost of reading them over the bus at each step."""
    away = min(OFFLOAD_GIB, plan.weights_gib / 2)
    row = Row("weights in RAM", -away, "read over the bus at each step, which is slow")
    what = f"{away:.1f} GiB of the weights in RAM"
    return replace(
        plan,
        rows=(*plan.rows, row),
        cpu_offload_gib=away,
        level=level,
        label=what,
        reason=f"With {what}, {plan.model} answers slowly and cannot sleep: it is stopped when ComfyUI needs the GPU.",
    )


def plans(wanted: Wanted, device: Device, *, lean: bool = False) -> Iterator[Plan]:
    """What may be tried on a GPU, best first; lean: with the least memory for each checkpoint."""
    for checkpoint in candidates(wanted, device):
        for context in (LEAN_CONTEXT,) if lean or wanted.max_model_len else (CONTEXT, LEAN_CONTEXT):
            yield lay_out(checkpoint, wanted, device, context, lean=lean)


def candidates(wanted: Wanted, device: Device) -> Iterator[Checkpoint]:
    """The checkpoints that the user's choice leaves, best first."""
    if wanted.model and wanted.model not in SIZES:
        same_kind = wanted.precision in ("auto", "")
        yield find_checkpoint(wanted.model if same_kind else sibling(wanted.model, wanted.precision))
        return
    for key in _choices(wanted, device):
        yield find_checkpoint(HUB_NAMES[key])


def _choices(wanted: Wanted, device: Device) -> list[tuple[str, str]]:
    """Sizes and precisions. A 4B in FP8 sees better than an 8B that has no room for a whole analysis."""
    sizes = [wanted.model] if wanted.model else list(SIZES)
    if wanted.precision != "auto":
        return [(size, wanted.precision) for size in sizes]
    exact = 0 < device.capability < NATIVE_FP8 and device.memory_gib >= EXACT_GIB
    largest = sizes[0]
    first = [(largest, "bf16")] if exact else []
    return [*first, (largest, "fp8"), (largest, "w4a16"), *((size, "fp8") for size in sizes[1:])]


def _with_nearest(plan: Plan, wanted: Wanted, device: Device) -> Plan:
    """A plan that does not fit, with the settings nearest to the user's that would."""
    for other in _relaxed(wanted):
        found = next((one for one in plans(other, device) if one.fits), None)
        if found is not None:
            changes = _changes(wanted, other, found)
            text = " and ".join(f"{name}={value}" for name, value in changes.items())
            reason = f"{plan.reason} What fits: set {text} ({found.total_gib:.1f} GiB)."
            return replace(plan, reason=reason, nearest=changes)
    if "IMG2PROMPT_ENDPOINT" in plan.reason:
        return plan
    return replace(plan, reason=f"{plan.reason} Nothing smaller fits: set IMG2PROMPT_ENDPOINT to a server elsewhere.")


def _relaxed(wanted: Wanted) -> Iterator[Wanted]:
    """Wishes that let go of one thing after another, the checkpoint last."""
    pixels = min(wanted.max_pixels, Settings.model_fields["max_pixels"].default)
    cache = replace(wanted, kv_cache_gib=None)
    tries = [cache, replace(cache, max_model_len=None), replace(cache, max_model_len=None, max_pixels=pixels)]
    tries += [replace(one, precision="auto") for one in (wanted, tries[-1])]
    tries += [replace(one, model="") for one in (wanted, tries[2])]
    tries.append(replace(tries[2], model="", precision="auto"))
    yield from (one for one in tries if one != wanted)


def _changes(wanted: Wanted, other: Wanted, found: Plan) -> dict[str, str]:
    """The variables to set so that `wanted` becomes the plan that was found with `other`."""
    values = {
        "model": found.model,
        "precision": found.precision,
        "kv_cache_gib": f"{found.kv_cache_gib:g}",
        "max_model_len": str(found.max_model_len),
        "max_pixels": str(found.max_pixels),
    }
    changed = [name for name in values if getattr(wanted, name) != getattr(other, name)]
    return {f"IMG2PROMPT_{name.upper()}": values[name] for name in changed}


def _cpu_plan(wanted: Wanted) -> Plan:
    """On a CPU the RAM is the limit, and it is not planned: speed is what decides there, so the smallest is chosen."""
    smallest = HUB_NAMES["2B", "bf16"]
    model = HUB_NAMES[wanted.model, "bf16"] if wanted.model in SIZES else wanted.model or smallest
    context = wanted.max_model_len or CONTEXT
    try:
        checkpoint = find_checkpoint(model)
    except SettingsError:  # its size is not needed here; vLLM tells what is wrong with it
        checkpoint = None
    needed = context * checkpoint.kv_bytes / GIB if checkpoint else 0.0
    kv_gib = float(math.ceil(max(CPU_KV_GIB, wanted.kv_cache_gib or needed)))  # vLLM takes whole GiB there
    rows = [Row("key-value cache", kv_gib, "in RAM")]
    if checkpoint:
        rows.insert(0, Row("weights", checkpoint.weights_gib, f"in RAM; {checkpoint.precision}, {checkpoint.source}"))
    pixels = pixel_cap(checkpoint, wanted) if checkpoint else wanted.max_pixels
    return Plan(
        model,
        checkpoint.precision if checkpoint else "unknown",
        tuple(rows),
        fits=True,
        reason=f"No NVIDIA GPU was found: {model} runs on the CPU, slowly.",
        kv_cache_gib=kv_gib,
        max_model_len=context,
        max_pixels=pixels,
        max_num_seqs=min(wanted.max_in_flight, CPU_SEQUENCES),
        max_num_batched_tokens=context,
        eager=True,
        weights_gib=checkpoint.weights_gib if checkpoint else 0.0,
        downloaded=checkpoint is not None and checkpoint.folder is not None,
        own_pixel_limit=checkpoint is not None and checkpoint.max_pixels == pixels,
    )
