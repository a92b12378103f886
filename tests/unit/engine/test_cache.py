from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from img2prompt.engine import cache as cache_module
from img2prompt.engine.cache import AnswerCache, answer_key
from img2prompt.engine.chat import prepare, question
from img2prompt.engine.errors import CacheError
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request, Sampling
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from PIL import Image
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from img2prompt.tests.unit.engine.conftest import MakeEngine


class Word(BaseModel):
    word: str


class ShortWord(BaseModel):
    word: str = Field(max_length=1)


MIB = 2**20
LONG = Word(word="x" * 2000)
"""As long as an analysis."""


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
    with pytest.raises(Exception, match=r"Picture \d of 4: "):
        engine.ask_many(requests)
    first = [payload["seed"] for payload in server.counts.payloads]  # in the order in which they were encoded
    assert len(engine.ask_many(requests)) == 4
    # a fourth may have been sent, and cancelled, when the third failed
    asked = [payload["seed"] for payload in server.counts.payloads]
    assert [asked.count(seed) for seed in first[:3]] == [1, 1, 2]


def taken(folder: Path) -> int:
    """Bytes on disk."""
    return sum(file.stat().st_size for file in folder.iterdir())


def test_the_answers_not_used_for_longest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000_000_000
    monkeypatch.setattr(cache_module.time, "time_ns", lambda: now)
    cache = AnswerCache(tmp_path / "answers.sqlite3", max_bytes=2 * MIB)
    for index in range(200):
        now += 1
        cache.put(f"{index:03}", LONG)
    now += 2 * cache_module.USED_AGAIN_NS
    assert cache.get("000", Word) == LONG
    for index in range(200, 300):
        now += 1
        cache.put(f"{index:03}", LONG)
    kept = [index for index in range(300) if cache.get(f"{index:03}", Word) is not None]
    assert kept == [0, *range(kept[1], 300)]
    assert 1 < kept[1] <= 200
    cache.close()


def test_the_files_never_take_more_than_they_may(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite3", max_bytes=3 * MIB)
    most = 0
    for index in range(2000):
        cache.put(str(index), LONG)
        most = max(most, taken(tmp_path))
    assert 2 * MIB < most <= 3 * MIB
    assert cache.get("1999", Word) == LONG
    cache.close()
    smaller = AnswerCache(tmp_path / "answers.sqlite3", max_bytes=1 * MIB)
    smaller.put("new", LONG)
    smaller.close()
    assert taken(tmp_path) <= 1 * MIB
    assert smaller.get("new", Word) == smaller.get("1999", Word) == LONG
    smaller.close()


def test_an_answer_larger_than_the_whole_cache_is_not_kept(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite3", max_bytes=1 * MIB)
    cache.put("key", Word(word="x" * 4 * MIB))
    assert cache.get("key", Word) is None
    cache.put("other", LONG)
    assert taken(tmp_path) <= 1 * MIB
    cache.close()
    assert taken(tmp_path) <= 1 * MIB


def test_a_file_of_an_older_version_shrinks_too(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(cache_module.TABLE)
        rows = ((str(index), LONG.model_dump_json(), index) for index in range(1500))
        database.executemany("INSERT INTO answers VALUES (?, ?, ?)", rows)
    database.close()
    assert taken(tmp_path) > 3 * MIB
    cache = AnswerCache(path, max_bytes=2 * MIB)
    assert cache.get("1499", Word) == LONG
    cache.put("new", LONG)
    assert cache.get("0", Word) is None
    assert cache.get("1499", Word) == cache.get("new", Word) == LONG
    cache.close()
    assert taken(tmp_path) <= 2 * MIB


def test_an_answer_that_no_longer_fits_is_asked_again(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.sqlite3")
    cache.put("key", Word(word="long"))
    assert cache.get("key", ShortWord) is None
    cache.put("key", ShortWord(word="s"))
    assert cache.get("key", ShortWord) == ShortWord(word="s")
    cache.close()


class Colors(BaseModel):
    caption: str = Field(max_length=100)
    colors: list[str] = Field(max_length=3)


class OtherColors(BaseModel):
    caption: str = Field(max_length=99)
    colors: list[str] = Field(max_length=3)


OtherColors.__name__ = OtherColors.__qualname__ = "Colors"

PICTURE = draw("red", size=(640, 480))
ASKED = Request((PICTURE,), "Look.", Colors, Sampling(seed=1))


def key_of(
    request: Request[Any], *, identity: str = "model", max_pixels: int = MIB, warmth: float | None = None
) -> str:
    return answer_key(identity, question(prepare(request, max_pixels, warmth)))


def one_pixel_changed() -> Image.Image:
    picture = PICTURE.copy()
    picture.putpixel((3, 3), (254, 254, 254) if picture.getpixel((3, 3)) == (255, 255, 255) else (255, 255, 255))
    return picture


OTHERS: dict[str, Callable[[], str]] = {
    "one pixel": lambda: key_of(replace(ASKED, pictures=(one_pixel_changed(),))),
    "size": lambda: key_of(replace(ASKED, pictures=(PICTURE.transpose(Image.Transpose.ROTATE_90),))),
    "same bytes, other size": lambda: key_of(
        replace(ASKED, pictures=(Image.frombytes("RGB", (320, 960), PICTURE.tobytes()),))
    ),
    "number of pictures": lambda: key_of(replace(ASKED, pictures=(PICTURE, PICTURE))),
    "pixel budget": lambda: key_of(ASKED, max_pixels=640 * 479),
    "preset": lambda: key_of(replace(ASKED, instruction="Look again.")),
    "schema": lambda: key_of(Request((PICTURE,), "Look.", OtherColors, Sampling(seed=1))),
    "schema's name": lambda: key_of(Request((PICTURE,), "Look.", Word, Sampling(seed=1))),
    "model": lambda: key_of(ASKED, identity="another model"),
    "temperature in the settings": lambda: key_of(ASKED, warmth=0.125),
    **{
        part.name: partial(
            lambda name: key_of(
                replace(ASKED, sampling=replace(ASKED.sampling, **{name: other(ASKED.sampling, name)}))
            ),
            part.name,
        )
        for part in fields(Sampling)
    },
}


def other(sampling: Sampling, name: str) -> float:
    return getattr(sampling, name) + 1


@pytest.mark.parametrize("part", OTHERS)
def test_each_part_of_the_question_is_in_its_key(part: str) -> None:
    assert OTHERS[part]() != key_of(ASKED)


def test_the_system_prompt_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of(ASKED)
    chat = prepare(ASKED, MIB, None)
    assert answer_key("model", question(chat)) == before
    assert answer_key("model", question(replace(chat, system="Other words."))) != before


def test_what_is_no_part_of_the_question_is_not_in_its_key(tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "named.png", pnginfo=None, dpi=(300, 300))
    again = Image.open(tmp_path / "named.png")
    assert key_of(replace(ASKED, pictures=(again,))) == key_of(ASKED)
    assert key_of(replace(ASKED, pictures=(PICTURE.convert("RGBA"),))) == key_of(ASKED)
    assert key_of(ASKED, max_pixels=640 * 480) == key_of(ASKED)


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
_, path, name, most = sys.argv
cache = AnswerCache(Path(path), max_bytes=2 * 2**20)
for index in range(int(most)):
    cache.put(f"{name}-{index}", Word(word=name * 1000))
    found = cache.get(f"{name}-{index}", Word)  # the others may have dropped it in between
    assert found is None or found.word == name * 1000
    if index == 100:
        print("writing", flush=True)
"""


def writer(path: Path, name: str, most: int = 400) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITE, str(path), name, str(most)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def check_whole(path: Path) -> None:
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


def test_several_processes_write_at_one_time_and_one_of_them_is_killed(tmp_path: Path) -> None:
    """Each writes more than fits, so all of them drop answers, too."""
    path = tmp_path / "answers.sqlite3"
    writers = [writer(path, name) for name in "abcd"]
    victims = [writer(path, name, most=1_000_000) for name in "xy"]
    for victim in victims:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"writing\n"
        victim.kill()
        assert victim.wait(60) == -signal.SIGKILL
    assert [one.wait(100) for one in writers] == [0, 0, 0, 0]
    for one in [*writers, *victims]:
        assert one.stdout is not None
        one.stdout.close()
    check_whole(path)
    cache = AnswerCache(path, max_bytes=2 * MIB)
    last = [cache.get(f"{name}-399", Word) for name in "abcd"]
    assert {found.word for found in last if found} & {name * 1000 for name in "abcd"}
    cache.put("new", LONG)
    cache.close()
    assert taken(tmp_path) <= 2 * MIB


def test_many_processes_open_a_new_file_at_one_time(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite3"
    writers = [writer(path, f"w{number}", most=1) for number in range(8)]
    assert [one.wait(100) for one in writers] == [0] * 8
    for one in writers:
        assert one.stdout is not None
        one.stdout.close()
    cache = AnswerCache(path)
    assert all(cache.get(f"w{number}-0", Word) == Word(word=f"w{number}" * 1000) for number in range(8))
    cache.close()
