"""Hypothesis strategies for whatever a model, a picture or a user may write, within what the schema allows."""

from __future__ import annotations

from random import Random
from typing import Annotated, Any, get_args, get_origin

from hypothesis import strategies as st
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.options import Emphasis, LookAt, RenderOptions, UnknownTags
from pydantic import BaseModel

ACTIVE = (
    "(", ")", ":", "\\(", "\\)", "\\\\(", "(blue hair:1.2)", "(16:9)", "(x:nan)", "(to:infinity)", ":)", "[", "]",
    "[cat:dog:0.5]", "{", "}", "{red|blue}", "|", "<", ">", "<lora:detail:1>", "<|im_end|>", "<|vision_start|>", "//",
    "/*", "*/", "/", "*", "https://example.com", "embedding:", "embedding:easy", "Embedding:x", "embedembedding:ding:",
    " embedding:", "BREAK", "AND", "__animal__", "_", "~", "^", "`", "\\", "\0\1", "\0\2", "\n", "\t", "\u200b",
    "\u2028", "\u202e", "\u00ad", "\u037e", "\u1fef", "\u212a", "<\u0338", "\ufe0f", "\U000e0041", ",", ";", ".",
    "!", "'s", '"',
)  # fmt: skip
"""What acts in ComfyUI, its frontend, other programs or a chat template, and what hides such things."""
WORDS = (
    "red hair", "long_hair", "woman", "young man", "1girl", "solo", "masterpiece", "best quality", "highly detailed",
    "unknown", "not applicable", "other", "none", "oil painting", "in the rain", "smiling at the viewer", "cat", "Cat",
    "a dog and a bird", "nude", "lingerie", "little girl", "The image shows a house", "she stands", "日本",
    "cafe\u0301", "^_^", "(o)_(o)", "<|>_<|>", ":d", "cat ears", "animal ears",
    "long red hair", "sitting on a bench", "gray_hair",
    "saber (fate)", "6+girls", "score_9", "trending on artstation", "well-lit",
    "well lit", "extraordinarily",
    "40 years old", "sunset",
)  # fmt: skip

BOUNDS = ("min_length", "max_length", "ge", "le")

any_text = st.lists(st.sampled_from(ACTIVE) | st.sampled_from(WORDS) | st.text(max_size=6), max_size=14).flatmap(
    lambda parts: st.sampled_from(("", " ", ", ")).map(lambda between: between.join(parts))
)
"""Texts in which dangerous parts meet in every way, some of them hidden or only half there."""
any_code_points = st.lists(st.characters(exclude_categories=()) | st.sampled_from(ACTIVE), max_size=20).map("".join)
"""Any code points at all, lone surrogates and control characters included."""


def answer(kind: Any, bounds: list[Any], random: Random, texts: list[str]) -> Any:
    """A value that a schema's type and bounds allow; strings come from `texts`, cut to length as by a decoder."""
    if get_origin(kind) is Annotated:
        base, *more = get_args(kind)
        return answer(base, [part for info in more for part in getattr(info, "metadata", [info])], random, texts)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return kind.model_validate(
            {name: answer(info.annotation, info.metadata, random, texts) for name, info in fields}
        )
    limits = {name: getattr(bound, name) for bound in bounds for name in BOUNDS if hasattr(bound, name)}
    if kind is str:
        return random.choice(texts)[: limits["max_length"]]
    if kind is int:
        return random.randint(limits["ge"], limits["le"])
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        length = random.choice((0, 1, 2, 3, limits["max_length"]))
        length = min(max(length, limits.get("min_length", 0)), limits["max_length"])
        return [answer(item, [], random, texts) for _ in range(length)]
    return random.choice(get_args(kind))


analyses: st.SearchStrategy[ImageAnalysis] = st.builds(
    lambda random, texts: answer(ImageAnalysis, [], random, texts),
    st.randoms(use_true_random=True),  # one draw for all of the many choices: drawn one by one they take a second
    st.lists(any_text, min_size=1, max_size=12),
)
"""Any legal analysis; its fields share a few texts, so that they also repeat each other."""
options: st.SearchStrategy[RenderOptions] = st.builds(
    RenderOptions,
    look_at=st.sampled_from(get_args(LookAt)),
    leave_out=st.lists(
        st.sampled_from(("hair", "Cat", "oil_painting", "red", "the", "(", "light", "smiling")), max_size=2
    ).map(tuple),
    token_budget=st.sampled_from((0, 0, 3, 12, 40, 77, 120, 500)),
    emphasis=st.sampled_from(get_args(Emphasis)),
    unknown_tags=st.sampled_from(get_args(UnknownTags)),
)
"""Options with an empty prefix; a prefix is the user's own syntax, and tested by tables."""
