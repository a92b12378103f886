"""Hypothesis strategies for whatever a model, a picture or a user may write, within what the schema allows."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from hypothesis import strategies as st
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.options import LookAt, RenderOptions
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ACTIVE = (
    "(", ")", ":", "\\(", "\\)", "\\\\(", "(blue hair:1.2)", "(16:9)", "(x:nan)", "(to:infinity)", ":)", "[", "]",
    "[cat:dog:0.5]", "{", "}", "{red|blue}", "|", "<", ">", "<lora:detail:1>", "<|im_end|>", "<|vision_start|>", "//",
    "/*", "*/", "/", "*", "https://example.com", "embedding:", "embedding:easy", "Embedding:x", "embedembedding:ding:",
    " embedding:", "BREAK", "AND", "__animal__", "_", "~", "^", "`", "\\", "\0\1", "\0\2", "\n", "\t", "\u2028", "\u200b",
    "\u202e", "\u00ad", "\u037e", "\u1fef", "\u212a", "<\u0338", "\ufe0f", "\U000e0041", ",", ";", ".", "!", "'s", '"',
)  # fmt: skip
"""What acts in ComfyUI, its frontend, other programs or a chat template, and what hides such things."""
WORDS = (
    "red hair", "long_hair", "woman", "young man", "1girl", "solo", "masterpiece", "best quality", "highly detailed",
    "unknown", "not applicable", "other", "none", "oil painting", "in the rain", "smiling at the viewer", "cat", "Cat",
    "a dog and a bird", "nude", "lingerie", "little girl", "The image shows a house", "she stands", "日本", "черный кот",
    "score_9", "trending on artstation", "well-lit", "well lit", "extraordinarily", "40 years old", "sunset",
)  # fmt: skip

any_text = st.lists(st.sampled_from(ACTIVE) | st.sampled_from(WORDS) | st.text(max_size=6), max_size=14).flatmap(
    lambda parts: st.sampled_from(("", " ", ", ")).map(lambda between: between.join(parts))
)
"""Texts in which dangerous parts meet in every way, some of them hidden or only half there."""
any_code_points = st.lists(st.characters(exclude_categories=()) | st.sampled_from(ACTIVE), max_size=20).map("".join)
"""Any code points at all, lone surrogates and control characters included."""


def answers(kind: Any) -> st.SearchStrategy[Any]:
    """Any value that a schema's type and bounds allow; strings are `any_text`, cut to length as a decoder cuts them."""
    if get_origin(kind) is Annotated:
        base, *about = get_args(kind)
        return _bounded(base, [part for info in about for part in getattr(info, "metadata", [info])])
    return _bounded(kind, [])


def _bounded(kind: Any, bounds: list[Any]) -> st.SearchStrategy[Any]:
    limits = {name: value for bound in bounds for name, value in _limits(bound)}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {name: _field(info) for name, info in kind.model_fields.items()}
        return st.fixed_dictionaries(fields).map(kind.model_validate)
    if kind is str:
        return any_text.map(lambda text: text[: limits["max_length"]])
    if kind is int:
        return st.integers(limits["ge"], limits["le"])
    if get_origin(kind) is list:
        # long lists are rare in what models answer, and slow to draw
        return st.lists(answers(get_args(kind)[0]), max_size=min(limits["max_length"], 6))
    return st.sampled_from(get_args(kind))


def _field(info: FieldInfo) -> st.SearchStrategy[Any]:
    """The strategy of one field, whose bounds pydantic keeps apart from its type."""
    return _bounded(info.annotation, info.metadata)


def _limits(bound: Any) -> list[tuple[str, Any]]:
    return [
        (name, getattr(bound, name)) for name in ("max_length", "ge", "le") if getattr(bound, name, None) is not None
    ]


analyses: st.SearchStrategy[ImageAnalysis] = answers(ImageAnalysis)
options: st.SearchStrategy[RenderOptions] = st.builds(
    RenderOptions,
    look_at=st.sampled_from(get_args(LookAt)),
    leave_out=st.lists(
        st.sampled_from(("hair", "Cat", "oil_painting", "red", "the", "(", "light", "smiling")), max_size=2
    ).map(tuple),
    token_budget=st.sampled_from((0, 0, 3, 12, 40, 77, 500)),
)
"""Options with an empty prefix; a prefix is the user's own syntax, and tested by tables."""
