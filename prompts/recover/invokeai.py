"""InvokeAI's PNG texts, one form per age.

- 1 and 2: "Dream", a command line with the prompt in quotation marks and the negative in [square brackets] within it;
  2 has "sd-metadata" beside it, JSON with the same in `image` (InvokeAI 2.3 ldm/invoke/args.py: dream_prompt_str,
  metadata_dumps; conditioning.py: get_uc_and_c_and_ec takes the brackets apart).
- 3 and later: "invokeai_metadata", JSON of invokeai/app/invocations/metadata.py (CoreMetadataInvocation), any field of
  which may be missing; FLUX has no negative, and `guidance`. What it calls `scheduler` is the sampler. A model is
  `{"model_name": …}` in 3 and `{"name": …, "hash": …}` from 4 on.
- "invokeai_graph" or "invokeai_workflow" alone: see `invokeai_graph.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..errors import RecoverError
from .carried import Carried
from .invokeai_graph import prompt_of_graph
from .recovered import Lora, Parameters, Recovered, RecoveredPrompt
from .values import as_float, as_int, as_list, as_other, as_record, as_text, clean, json_object

Read = tuple[tuple[RecoveredPrompt, ...], Parameters]
_NEGATIVE = re.compile(r"\[([^\[\]]*+)\]")
_SWITCH = re.compile(r"\s--?([A-Za-z][\w-]{0,40}?)(?:[\s=]+|(?=[\d.]))(-?[\d.][^\s\"]*|\"[^\"]*\"|[^\s\"-][^\s\"]*)")
_SWITCHES = {"s": "steps", "S": "seed", "W": "width", "H": "height", "C": "cfg_scale", "A": "sampler", "f": "strength"}
_MOST_SWITCHES = 10_000
"""Characters of a command line behind the prompt."""
_DREAMT = frozenset(("prompt", "steps", "seed", "width", "height", "cfg_scale", "sampler", "strength"))
_WEIGHTS = frozenset(("image", "model_weights", "model_hash"))
_READ = frozenset(
    (
        *("positive_prompt", "negative_prompt", "seed", "steps", "scheduler", "cfg_scale", "guidance", "strength"),
        *("width", "height", "clip_skip", "model", "vae", "loras"),
    )
)


def read(carried: Carried) -> Recovered | None:
    """From the newest form that the file has; from an older one, with a note, where that is damaged."""
    problems: list[str] = []
    for key, form in _FORMS.items():
        if not (field := carried.first(key)):
            continue
        try:
            prompts, parameters = form(field.text, carried)
        except RecoverError as error:
            problems.append(str(error))
        else:
            return Recovered("InvokeAI", prompts, parameters, field.source, notes=tuple(problems))
    if problems:
        raise RecoverError(problems[0])
    return None


def _metadata(text: str, carried: Carried) -> Read:
    record = json_object(text, "InvokeAI metadata")
    return _prompts(record, carried), _parameters(record)


def _graph(text: str, _: Carried) -> Read:
    prompt, record = prompt_of_graph(json_object(text, "InvokeAI graph"))
    return (prompt,) if prompt else (), _parameters(record)


def _prompts(record: dict[str, Any], carried: Carried) -> tuple[RecoveredPrompt, ...]:
    """Those of the metadata; of the graph where the metadata have none, as where a graph of the user's own made it."""
    texts = as_text(record.get("positive_prompt")), as_text(record.get("negative_prompt"))
    if any(texts):
        return (RecoveredPrompt(*texts),)
    if field := carried.first("invokeai_graph", "invokeai_workflow"):
        prompt, _ = prompt_of_graph(json_object(field.text, "InvokeAI graph"))
        return (prompt,) if prompt else ()
    return ()


def _parameters(record: dict[str, Any]) -> Parameters:
    model, vae = as_record(record.get("model")), as_record(record.get("vae"))
    skipped = as_int(record.get("clip_skip"))
    return Parameters(
        seed=as_int(record.get("seed")),
        steps=as_int(record.get("steps")),
        sampler=as_text(record.get("scheduler")),
        cfg_scale=as_float(record.get("cfg_scale")),
        guidance=as_float(record.get("guidance")),
        denoise=as_float(record.get("strength")),
        width=as_int(record.get("width")),
        height=as_int(record.get("height")),
        # InvokeAI counts the layers that are left out.
        clip_skip=skipped + 1 if skipped is not None and skipped >= 0 else None,
        checkpoint=_name(model) or as_text(record.get("model")),
        checkpoint_hash=as_text(model.get("hash")),
        vae=_name(vae) or as_text(record.get("vae")),
        loras=_loras(record),
        other=as_other(record, _READ),
    )


def _name(model: dict[str, Any]) -> str:
    return as_text(model.get("model_name")) or as_text(model.get("name"))


def _loras(record: dict[str, Any]) -> tuple[Lora, ...]:
    found = []
    for entry in map(as_record, as_list(record.get("loras"))):
        name = _name(as_record(entry.get("lora"))) or _name(as_record(entry.get("model")))
        weight = as_float(entry.get("weight"))
        found += [Lora(name, 1.0 if weight is None else weight)] if name else []
    return tuple(found)


def _stable_diffusion(text: str, _: Carried) -> Read:
    """Of InvokeAI 2: the prompt is a text or a list of such with weights."""
    record = json_object(text, "InvokeAI metadata")
    image = as_record(record.get("image"))
    prompts = image.get("prompt")
    parts = [prompts] if isinstance(prompts, str) else [as_record(part).get("prompt") for part in as_list(prompts)]
    known = {**image, "model": record.get("model_weights"), "hash": record.get("model_hash")}
    rest = {**record, **image}
    return _split(" ".join(filter(None, map(as_text, parts)))), _older(known, as_other(rest, _DREAMT | _WEIGHTS))


def _older(known: dict[str, Any], other: dict[str, str]) -> Parameters:
    return Parameters(
        seed=as_int(known.get("seed")),
        steps=as_int(known.get("steps")),
        sampler=as_text(known.get("sampler")),
        cfg_scale=as_float(known.get("cfg_scale")),
        denoise=as_float(known.get("strength")),
        width=as_int(known.get("width")),
        height=as_int(known.get("height")),
        checkpoint=as_text(known.get("model")),
        checkpoint_hash=as_text(known.get("hash")),
        other=other,
    )


def _dream(text: str, _: Carried) -> Read:
    """`"prompt [negative]" -s 50 -S 123 …`; the prompt may have quotation marks of its own."""
    text = clean(text).strip()
    end = text.find('" -s')
    end = end if end >= 0 else text.rfind('" -')
    end = end if end >= 0 else text.rfind('"')
    if not text.startswith('"') or end <= 0:
        return _split(text), Parameters()
    switches = {name: value.strip('"') for name, value in _SWITCH.findall(text[end + 1 :][:_MOST_SWITCHES])[::-1]}
    known = {place: switches.pop(name, None) for name, place in _SWITCHES.items()}
    return _split(text[1:end]), _older(known, switches)


def _split(prompt: str) -> tuple[RecoveredPrompt, ...]:
    """What stands in square brackets is the negative; they are taken out, as InvokeAI does."""
    negative = " ".join(filter(None, map(as_text, _NEGATIVE.findall(prompt))))
    positive = as_text(re.sub(r" {2,}", " ", _NEGATIVE.sub(" ", prompt)) if negative else prompt)
    return (RecoveredPrompt(positive, negative),) if positive or negative else ()


_FORMS: dict[str, Callable[[str, Carried], Read]] = {
    "invokeai_metadata": _metadata,
    "sd-metadata": _stable_diffusion,
    "Dream": _dream,
    "dream": _dream,
    "invokeai_graph": _graph,
    "invokeai_workflow": _graph,
}
"""By the key of the PNG text, the newest first."""
