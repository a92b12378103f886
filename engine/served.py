"""What a server's list of models tells: which of them is asked, whether it is vLLM, and how long its context is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .context import Context
from .errors import Refused
from .refusals import unknown_model
from .settings import Settings

AS_STARTED = "start the server with --max-model-len {needed} or more"
AS_SET = "if the server's context is longer, set IMG2PROMPT_MAX_MODEL_LEN to it"


@dataclass(frozen=True, slots=True)
class Served:
    """What GET /models told."""

    names: tuple[str, ...]
    model: str
    """The one that we ask."""
    is_vllm: bool
    max_model_len: int = 0
    """Tokens; 0 where it was not told. vLLM tells."""

    @classmethod
    def read(cls, reply: object, wanted: str, base_url: str) -> Served:
        """From the body of the reply. `wanted` "": the first that can talk. Raises Refused or UnknownModel."""
        match reply:
            case {"data": list() as listed}:
                entries = [entry for entry in listed if isinstance(entry, Mapping) and entry.get("id")]
            case _:
                raise Refused(
                    f"{base_url} is no OpenAI-compatible API (it lists no models); correct the endpoint, "
                    "usually ending in /v1."
                )
        names = tuple(str(entry["id"]) for entry in entries)
        talkers = [name for name in names if "embed" not in name.lower()]  # LM Studio lists embedding models too
        model = wanted or next(iter(talkers), "")
        if not model:
            raise unknown_model("", base_url, ())
        asked = [entry for entry in entries if model not in names or entry["id"] == model]
        return cls(names, model, "vllm" in [entry.get("owned_by") for entry in asked], _told_length(asked))

    def context(self, settings: Settings) -> Context:
        """Its model's; the one in the settings where it is not told."""
        longer = AS_STARTED if self.max_model_len else AS_SET
        return Context(self.max_model_len or settings.max_model_len, settings.max_pixels, longer)


def _told_length(entries: list[Mapping[str, Any]]) -> int:
    """The shortest context that they tell, in tokens, or 0."""
    told = [entry.get("max_model_len") for entry in entries]
    return min((length for length in told if isinstance(length, int) and length > 0), default=0)
