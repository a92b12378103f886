"""Reads of one token at the real vLLM: which tokens are yes and no there, and how likely each is."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from img2prompt.engine import Engine, Settings
from img2prompt.engine.client import ChatClient
from img2prompt.prompts import ImageAnalysis, analysis_request, confidence_request, rated
from img2prompt.tests.seeing_model.scenes import draw, new_scene
from img2prompt.tests.vllm.server import CHECKPOINT, VllmServer
from tokenizers import Tokenizer

PHRASES = [f"{shade} {color}" for shade in ("pale", "dark", "deep") for color in ("red", "green", "blue", "black")]


@pytest.fixture(scope="module")
def engine(vllm_server: VllmServer) -> Iterator[Engine]:
    settings = Settings(cache=False, temperature=0.0)
    engine = Engine(ChatClient(settings, vllm_server.url, vllm_server.api_key), settings)
    yield engine
    engine.close()


def test_each_tag_is_one_token_on_the_cached_picture(engine: Engine, vllm_server: VllmServer) -> None:
    chance = Random(820)
    picture = draw(new_scene(chance), 256, 256, chance)
    found = engine.ask(analysis_request(picture)).model_dump()
    found = ImageAnalysis.model_validate(found | {"subjects": [], "setting": [], "tags": PHRASES})

    def counted(name: str) -> float:
        return vllm_server.metric(f"vllm:{name}_total")

    request = confidence_request(picture, found)
    first = engine.ask(request)  # learns the tokens, too
    asked, written, cached = vllm_server.answered(), counted("generation_tokens"), counted("prefix_cache_hits")
    again = engine.ask(request)
    assert vllm_server.answered() - asked == counted("generation_tokens") - written == len(PHRASES)
    assert (counted("prefix_cache_hits") - cached) / len(PHRASES) > 64  # the picture's tokens are some of them
    assert again.yes == pytest.approx(first.yes, rel=1e-3)
    # the small model never learned to say yes or no: what it tells lies between, and the picture's tags all differ
    assert all(0 < one < 1 for one in first.yes)
    assert len(set(first.yes)) > len(PHRASES) / 2
    assert rated(found, first, 0.0).tags == PHRASES


def test_the_likelihoods_are_those_of_yes_and_no(engine: Engine, vllm_server: VllmServer) -> None:
    """The tokens that were learned from the server are those of the checkpoint's own tokenizer."""
    tokenizer = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))
    own = {f"token_id:{tokenizer.encode(word).ids[0]}": word[0] in "yY" for word in ("yes", "Yes", "no", "No")}
    chance = Random(821)
    engine.ask(confidence_request(draw(new_scene(chance), 256, 256, chance), _one_tag()))
    backend = engine._backend  # type: ignore[reportPrivateUsage]
    assert isinstance(backend, ChatClient)
    assert backend._reads._yes == own  # type: ignore[reportPrivateUsage]


def _one_tag() -> ImageAnalysis:
    from img2prompt.tests.unit.prompts.examples import analysis

    return analysis(tags=["a circle"])
