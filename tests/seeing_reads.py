"""What the seeing server says to reads of one token: is a phrase a tag of the picture, by its colours? And, as vLLM,
how its answers are cut into tokens. Strict, as it is with analyses."""

from __future__ import annotations

import math
import re
from typing import Any

from .seeing import COLORS, Sight, look_at

TOKENS = {"yes": 9693, "no": 2152, "Yes": 9454, "No": 2753, "The": 785}
"""As Qwen's tokenizer numbers them."""
BEFORE_ANSWER = [151644, 872, 198, 30, 151645, 198, 151644, 77091, 198]
LIKELIHOODS = {
    True: {"yes": 0.6, "Yes": 0.3, "no": 0.06, "The": 0.04},
    False: {"yes": 0.08, "No": 0.52, "no": 0.2, "The": 0.2},
}
"""Of each token, by whether the phrase fits the picture."""
FITS, FITS_NOT = 0.9 / 0.96, 0.08 / 0.8
"""What is read from these."""
CACHE_MISS = "Cache miss for image at index 0 but data is not provided."
"""vLLM's words."""
READ = {"model", "messages", "max_tokens", "temperature", "logprobs", "top_logprobs"}
READ_VLLM = READ | {"logprob_token_ids", "return_tokens_as_token_ids"}
BEGINNING = {
    *("model", "messages", "max_tokens", "temperature", "return_token_ids", "add_generation_prompt"),
    "continue_final_message",
}
PHRASE = re.compile(r'"([^"]+)"\?$')


def of_one_token(payload: dict[str, Any]) -> bool:
    return payload.get("max_tokens") == 1


def check(payload: dict[str, Any], kind: str, named: dict[str, Sight]) -> list[Sight]:
    """The picture that it is about; `named` are those that were given a name before. Raises ValueError."""
    if payload.keys() == BEGINNING and kind == "vllm":
        continued = payload["continue_final_message"] and not payload["add_generation_prompt"]
        match payload["messages"]:
            case [{"role": "user", "content": str()}, {"role": "assistant", "content": str() as word}]:
                if continued and word in TOKENS:
                    return []
        raise ValueError("not the beginning of an answer")
    if payload.keys() != (READ_VLLM if kind == "vllm" else READ):
        raise ValueError(f"these are not the fields of a read: {sorted(payload)}")
    if payload["temperature"] != 0 or payload["logprobs"] is not True or payload["top_logprobs"] != 20:
        raise ValueError("not a read")
    wanted = {TOKENS[word] for word in ("yes", "no", "Yes", "No")}
    if kind == "vllm" and (set(payload["logprob_token_ids"]) != wanted or not payload["return_tokens_as_token_ids"]):
        raise ValueError("other tokens than those of yes and no")
    match payload["messages"]:
        case [
            {"role": "system", "content": str()},
            {"role": "user", "content": [dict() as picture, {"type": "text", "text": str() as text}]},
        ] if PHRASE.search(text) and "\n" not in text:
            return [_seen(picture, kind, named)]
    raise ValueError("not one picture and one question")


def _seen(picture: dict[str, Any], kind: str, named: dict[str, Sight]) -> Sight:
    name = picture.pop("uuid", None)
    if (name is not None) != (kind == "vllm"):
        raise ValueError("a picture's name is for vLLM, and for nobody else")
    if name is not None and picture == {"type": "image_url", "image_url": None}:
        if name not in named:
            raise ValueError(CACHE_MISS)
        return named[name]
    sight = look_at(picture)
    if name is not None:
        if len(name) < 32 or name in named:
            raise ValueError("a name that could be guessed, or is another picture's")
        named[name] = sight
    return sight


def reply(payload: dict[str, Any], sights: list[Sight], act: dict[str, Any]) -> dict[str, Any]:
    """One token. The script's entry may have `said`: likelihoods by token, {} for a server that tells none; or
    `finish_reason`."""
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": payload["model"]}
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101}
    choice: dict[str, Any] = {"index": 0, "finish_reason": act.get("finish_reason", "length"), "logprobs": None}
    if not sights:
        word = payload["messages"][1]["content"]
        message = {"role": "assistant", "content": "."}
        prompt = [*BEFORE_ANSWER, TOKENS[word]]
        return {**whole, "choices": [{**choice, "message": message}], "usage": usage, "prompt_token_ids": prompt}
    found = PHRASE.search(payload["messages"][1]["content"][-1]["text"])
    assert found
    likely: dict[str, float] = act.get("said", LIKELIHOODS[fits(found[1], sights[0])])
    said = max(likely, key=likely.__getitem__, default="yes")
    if likely:
        choice["logprobs"] = {"content": [_content(said, likely, payload.get("logprob_token_ids"))]}
    return {**whole, "choices": [{**choice, "message": {"role": "assistant", "content": said}}], "usage": usage}


def fits(phrase: str, sight: Sight) -> bool:
    """Whether a phrase names a colour of the picture, and no other."""
    colors = set(phrase.split()) & COLORS.keys()
    return bool(colors) and colors <= {sight.center, sight.border}


def _content(said: str, likely: dict[str, float], ids: list[int] | None) -> dict[str, Any]:
    """The tokens by what they are likely: by their ids those that were asked for (and what was said), else by texts."""
    told = {token: math.log(one) for token, one in sorted(likely.items(), key=lambda item: -item[1])}
    if ids is not None:
        texts = {number: text for text, number in TOKENS.items()}
        told = {f"token_id:{TOKENS[said]}": told[said]} | {f"token_id:{i}": told.get(texts[i], -9999.0) for i in ids}
    listed = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in told.items()]
    return {**listed[0], "top_logprobs": listed}
