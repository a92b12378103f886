"""A Request in the words of the OpenAI chat API, and a reply as an answer. It opens no connection.

All requests begin with one and the same system prompt, then the pictures, then the instruction, so that servers that
cache prefixes compute the system prompt once, and pictures once for all that is asked about them. Several pictures are
numbered, so that an answer can name them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Generic

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from ..prompts.presets import load_preset
from ..prompts.request import INCONSISTENT, Answer, Request, Sampling
from .errors import AnswerCutOff, BadAnswer, Contradiction, Refused
from .pictures import EncodedPicture, encode

UNFINISHED = {
    "length": "it reached its longest length",
    "repetition": "the model kept repeating itself",
    "abort": "the server aborted it",
}
"""finish_reason of an answer that did not end → what happened. "repetition" and "abort" are vLLM's."""
ASKED_AGAIN = (AnswerCutOff, Contradiction)
"""Replies that are asked for once more: another seed may mend them. Their errors are worded for the second time."""
SEED_BOUND = 2**31 - 1
"""Seeds are sent below this: llama.cpp takes 32 bits, and ComfyUI's are 64."""
OTHER_SEED = 2**30
"""How far the second try's seed lies from the first's: nobody steps there by hand."""
REPETITION = {"max_pattern_size": 8, "min_count": 6}
"""vLLM ends an answer in which a pattern of up to 8 tokens comes 6 times in a row."""
WORDS_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Chat(Generic[Answer]):
    """A request that is ready to be sent: its pictures are scaled and copied, the originals let go."""

    system: str
    instruction: str
    pictures: tuple[EncodedPicture, ...]
    answer: type[Answer]
    sampling: Sampling
    """As it is sent: the seed within bounds, the temperature as in the settings."""


def prepare(
    request: Request[Answer], max_pixels: int, temperature: float | None, *, png_as_it_is: bool = False
) -> Chat[Answer]:
    """Scale and copy the request's pictures: CPU work, some ms for each megapixel. Raises PictureError.

    `temperature` is the one in the settings: where there is one, it goes before the request's own. `png_as_it_is`: as
    `encode`.
    """
    sampling = replace(request.sampling, seed=request.sampling.seed % SEED_BOUND)
    if temperature is not None:
        sampling = replace(sampling, temperature=temperature)
    return Chat(
        system=load_preset("system").fill(),
        instruction=request.instruction,
        pictures=tuple(encode(picture, max_pixels, png_as_it_is=png_as_it_is) for picture in request.pictures),
        answer=request.answer,
        sampling=sampling,
    )


def to_payload(chat: Chat[Answer], *, model: str, for_vllm: bool) -> dict[str, Any]:
    """The JSON body of POST /chat/completions. Fields that only vLLM knows are there only `for_vllm`.

    Encodes the pictures: CPU work, 4 to 6 ms for each megapixel.
    """
    sampling = chat.sampling
    payload: dict[str, Any] = {
        "model": model,
        "messages": messages(chat),
        "response_format": {"type": "json_schema", "json_schema": _json_schema(chat.answer)},
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "seed": sampling.seed,
    }
    if for_vllm:
        payload["top_k"] = sampling.top_k
        payload["repetition_penalty"] = sampling.repetition_penalty
        payload["repetition_detection"] = dict(REPETITION)
    return payload


def messages(chat: Chat[Any]) -> list[dict[str, Any]]:
    """What is said to the model: always in this order, so that what requests have in common comes first."""
    return [
        {"role": "system", "content": chat.system},
        {"role": "user", "content": [*_shown(chat.pictures), {"type": "text", "text": chat.instruction}]},
    ]


def _shown(pictures: tuple[EncodedPicture, ...]) -> Iterator[dict[str, Any]]:
    """The pictures as parts of a message, each under its number where there are several."""
    for number, picture in enumerate(pictures, 1):
        if len(pictures) > 1:
            yield {"type": "text", "text": f"Picture {number}:"}
        yield {"type": "image_url", "image_url": {"url": picture.data_url()}}


def to_body(chat: Chat[Answer], *, model: str, for_vllm: bool, again: bool = False) -> bytes:
    """`to_payload()` as it is sent, or `again`, for the second try. CPU work; a seventh of json.dumps()'s time."""
    payload = to_payload(chat, model=model, for_vllm=for_vllm)
    return to_json(second_try(payload) if again else payload)


def streamed(body: bytes, *, for_vllm: bool) -> bytes:
    """The same body, for an answer that comes in pieces, as it is written; vLLM tells its length at the end. The body
    is made before it is known whether anybody listens, and making it anew would cost what the picture costs."""
    usage = b',"stream_options":{"include_usage":true}' if for_vllm else b""
    return body.removesuffix(b"}") + b',"stream":true' + usage + b"}"


def second_try(payload: dict[str, Any]) -> dict[str, Any]:
    """The same with another seed, far away; and some temperature, because without any the seed changes nothing.

    It goes without the guard against repetition: the schema bounds every list and string, so an answer that repeats
    itself ends all the same, and what stands in it twice is rendered once.
    """
    seed = (payload["seed"] + OTHER_SEED) % SEED_BOUND
    again = {name: value for name, value in payload.items() if name != "repetition_detection"}
    return again | {"seed": seed, "temperature": payload["temperature"] or Sampling().temperature}


def question(chat: Chat[Answer]) -> str:
    """All that decides the answer, apart from who gives it, as text; pictures by their digest, which is CPU work: 2 ms
    for each megapixel. Before `to_payload()`, which lets the pixels go."""
    parts = {
        "system": chat.system,
        "instruction": chat.instruction,
        "pictures": [picture.digest for picture in chat.pictures],
        "schema": _json_schema(chat.answer),
        "sampling": asdict(chat.sampling),
    }
    return json.dumps(parts, sort_keys=True)


def read_reply(reply: object, answer: type[Answer]) -> Answer:
    """The answer in a reply. Raises Refused or BadAnswer, or one of ASKED_AGAIN."""
    match reply:
        case {"choices": [{"message": Mapping() as message, **choice}, *_], **_rest}:
            pass
        case _:
            raise BadAnswer(
                "The endpoint's reply is no chat completion; give IMG2PROMPT_ENDPOINT the base URL of an "
                "OpenAI-compatible server."
            )
    finish_reason = str(choice.get("finish_reason"))
    if finish_reason in UNFINISHED:
        raise AnswerCutOff(
            f"The answer did not end, twice ({UNFINISHED[finish_reason]}); choose another seed, and if it happens "
            "again another model or a longer context, or ask for less."
        )
    if finish_reason == "content_filter" or message.get("refusal"):
        words = f" ({shortened(message['refusal'])})" if message.get("refusal") else ""
        raise Refused(f"The model refused to describe this picture{words}; use another picture or another model.")
    return _parse(_content(message), answer)


def _content(message: Mapping[str, Any]) -> str:
    """The text of a message. Some servers put all of it into the reasoning when a model has a thinking mode."""
    content = message.get("content")
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if content:
        return str(content)
    if str(reasoning).lstrip().startswith("{"):
        return str(reasoning)
    if reasoning:
        raise BadAnswer("The model only thought and gave no answer; serve an Instruct model, or turn its thinking off.")
    raise BadAnswer("The model gave an empty answer; choose another seed, and if it happens again another model.")


def _parse(text: str, answer: type[Answer]) -> Answer:
    try:
        # strict=False: xgrammar lets raw control characters into strings
        document = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(
            f"The answer is not JSON (it begins: {shortened(text)}): the endpoint seems to ignore response_format "
            "json_schema; use a server that follows it, such as vLLM, llama.cpp, LM Studio or Ollama."
        ) from error
    try:
        return answer.model_validate(document)
    except ValidationError as error:
        if all(problem["type"] == INCONSISTENT for problem in error.errors()):
            what = shortened(error.errors()[0]["msg"])
            raise Contradiction(
                f"The answer contradicts itself, twice ({what}); choose another seed, and if it happens again another "
                "model."
            ) from error
        raise BadAnswer(
            f"The answer is JSON but not {answer.__name__} ({_first_problem(error)}): the endpoint does not keep to "
            "the schema; choose another seed, and if it happens again another server or model."
        ) from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    more = error.error_count() - 1
    return f"{where or 'the document'}: {shortened(problem['msg'])}" + (f", and {more} more" if more else "")


@cache
def _json_schema(answer: type[BaseModel]) -> dict[str, object]:
    return {"name": answer.__name__, "strict": True, "schema": answer.model_json_schema()}


def shortened(value: object) -> str:
    """A foreign value in one short line of an error message."""
    line = " ".join(str(value).split())
    return line if len(line) <= WORDS_SHOWN else line[:WORDS_SHOWN] + "…"
