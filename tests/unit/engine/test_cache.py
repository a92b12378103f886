from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from img2prompt.engine import cache as cache_module
from img2prompt.engine.cache import AnswerCache, answer_key
from img2prompt.engine.errors import CacheError
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request, Sampling
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from img2prompt.tests.unit.engine.conftest import MakeEngine


class Word(BaseModel):
    word: str


class ShortWord(BaseModel):
    word: str = Field(max_length=1)


def asking(seed: int = 0, instruction: str = "Look.", center: str = "red") -> Request[ImageAnalysis]:
    return Request((draw(center),), instruction, ImageAnalysis, Sampling(seed=seed))


def test_the_same_is_asked_once_and_anything_else_again(server: SeeingServer, make_engine: MakeEngine) -> None:
    engine = make_engine(cache=True)
    first = engine.ask(asking())
    assert engine.ask(asking()) == first
    assert server.counts.requests == 1
    for count, other in enumerate([asking(seed=1), asking(instruction="Look again."), asking(center="blue")], 2):
        engine.ask(other)
        engine.ask(other)
        assert server.counts.requests == count


def test_equal_pictures_of_one_batch_are_asked_once(server: SeeingServer, make_engine: MakeEngine) -> None:
    server.control.delay_s = 0.05
    answers = make_engine(cache=True).ask_many(asking() for _ in range(6))
    assert len(answers) == 6
    assert server.counts.requests == 1


def test_another_engine_finds_the_answers_and_another_model_does_not(
    server: SeeingServer, make_engine: MakeEngine
) -> None:
    answer = make_engine(cache=True).ask(asking())
    assert make_engine(cache=True).ask(asking()) == answer
    assert server.counts.requests == 1
    server.control.models = ["another-model"]
    make_engine(cache=True).ask(asking())
    assert server.counts.requests == 2


def test_without_the_cache_every_question_is_asked(
    server: SeeingServer, make_engine: MakeEngine, tmp_path: Path
) -> None:
    engine = make_engine(cache=False)
    engine.ask(asking())
    engine.ask(asking())
    assert server.counts.requests == 2
    assert list(tmp_path.iterdir()) == []


def test_answers_got_before_a_failure_are_kept(server: SeeingServer, make_engine: MakeEngine) -> None:
    engine = make_engine(cache=True, max_in_flight=1)
    server.control.script = [{}, {}, {"status": 400}]
    requests = [asking(seed) for seed in range(4)]
    with pytest.raises(Exception, match="Picture 3 of 4: "):
        engine.ask_many(requests)
    assert len(engine.ask_many(requests)) == 4
    # the fourth may have been sent, and cancelled, when the third failed
    asked = [payload["seed"] for payload in server.counts.payloads]
    assert [asked.count(seed) for seed in range(3)] == [1, 1, 2]


def test_the_least_used_answers_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(cache_module.time, "time", lambda: now)
    monkeypatch.setattr(cache_module, "PRUNE_EVERY", 2)
    cache = AnswerCache(tmp_path / "answers.sqlite3", max_answers=10)
    for index in range(10):
        now += 1
        cache.put(str(index), Word(word=str(index)))
    now += 2 * cache_module.USED_AGAIN_S
    assert cache.get("0", Word) == Word(word="0")
    for index in range(10, 15):
        now += 1
        cache.put(str(index), Word(word=str(index)))
    kept = [index for index in range(15) if cache.get(str(index), Word) is not None]
    assert kept == [0, *range(6, 15)]
    cache.close()


def test_an_answer_that_no_longer_fits_is_asked_again(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite3")
    cache.put("key", Word(word="long"))
    assert cache.get("key", ShortWord) is None
    cache.put("key", ShortWord(word="s"))
    assert cache.get("key", ShortWord) == ShortWord(word="s")
    cache.close()


def test_keys_tell_apart() -> None:
    assert answer_key("a", "b") != answer_key("a", "c") != answer_key("ab", "")
    assert len(answer_key("a", "\ud800")) == 64


@pytest.mark.skipif(os.name != "posix", reason="POSIX rights")
def test_only_the_owner_may_read(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "deep" / "er" / "answers.sqlite3")
    assert not (tmp_path / "deep").exists()
    cache.put("key", Word(word="x"))
    files = list((tmp_path / "deep" / "er").iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "deep" / "er").stat().st_mode & 0o777 == 0o700
    cache.close()


def broken(path: Path) -> Path:
    path.write_bytes(b"no database" * 1000)
    return path


def of_another_program(path: Path) -> Path:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE answers (x)")
    database.close()
    return path


def below_a_file(path: Path) -> Path:
    path.write_text("")
    return path / "answers.sqlite3"


@pytest.mark.parametrize("spoil", [broken, of_another_program, below_a_file])
def test_a_file_that_cannot_be_used(spoil: Callable[[Path], Path], tmp_path: Path) -> None:
    cache = AnswerCache(spoil(tmp_path / "answers.sqlite3"))
    for use in (lambda: cache.get("key", Word), lambda: cache.put("key", Word(word="x"))):
        with pytest.raises(CacheError, match=r"answers.sqlite3 cannot .*delete that file, or .*IMG2PROMPT_CACHE=false"):
            use()
    cache.close()


WRITE = """
import sys
from collections.abc import Callable
from pathlib import Path
from img2prompt.engine.cache import AnswerCache
from pydantic import BaseModel
class Word(BaseModel):
    word: str
cache = AnswerCache(Path(sys.argv[1]))
for index in range(100):
    cache.put(f"{sys.argv[2]}-{index}", Word(word=sys.argv[2]))
    assert cache.get(f"{sys.argv[2]}-{index}", Word).word == sys.argv[2]
"""


def test_several_processes_write_at_one_time(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite3"
    names = ["one", "two", "three"]
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, str(path), name]) for name in names]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    cache = AnswerCache(path)
    assert all(cache.get(f"{name}-{index}", Word) == Word(word=name) for name in names for index in range(100))
    cache.close()
