"""A reply that comes in pieces, as one: chunks of the OpenAI API's stream put together while somebody listens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .errors import BadAnswer, Unreachable

if TYPE_CHECKING:
    from openai import AsyncStream

MOST_CHARACTERS = 1_000_000
"""Of one reply; the longest legal answer has some thousands."""
MOST_TOKENS = 10_000_000
TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
"""What a message may say, each in pieces."""


NO_JSON = "The endpoint's reply is no JSON; use a server that follows the OpenAI API."


async def whole_reply(stream: AsyncStream[object], wrote: Callable[[str], None]) -> object:
    """The reply as a server without streaming would have sent it; `wrote` is given the text of the answer piece by
    piece. A server that ignores `stream` sends it whole anyway.

    Raises BadAnswer for what is no stream of chunks, Unreachable where it ends in the middle, and what the SDK raises.
    """
    parts: dict[str, list[str]] = {name: [] for name in TEXTS}
    finish_reason, usage, characters = None, None, 0
    try:
        if "json" in stream.response.headers.get("content-type", ""):
            return json.loads(await stream.response.aread())
        async for chunk in stream:
            usage = _field(chunk, "usage") or usage
            for choice in _field(chunk, "choices") or []:
                finish_reason = _field(choice, "finish_reason") or finish_reason
                for name, text in _texts(_field(choice, "delta")):
                    characters += len(text)
                    parts[name].append(text)
                    if name == "content":
                        wrote(text)
            if characters > MOST_CHARACTERS:
                raise BadAnswer("The endpoint's answer does not end; use another server or model.")
    except (ValueError, TypeError, RecursionError) as error:  # json.JSONDecodeError is a ValueError
        raise BadAnswer(NO_JSON) from error
    if finish_reason is None:
        raise Unreachable("The endpoint broke its answer off; see whether the server still runs.")
    message = {name: "".join(pieces) for name, pieces in parts.items() if pieces}
    return {"choices": [{"message": message, "finish_reason": finish_reason}], "usage": usage}


def tokens_of(reply: object) -> int:
    """How many tokens the answer has, as the server tells; 0 where it does not."""
    tokens = _field(_field(reply, "usage"), "completion_tokens")
    return tokens if isinstance(tokens, int) and 0 <= tokens < MOST_TOKENS else 0


def _texts(delta: object) -> Iterator[tuple[str, str]]:
    """What a piece says, by what it is."""
    for name in TEXTS:
        if text := _field(delta, name):
            yield name, str(text)


def _field(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None
