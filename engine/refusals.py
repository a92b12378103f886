"""What a server's refusal means: an HTTP status and the server's words, as one of our errors.

Servers agree on neither: llama.cpp answers 500 for a model without vision, LM Studio 400, Ollama 404 for a model that
vLLM calls 404 in other words. The words are matched as the servers' sources and issue trackers quote them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .chat import shortened
from .errors import Busy, EngineError, NoVision, Refused, UnknownModel, Unreachable, WrongKey

BUSY = (429, 503)
NO_VISION = re.compile(
    r"not a multimodal model|at most 0 image"  # vLLM
    r"|image input is not supported"  # llama.cpp
    r"|not support image|missing data required for image input"  # LM Studio, Ollama
    r"|only supported by certain models|support image input|vision is not supported",  # OpenAI, OpenRouter, others
    re.IGNORECASE,
)
UNKNOWN_MODEL = re.compile(
    r"model_not_found|\bmodel\b.*(does not exist|not found|is not available)|no models? (is |are )?loaded|try pulling",
    re.IGNORECASE | re.DOTALL,
)
TOO_MANY = re.compile(r"at most (\d+) image", re.IGNORECASE)  # vLLM
NO_SCHEMA = re.compile(r"response_format|json_schema|structured output|grammar", re.IGNORECASE)


BY_STATUS: Mapping[int, tuple[type[EngineError], str]] = {
    # without the server's words: some repeat the key
    401: (WrongKey, "{url} refused the API key (401); set IMG2PROMPT_API_KEY to one that it accepts."),
    403: (WrongKey, "{url} refused the API key (403); set IMG2PROMPT_API_KEY to one that it accepts."),
    404: (Refused, "{url} is no OpenAI-compatible API ({words}); correct the endpoint, usually ending in /v1."),
    405: (Refused, "{url} is no OpenAI-compatible API ({words}); correct the endpoint, usually ending in /v1."),
    413: (Refused, "{url} refused the request as too large ({words}); lower IMG2PROMPT_MAX_PIXELS."),
    429: (Busy, "{url} has no room now ({words}); try again later, or lower IMG2PROMPT_MAX_IN_FLIGHT."),
    502: (Unreachable, "The server behind {url} does not answer ({words}); see whether it runs."),
    503: (Busy, "{url} has no room now ({words}); try again later, or lower IMG2PROMPT_MAX_IN_FLIGHT."),
    504: (Unreachable, "The server behind {url} does not answer ({words}); see whether it runs."),
}
REDIRECTED = "{url} only points elsewhere ({words}); set IMG2PROMPT_ENDPOINT to where the API really is."
SCHEMA_REFUSED = (
    "{url} refused the JSON schema of the answer ({words}); use a server with response_format json_schema, such as "
    "vLLM, llama.cpp, LM Studio or Ollama."
)
FAILED = "{url} failed while it answered ({words}); look at the server's log."
TOO_MANY_PICTURES = (
    "{url} takes at most {most} pictures in one request; use fewer, or start the server with a higher limit "
    "(--limit-mm-per-prompt)."
)
REFUSED = (
    "{url} refused the request ({words}); use fewer or smaller pictures or a shorter instruction, or look at the "
    "server's log."
)


def explain(status: int, body: object, *, url: str, model: str, served: Sequence[str]) -> EngineError:
    """The error for a reply with `status`. `body` is its JSON or text, without our API key in it."""
    text = str(body)
    words = f"{status}: {shortened(_message(body))}"
    if NO_VISION.search(text):
        return NoVision(
            f"The model {model} takes no pictures ({words}); serve one with vision, such as Qwen3-VL "
            "(llama.cpp: with its mmproj file)."
        )
    if status in (400, 404) and UNKNOWN_MODEL.search(text):
        return unknown_model(model, url, served)
    if status == 400 and (most := TOO_MANY.search(text)):
        return Refused(TOO_MANY_PICTURES.format(url=url, most=most[1]))
    kind, sentence = BY_STATUS.get(status) or (Refused, _other(status, text))
    return kind(sentence.format(url=url, words=words))


def unknown_model(model: str, url: str, served: Sequence[str]) -> UnknownModel:
    """The error for a model that the endpoint does not serve, naming those that it does."""
    if served:
        return UnknownModel(
            f"{url} does not serve {model}; set IMG2PROMPT_MODEL to one that it serves: {_list(served)}."
        )
    return UnknownModel(f"{url} serves no model {model}".rstrip() + "; load a model with vision there.")


def _other(status: int, text: str) -> str:
    if 300 <= status < 400:
        return REDIRECTED
    if NO_SCHEMA.search(text):
        return SCHEMA_REFUSED
    return FAILED if status >= 500 else REFUSED


def _message(body: object) -> object:
    """The sentence in an error's body, whichever way the server wraps it."""
    match body:
        case {"error": Mapping() | str() as inner}:
            return _message(inner)
        case {"message": str() as message} | {"detail": str() as message}:
            return message
    return body


def _list(names: Sequence[str]) -> str:
    more = f", and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
