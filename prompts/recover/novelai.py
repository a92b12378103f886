"""NovelAI's pictures: PNG texts Title, Description, Software, Source and Comment; the last is JSON with everything.

The same stands as one JSON object in the lowest bits of the alpha (NovelAI/novelai-image-metadata, nai_meta.py: its
"Comment" is JSON in a text again), and in EXIF's UserComment of WebP files. NovelAI 4 has the prompt in
`v4_prompt.caption`: `base_caption`, and `char_captions` of `char_caption` and `centers`; V3 and before only in
`prompt`, `uc` and the Description.
"""

from __future__ import annotations

from typing import Any

from ..errors import RecoverError
from .carried import Carried, Field
from .recovered import CharacterPrompt, Parameters, Recovered, RecoveredPrompt
from .values import as_float, as_int, as_list, as_other, as_record, as_text, json_object

_READ = frozenset(
    (
        *(
            "prompt",
            "uc",
            "steps",
            "sampler",
            "seed",
            "scale",
            "noise_schedule",
            "width",
            "height",
            "strength",
            "v4_prompt",
        ),
        *("v4_negative_prompt", "signed_hash"),
    )
)
_TEXT_TO_IMAGE = "PromptGenerateRequest"
"""The request's type in which `strength` has no meaning."""


def read(carried: Carried) -> Recovered | None:
    """From the PNG texts, or from what is hidden in the pixels or a UserComment."""
    texts: dict[str, Any] = {field.key: field.text for field in carried.fields if field.place == "PNG text"}
    told = carried.first("Comment", "Description", place="PNG text")
    if told and _is_own(texts):
        return _recovered(texts, told)
    for field in carried.fields:
        possible = field.place == "pixels" or field.key == "UserComment"
        if possible and '"Comment"' in field.text and ("NovelAI" in field.text or "v4_prompt" in field.text):
            texts = json_object(field.text, "NovelAI data")
            if _is_own(texts):
                return _recovered(texts, field)
    return None


def _is_own(texts: dict[str, Any]) -> bool:
    """Some programs keep the Comment but change the Software; NovelAI's has its Source or its names then."""
    if as_text(texts.get("Software")) == "NovelAI":
        return True
    comment = texts.get("Comment")
    marked = isinstance(comment, str) and '"v4_prompt"' in comment
    return "Comment" in texts and (marked or "NovelAI" in as_text(texts.get("Source")))


def _recovered(texts: dict[str, Any], field: Field) -> Recovered:
    record, notes = _comment(texts)
    prompt = _prompt(record, as_text(texts.get("Description")))
    strength = as_float(record.get("strength"))
    denoise = strength if record.get("request_type") != _TEXT_TO_IMAGE else None
    parameters = Parameters(
        seed=as_int(record.get("seed")),
        steps=as_int(record.get("steps")),
        sampler=as_text(record.get("sampler")),
        scheduler=as_text(record.get("noise_schedule")),
        cfg_scale=as_float(record.get("scale")),
        denoise=denoise,
        width=as_int(record.get("width")),
        height=as_int(record.get("height")),
        checkpoint=as_text(texts.get("Source")),
        other=as_other(record, _READ if denoise is not None else _READ - {"strength"}),
    )
    prompts = (prompt,) if prompt.positive or prompt.negative else ()
    return Recovered("NovelAI", prompts, parameters, field.source, notes=notes)


def _comment(texts: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The Comment's record; where it is damaged but the Description stands for the prompt, nothing and a note."""
    inner = texts.get("Comment")
    if not isinstance(inner, str):
        return as_record(inner), ()
    try:
        return json_object(inner, "NovelAI comment"), ()
    except RecoverError as error:
        if not as_text(texts.get("Description")):
            raise
        return {}, (str(error),)


def _prompt(record: dict[str, Any], description: str) -> RecoveredPrompt:
    positive, captions, places = _caption(record.get("v4_prompt"))
    negative, avoided, _ = _caption(record.get("v4_negative_prompt"))
    characters = tuple(
        CharacterPrompt(
            as_text(caption.get("char_caption")),
            as_text(as_record(avoided[number]).get("char_caption")) if number < len(avoided) else "",
            _center(caption) if places else None,
        )
        for number, caption in enumerate(map(as_record, captions))
    )
    positive = positive or as_text(record.get("prompt")) or description
    together = ", ".join(text for text in (positive, *(character.positive for character in characters)) if text)
    return RecoveredPrompt(together, negative or as_text(record.get("uc")), characters=characters)


def _caption(prompt: Any) -> tuple[str, list[Any], bool]:
    """The base text, the characters', and whether they have places."""
    caption = as_record(as_record(prompt).get("caption"))
    return (
        as_text(caption.get("base_caption")),
        as_list(caption.get("char_captions")),
        as_record(prompt).get("use_coords") is True,
    )


def _center(caption: dict[str, Any]) -> tuple[float, float] | None:
    first = as_record(next(iter(as_list(caption.get("centers"))), None))
    x, y = as_float(first.get("x")), as_float(first.get("y"))
    return (x, y) if x is not None and y is not None else None
