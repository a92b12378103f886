"""Tags rated by reads of one token, through the whole engine to a server that looks at the pixels; and replies that do
not tell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from img2prompt.engine import Engine, Settings, sketch_engine
from img2prompt.engine.errors import AnswerCutOff, BadAnswer, Busy, Refused
from img2prompt.engine.pool import Pool
from img2prompt.engine.reads import first_tokens, likely
from img2prompt.prompts import Probabilities, analysis_request, confidence_request, rated
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_reads import FITS, FITS_NOT
from img2prompt.tests.seeing_server import Kind, SeeingServer
from img2prompt.tests.unit.prompts.examples import analysis
from pydantic import SecretStr

if TYPE_CHECKING:
    from img2prompt.tests.unit.engine.conftest import MakeEngine

PICTURE = draw("red", "white")
TAGS = ["red center", "blue sky", "white border", "long hair", "red white"]
FOUND = analysis(tags=TAGS)
LIKELY = [pytest.approx(one) for one in (FITS, FITS_NOT, FITS, FITS_NOT, FITS)]
REQUEST = confidence_request(PICTURE, FOUND)
WITHOUT = "set the least confidence to 0"


def reads(server: SeeingServer) -> list[dict[str, Any]]:
    return [payload for payload in server.counts.payloads if "logprobs" in payload]


def carried(payload: dict[str, Any]) -> bool:
    """Whether it brought the picture itself."""
    return payload["messages"][1]["content"][0]["image_url"] is not None


@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "plain"])
def test_the_pixels_decide(kind: Kind, server: SeeingServer, engine: Engine) -> None:
    server.control.kind = kind
    answer = engine.ask(REQUEST)
    assert answer.yes == LIKELY
    assert rated(FOUND, answer, 0.5).tags == ["red center", "white border", "red white"]
    assert len(reads(server)) == len(TAGS)


def test_another_picture_has_other_tags(engine: Engine) -> None:
    blue = engine.ask(confidence_request(draw("blue", "white"), FOUND))
    assert blue.yes == [pytest.approx(one) for one in (FITS_NOT, FITS, FITS, FITS_NOT, FITS_NOT)]


def test_vllm_gets_the_picture_once_and_its_tokens_are_learned_once(server: SeeingServer, engine: Engine) -> None:
    engine.ask(analysis_request(PICTURE))
    for number in range(3):
        engine.ask(confidence_request(PICTURE, analysis(tags=[*TAGS, f"more {number}"])))
    beginnings = [payload for payload in server.counts.payloads if "return_token_ids" in payload]
    assert sorted(payload["messages"][1]["content"] for payload in beginnings) == ["No", "Yes", "no", "yes"]
    assert [carried(payload) for payload in reads(server)] == 3 * [True, *(False for _ in TAGS)]
    # what they have in common with the analysis comes first, so that the server has it in its cache
    looks = [payload["messages"] for payload in server.counts.payloads if "seed" in payload]
    for one in (payload["messages"] for payload in reads(server) if carried(payload)):
        assert (one[0], one[1]["content"][0]["image_url"]) == (looks[0][0], looks[0][1]["content"][0]["image_url"])


def test_where_the_picture_is_not_known_by_name_it_is_sent(server: SeeingServer, engine: Engine) -> None:
    server.control.forgets = True  # as two vLLMs behind one endpoint do
    assert engine.ask(REQUEST).yes == LIKELY
    assert sum(carried(payload) for payload in reads(server)) == len(TAGS)


def test_many_reads_keep_to_the_pace(server: SeeingServer, make_engine: MakeEngine) -> None:
    tags = [f"{number} red" for number in range(40)]
    server.control.delay_s = 0.02
    answers = make_engine(max_in_flight=4).ask_many(
        [confidence_request(draw(color), analysis(tags=tags)) for color in ("red", "blue", "green")]
    )
    assert [[round(yes) for yes in answer.yes] for answer in answers] == [[1] * 40, [0] * 40, [0] * 40]
    assert server.counts.max_in_flight == 4


def test_of_several_servers_one_that_dies_is_left_out(tmp_path: Path) -> None:
    with SeeingServer() as first, SeeingServer() as second:
        settings = Settings(cache=False, cache_dir=tmp_path)
        engine = Engine(Pool(settings, [(one.url, SecretStr("")) for one in (first, second)]), settings)
        first.control.script = second.control.script = [{}] * 6 + [{"hang_up": True}] * 2  # one list for both
        try:
            assert engine.ask_many([REQUEST] * 3) == [engine.ask(REQUEST)] * 3
            assert engine.ask(REQUEST).yes == LIKELY
        finally:
            engine.close()
        assert first.counts.requests and second.counts.requests


def test_a_kept_answer_asks_nobody(server: SeeingServer, make_engine: MakeEngine) -> None:
    engine = make_engine(cache=True)
    assert engine.ask(REQUEST) == engine.ask(REQUEST)
    asked = server.counts.requests
    assert (engine.status().cache_hits, asked) == (1, 4 + len(TAGS))
    assert engine.ask(confidence_request(PICTURE, analysis(tags=[*TAGS, "blue"]))).yes == [
        *LIKELY,
        pytest.approx(FITS_NOT),
    ]
    assert server.counts.requests == asked + len(TAGS) + 1


def test_nothing_to_rate_asks_nobody(server: SeeingServer, engine: Engine) -> None:
    assert engine.ask(confidence_request(PICTURE, analysis())) == Probabilities(yes=[])
    assert server.counts.requests == 0


FULL = {"status": 503, "headers": {"Retry-After": "0"}}


@pytest.mark.parametrize(
    ("kind", "script", "error", "says"),
    [
        ("plain", [{"said": {}}] * 5, BadAnswer, f"not tell how likely.*logprobs.*vLLM or llama.cpp, or {WITHOUT}"),
        ("llamacpp", [{"said": {"The": 0.9, "A": 0.1}}] * 5, BadAnswer, f"began its answer with 'The'.*{WITHOUT}"),
        ("plain", [{}, {"finish_reason": "abort"}], AnswerCutOff, "aborted the answer; ask again"),
        ("plain", [{}, {"status": 500, "body": {"error": {"message": "out of memory"}}}], Refused, "out of memory"),
        ("plain", [FULL] * 25, Busy, "no room now"),
    ],
)
def test_what_goes_wrong(
    kind: Kind, script: list[Any], error: type[Exception], says: str, server: SeeingServer, engine: Engine
) -> None:
    server.control.kind = kind
    server.control.script = list(script)
    with pytest.raises(error, match=says):
        engine.ask(REQUEST)
    server.control.script = []
    assert engine.ask(REQUEST).yes == LIKELY


def test_the_sketch_says_that_it_cannot() -> None:
    with pytest.raises(Refused, match=f"no model that could say how sure it is; {WITHOUT}"):
        sketch_engine().ask(REQUEST)


def reply(**logprobs: float) -> dict[str, Any]:
    """As an OpenAI-compatible server tells of these tokens; underscores are spaces."""
    told = [{"token": token.replace("_", " "), "logprob": one} for token, one in logprobs.items()]
    return {"choices": [{"logprobs": {"content": [{**told[0], "top_logprobs": told}]}}]}


@pytest.mark.parametrize(
    ("told", "yes"),
    [
        (reply(yes=math.log(0.3), no=math.log(0.1), The=math.log(0.6)), 0.75),
        (reply(Yes=math.log(0.2), _yes=math.log(0.4), NO=math.log(0.2)), 0.75),
        (reply(The=-0.1, yes=-3.0), 1.0),
        (reply(The=-0.1, no=-3.0), 0.0),
        (reply(yes=-2000.0, no=-2000.0 + math.log(3)), 0.25),  # no power of e holds them
        (reply(yes=-9999.0, no=0), 0.0),
    ],
)
def test_both_in_any_spelling_make_one(told: dict[str, Any], yes: float) -> None:
    assert likely(told, {}) == pytest.approx(yes)


@pytest.mark.parametrize(
    "told",
    [
        None,
        "yes",
        {},
        {"choices": []},
        {"choices": [{"message": {"content": "yes"}, "logprobs": None}]},
        {"choices": [{"logprobs": {"content": []}}]},
        {"choices": [{"logprobs": {"content": [{"token": "yes", "logprob": -0.1, "top_logprobs": []}]}}]},
        reply(yes=math.nan),
        {"choices": [{"logprobs": {"content": [{"token": "yes", "top_logprobs": [{"token": 5, "logprob": "x"}, 7]}]}}]},
    ],
)
def test_replies_that_do_not_tell(told: object) -> None:
    with pytest.raises(BadAnswer, match="does not tell how likely"):
        likely(told, {})


@pytest.mark.parametrize(
    ("prompts", "found"),
    [
        ([[1, 2, 93], [1, 2, 94], [1, 2, 21], [1, 2, 27]], {93: True, 94: True, 21: False, 27: False}),
        # a tokenizer without whole words for it: y-es, Y-es, no, No
        ([[1, 88, 5], [1, 56, 5], [1, 21], [1, 27]], {88: True, 56: True, 21: False, 27: False}),
        # one without capital letters
        ([[1, 93], [1, 93], [1, 21], [1, 21]], {93: True, 21: False}),
    ],
)
def test_the_first_tokens_of_yes_and_no(prompts: list[list[int]], found: dict[int, bool]) -> None:
    tokens = first_tokens([{"prompt_token_ids": ids} for ids in prompts])
    assert tokens == {f"token_id:{one}": yes for one, yes in found.items()}


@pytest.mark.parametrize(
    ("replies", "says"),
    [
        ([{}] * 4, "does not tell its tokens"),
        ([{"prompt_token_ids": None}] * 4, "does not tell its tokens"),
        ([{"prompt_token_ids": ["yes"]}, *[{"prompt_token_ids": ["no"]}] * 3], "does not tell its tokens"),
        (["no"] * 4, "does not tell its tokens"),
        ([{"prompt_token_ids": [1, 2]}] * 4, '"yes" and "no" begin alike'),  # the template leaves the answer out
        ([{"prompt_token_ids": [1, 7, one]} for one in (7, 8, 7, 8)], '"yes" and "no" begin alike'),
    ],
)
def test_tokens_that_cannot_be_told_apart(replies: list[Any], says: str) -> None:
    with pytest.raises(BadAnswer, match=says):
        first_tokens(replies)
