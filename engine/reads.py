"""Questions of yes or no about a picture, each a request of its own for one token, all at once: what is read is not
the token but how likely "yes" is beside "no".

All share the system prompt and the picture, which is encoded once; a server that caches prefixes computes it once, too.
vLLM tells how likely any token is that is asked for (`logprob_token_ids`); other servers tell of the likeliest
(`top_logprobs`). To vLLM the picture is sent once, under a name (`uuid`) that all others give in its place: to receive
and decode it 30 times costs vLLM's front end twice as much. It opens no connection.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import to_json

from ..prompts.confidence import Probabilities
from .chat import Chat, messages, shortened
from .errors import AnswerCutOff, BadAnswer, NoVision, Refused
from .served import Served

Post = Callable[[Callable[[], bytes]], Awaitable[object]]
"""Sends a body, made when its turn has come, and gives the reply."""
Yes = Mapping[str, bool]
"""A token, as replies name it → whether it begins "yes" (else "no")."""

WORDS = {"yes": True, "Yes": True, "no": False, "No": False}
LIKELIEST = 20
"""How many tokens a server is asked to tell of: the most that the OpenAI API allows."""
WITHOUT = "set the least confidence to 0"
"""How an error's sentence ends."""
MARK = "\0"
"""Stands where a question goes. JSON writes it as six characters that no text of ours has."""


class Reads:
    """Reads of one endpoint. Use it on one event loop."""

    def __init__(self) -> None:
        self._of: Served | None = None
        self._yes: Yes = {}
        self._learning = asyncio.Lock()

    async def answer(self, chat: Chat[Any], served: Served, post: Post) -> Probabilities:
        """How likely "yes" is to each line of the instruction. Raises EngineError: what `post` raises, and BadAnswer
        where the replies do not tell."""
        questions = chat.instruction.splitlines()
        if not questions:
            return Probabilities(yes=[])
        yes = await self._yes_of(served, post)
        whole, named = await asyncio.to_thread(_bodies, chat, served, yes)

        async def read(question: str, body: _Body) -> float:
            return likely(await post(lambda: body.about(question)), yes)

        if named is None:
            return Probabilities(yes=await _all([read(question, whole) for question in questions]))
        known = True

        async def read_by_name(question: str) -> float:
            nonlocal known
            if known:
                try:
                    return await read(question, named)
                except (Refused, NoVision):  # it went to another server behind the endpoint, say
                    known = False
            return await read(question, whole)

        first = await read(questions[0], whole)
        return Probabilities(yes=[first, *await _all([read_by_name(question) for question in questions[1:]])])

    async def _yes_of(self, served: Served, post: Post) -> Yes:
        """The tokens to look for, learned once for each model that is served; {}: where only their texts are told."""
        if not served.is_vllm:
            return {}
        async with self._learning:
            if self._of is not served:
                bodies = [_beginning_with(word, served.model) for word in WORDS]
                self._yes = first_tokens(await _all([post(lambda body=body: body) for body in bodies]))
                self._of = served
            return self._yes


async def _all(waiting: list[Any]) -> list[Any]:
    """The results of all, in their order. The first that fails cancels the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in waiting]
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
        raise first from first.__cause__
    return [task.result() for task in tasks]


@dataclass(frozen=True, slots=True)
class _Body:
    """The bodies of all reads that are the same but for the question."""

    before: bytes
    after: bytes

    @classmethod
    def of(cls, payload: dict[str, Any]) -> _Body:
        before, after = to_json(payload).split(to_json(MARK))
        return cls(before, after)

    def about(self, question: str) -> bytes:
        return self.before + to_json(question) + self.after


def _bodies(chat: Chat[Any], served: Served, yes: Yes) -> tuple[_Body, _Body | None]:
    """With the whole picture, and, for vLLM, with its name alone. Encodes the picture: CPU work."""
    payload: dict[str, Any] = {
        "model": served.model,
        "messages": messages(replace(chat, instruction=MARK)),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": LIKELIEST,
    }
    if not served.is_vllm:
        return _Body.of(payload), None
    payload["logprob_token_ids"] = [int(name.rpartition(":")[2]) for name in yes]
    payload["return_tokens_as_token_ids"] = True
    (picture,) = (part for part in payload["messages"][1]["content"] if part["type"] == "image_url")
    # vLLM trusts the name: nobody must be able to guess it, or to have given it to another picture
    picture["uuid"] = secrets.token_hex(16)
    whole = _Body.of(payload)
    picture["image_url"] = None
    return whole, _Body.of(payload)


def _beginning_with(word: str, model: str) -> bytes:
    """A request that only asks how an answer that begins with a word is cut into tokens, after the chat's own marks."""
    payload = {
        "model": model,
        "messages": [{"role": "user", "content": "Yes or no?"}, {"role": "assistant", "content": word}],
        "add_generation_prompt": False,
        "continue_final_message": True,
        "return_token_ids": True,
        "max_tokens": 1,
        "temperature": 0.0,
    }
    return to_json(payload)


def first_tokens(replies: list[Any]) -> Yes:
    """The tokens with which the answers of WORDS begin, from the replies to `_beginning_with` each of them: a long word
    may be several tokens, and its first tells it from the others. Raises BadAnswer."""
    prompts: list[Any] = [reply.get("prompt_token_ids") for reply in replies if isinstance(reply, dict)]
    if len(prompts) < len(WORDS) or not all(isinstance(ids, list) and ids and _numbers(ids) for ids in prompts):
        raise BadAnswer(
            "This vLLM does not tell its tokens (return_token_ids), so confidence cannot be read from it; update it, "
            f"or {WITHOUT}."
        )
    apart = (at for at, tokens in enumerate(zip(*prompts, strict=False)) if len(set(tokens)) > 1)
    at = next(apart, min(map(len, prompts)))
    found = {f"token_id:{ids[at]}": yes for ids, yes in zip(prompts, WORDS.values(), strict=True) if ids[at:]}
    if len(set(found.values())) < 2:
        raise BadAnswer(
            'In this model\'s tokens "yes" and "no" begin alike, so confidence cannot be read from it; use another '
            f"model, or {WITHOUT}."
        )
    return found


def _numbers(ids: list[Any]) -> bool:
    return all(isinstance(one, int) for one in ids)


def likely(reply: object, yes: Yes) -> float:
    """How likely "yes" is beside "no" in the reply to a read, from 0 to 1. Raises AnswerCutOff or BadAnswer."""
    said, told = _told(reply)
    found: dict[bool, list[float]] = {True: [], False: []}
    for token, logprob in told:
        means = yes.get(token) if yes else WORDS.get(token.strip().lower())
        if means is not None:
            found[means].append(logprob)
    if not any(found.values()):
        raise BadAnswer(
            f'The model began its answer with {shortened(said)!r} where "yes" or "no" was asked for, so confidence '
            f"cannot be read from it; use an Instruct model, or {WITHOUT}."
        )
    best = max(found[True] + found[False])
    weights = {means: sum(math.exp(one - best) for one in logprobs) for means, logprobs in found.items()}
    return weights[True] / (weights[True] + weights[False])


def _told(reply: object) -> tuple[str, list[tuple[str, float]]]:
    """The first token of a reply, and what it might have been instead, with the logarithm of how likely that was.
    Raises AnswerCutOff or BadAnswer."""
    match reply:
        case {"choices": [{"finish_reason": "abort"}, *_]}:
            raise AnswerCutOff("The server aborted the answer; ask again.")
        case {"choices": [{"logprobs": {"content": [{"token": str() as said, "top_logprobs": [*listed]}, *_]}}, *_]}:
            told = [
                (one["token"], float(one["logprob"]))
                for one in listed
                if isinstance(one, dict)
                and isinstance(one.get("token"), str)
                and isinstance(one.get("logprob"), int | float)
                and math.isfinite(one["logprob"])
            ]
            if told:
                return said, told
    raise BadAnswer(
        "The endpoint does not tell how likely its words are (logprobs), so confidence cannot be read from it; use a "
        f"server that does, such as vLLM or llama.cpp, or {WITHOUT}."
    )
