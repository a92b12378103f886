"""What the seeing server says: an answer whole, as chat completions are, or in pieces."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Protocol

from aiohttp import web

from .seeing import Sight, answer_for

PIECE = re.compile(r"\s*\S+|\s+")
"""What a streamed answer is cut into."""
NO_VISION = {
    "vllm": (400, {"error": {"message": "seeing-model is not a multimodal model", "type": "BadRequestError"}}),
    "llamacpp": (500, {"error": {"code": 500, "message": "image input is not supported - hint: provide the mmproj"}}),
    "plain": (400, {"error": "Model does not support images. Please use a model that does."}),
}


class Pace(Protocol):
    """How fast answers are written; the server's Control."""

    words_per_s: float
    pause_after: int


def completion(payload: dict[str, Any], sights: list[Sight], act: dict[str, Any]) -> dict[str, Any]:
    """The reply to a payload, as the script's entry `act` says."""
    finish_reason = act.get("finish_reason", "stop")
    content = act.get("content")
    if content is None and "refusal" not in act:
        content = json.dumps(answer_for(payload["response_format"]["json_schema"]["schema"], sights))
        if finish_reason != "stop":
            content = content[: len(content) // 2]
    message = {"role": "assistant", "content": content}
    message |= {"reasoning_content": act["reasoning"]} if "reasoning" in act else {}
    message |= {"refusal": act["refusal"]} if "refusal" in act else {}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 100, "completion_tokens": 100, "total_tokens": 200}
    reply = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": payload["model"]}
    return {**reply, "choices": [choice], "usage": usage}


async def stream(
    reply: dict[str, Any], act: dict[str, Any], control: Pace, usage_wanted: bool, request: web.Request
) -> web.StreamResponse:
    """The reply in pieces, as the OpenAI API streams it: a word each."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    (choice,), usage = reply.pop("choices"), reply.pop("usage")
    reply["object"] = "chat.completion.chunk"

    async def send(document: Any) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        await response.write(f"data: {text}\n\n".encode())

    async def send_delta(delta: dict[str, Any], finish_reason: str | None = None) -> None:
        await send({**reply, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    message = choice["message"]
    await send_delta({"role": "assistant", "content": ""})
    for name in ("reasoning_content", "refusal", "content"):
        for number, piece in enumerate(PIECE.findall(message.get(name) or "")):
            if number == act.get("break_after"):
                assert request.transport is not None
                request.transport.close()
                return response
            if number == act.get("error_after"):
                await send({"error": {"message": "EngineCore died", "type": "InternalServerError", "code": 500}})
                return response
            while 0 <= control.pause_after <= number:
                await asyncio.sleep(0.01)
            await asyncio.sleep(1 / control.words_per_s if control.words_per_s else 0)
            await send_delta({name: piece})
    await send_delta({}, choice["finish_reason"])
    if usage_wanted:
        await send({**reply, "choices": [], "usage": usage})
    await send("[DONE]")
    return response
