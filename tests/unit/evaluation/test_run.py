"""A side is run against an endpoint that looks at the pixels: what it saw is measured, and failures are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from img2prompt.engine import Engine
from img2prompt.engine.errors import NoEngine, StartFailed, Unreachable
from img2prompt.evaluation import run as run_module
from img2prompt.evaluation.contenders import Asking
from img2prompt.evaluation.errors import EvaluationError
from img2prompt.evaluation.references import Reference
from img2prompt.evaluation.run import HOPELESS, run
from img2prompt.evaluation.tag_sets import TagSets
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.evaluation.conftest import COLORS, MakeContender

TAG_SETS = TagSets()


def test_each_picture_is_measured_by_its_own_answer(
    server: SeeingServer, references: list[Reference], contender: MakeContender
) -> None:
    server.control.script = [{"delay_s": 0.2 - 0.03 * place} for place in range(len(COLORS))]  # the last comes first
    done = run(contender(), references, TAG_SETS)
    assert (done.engine, done.model, done.failures) == ("endpoint", "seeing-model", {})
    for color, outcome in zip(COLORS, done.outcomes, strict=True):
        assert outcome.tags and outcome.written
        assert {f"{color} center", "white border"} <= outcome.tags
        # two of three, among all that was written
        assert outcome.scores["tag_recall"] == pytest.approx(2 / 3)
        assert outcome.scores["tag_precision"] == pytest.approx(2 / len(outcome.tags))
        # "a <color> center on a white border, 64x48" has 8 words, the reference 3 of them
        assert outcome.scores["caption_overlap"] == pytest.approx(2 * (3 / 8) / (3 / 8 + 1))
        assert outcome.scores["budget_use"] == outcome.written.tokens / 75
        assert (outcome.asked, outcome.scores["answered"], outcome.scores["asked_again"]) == (1, 1, 0)
        assert outcome.seconds is not None and 0 < outcome.seconds < done.wall_s + 1
        assert "prompt_overlap" not in outcome.scores, "no prompt is known"


def test_a_known_prompt_is_compared_as_tags_and_as_words(references: list[Reference], contender: MakeContender) -> None:
    known = [replace(references[0], tags=(), prompt="masterpiece, (red_center:1.2), unicorn")]
    in_tags = run(contender(), known, TAG_SETS).outcomes[0]
    in_prose = run(contender(Asking("flux1")), known, TAG_SETS).outcomes[0]
    assert in_tags.scores["tag_recall"] == 0.5
    assert in_prose.tags is None and "tag_f1" not in in_prose.scores
    assert in_tags.scores["prompt_overlap"] > 0 < in_prose.scores["prompt_overlap"]


def test_a_text_counts_as_the_caption(references: list[Reference], contender: MakeContender) -> None:
    done = run(contender(Asking("sdxl", preset="alt-text")), references, TAG_SETS)
    for color, outcome in zip(COLORS, done.outcomes, strict=True):
        assert outcome.written and outcome.written.caption == f"a {color} center on a white border, 64x48"
        assert outcome.scores.keys() == {"caption_overlap", "repeated_words", "answered", "asked_again", "seconds"}


def test_what_fails_is_told_by_kind_and_ends_nothing(
    server: SeeingServer,
    references: list[Reference],
    contender: MakeContender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "HANDED_OVER", 1)  # so that the script's entries are used in the pictures' order
    references[4].image.write_bytes(b"no picture")
    cut = {"finish_reason": "length"}
    server.control.script = [cut, {}, cut, cut, {"content": "A cat."}]
    done = run(contender(), references, TAG_SETS)
    assert done.failures == {"AnswerCutOff": 1, "BadAnswer": 1, "PictureError": 1}
    assert [(one.failure, one.asked) for one in done.outcomes] == [
        *(("", 2), ("AnswerCutOff", 2), ("BadAnswer", 1), ("", 1), ("PictureError", 0), ("", 1)),
    ]
    assert [one.scores["answered"] for one in done.outcomes] == [1, 0, 0, 1, 0, 1]
    assert [one.scores.get("asked_again") for one in done.outcomes] == [1, 1, 0, 0, None, 0]
    assert "not a picture" in done.outcomes[4].message
    assert {one.written is None for one in done.outcomes if one.failure} == {True}


def test_an_analysis_that_says_nothing_is_a_failure(
    server: SeeingServer, references: list[Reference], contender: MakeContender
) -> None:
    with pytest.raises(EvaluationError, match="the last so: The analysis of this picture says nothing of its subject"):
        run(contender(Asking("sdxl", look_at="subject")), references, TAG_SETS)
    assert server.counts.requests == len(references)


def test_kept_answers_count_only_if_asked_for(
    server: SeeingServer, references: list[Reference], contender: MakeContender
) -> None:
    side = contender(cache=True)
    for cached, asked in ((False, 6), (True, 12), (True, 12), (False, 18)):
        done = run(side, references, TAG_SETS, cached=cached)
        assert server.counts.requests == asked
    kept = run(side, references, TAG_SETS, cached=True)
    assert [(one.asked, one.seconds, "seconds" in one.scores) for one in kept.outcomes] == [(0, None, False)] * 6
    assert {"answered", "tag_f1"} <= kept.outcomes[0].scores.keys()
    assert done.outcomes[0].asked == 1


def test_where_nothing_but_failures_come_it_ends_early(
    server: SeeingServer, references: list[Reference], contender: MakeContender
) -> None:
    server.control.most_pictures = 0
    with pytest.raises(EvaluationError, match=f"own settings: {HOPELESS} pictures failed .* takes no pictures"):
        run(contender(max_in_flight=1), references * 20, TAG_SETS)
    assert server.counts.requests < 120


def test_nobody_there_is_an_error_and_no_measurement(references: list[Reference], contender: MakeContender) -> None:
    with pytest.raises(Unreachable, match="Nobody answers"):
        run(contender(endpoint="http://127.0.0.1:9/v1"), references, TAG_SETS)
    with pytest.raises(NoEngine):
        run(contender(engine="endpoint", endpoint=""), references, TAG_SETS)


def test_ctrl_c_cancels_what_is_on_its_way(
    server: SeeingServer, references: list[Reference], contender: MakeContender
) -> None:
    server.control.script = [{}, *[{"delay_s": 60}] * 5]

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(contender(), references, TAG_SETS, progress=interrupted)
    assert server.counts.answered == 1, "nobody waited for the others"


def test_the_sketch_can_be_measured(references: list[Reference], contender: MakeContender) -> None:
    done = run(contender(engine="sketch"), references, TAG_SETS)
    assert (done.engine, done.failures) == ("sketch", {})
    assert [(one.asked, one.seconds) for one in done.outcomes] == [(0, None)] * 6
    assert done.wall_s > 0


@pytest.mark.parametrize(("more_follow", "gpu_bytes", "slept"), [(True, 9, 1), (False, 9, 0), (True, 0, 0)])
def test_the_gpu_is_given_back_to_the_next_and_an_error_costs_no_measurement(
    references: list[Reference],
    contender: MakeContender,
    monkeypatch: pytest.MonkeyPatch,
    more_follow: bool,
    gpu_bytes: int,
    slept: int,
) -> None:
    calls: list[Engine] = []

    def sleep(engine: Engine) -> None:
        calls.append(engine)
        raise StartFailed("It is stuck.")

    monkeypatch.setattr(Engine, "sleep", sleep)
    monkeypatch.setattr(Engine, "gpu_bytes", gpu_bytes)
    done = run(contender(), references[:2], TAG_SETS, more_follow=more_follow)
    assert len(calls) == slept and len(done.outcomes) == 2
    assert ("did not give the GPU back: It is stuck." in done.detail) == bool(slept)
