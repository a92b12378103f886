"""What is given to workers on Ray, and what is said where there is none. No Ray: tests/ray has that."""

from __future__ import annotations

import os
import pickle
import sys

import pytest
from img2prompt.captions import CaptionError, on_ray
from img2prompt.captions.find import Found, find
from img2prompt.captions.on_ray import OnRay, Worker
from img2prompt.captions.task import Task
from img2prompt.engine.errors import NoEngine, SettingsError
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import Album


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "_begin", lambda address, workers: False)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # a worker changes that of its process


def given(worker: Worker, *pictures: Found) -> list[object]:
    """The outcomes that a worker has for them."""
    batch = {"picture": [pickle.dumps((found, "")) for found in pictures]}
    return [pickle.loads(one)[0] for one in worker(batch)["outcome"]]


def test_a_worker_is_told_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "ENDPOINT": "http://a:1/v1",
        "ENDPOINTS": '["http://b:1/v1"]',
        "API_KEY": "sk-secret",
        "MAX_PIXELS": "90000",
    }
    for name, value in {**settings, "TEMPERATURE": "0.5", "CACHE_DIR": "/mine"}.items():
        monkeypatch.setenv(f"IMG2PROMPT_{name}", value)
    asked = OnRay(workers=1)._asked(Task())
    assert asked.endpoints == ("http://a:1/v1", "http://b:1/v1")
    assert dict(asked.settings) == {"IMG2PROMPT_TEMPERATURE": "0.5", "IMG2PROMPT_MAX_PIXELS": "90000"}
    assert b"secret" not in pickle.dumps(asked)
    assert OnRay(workers=1, endpoints=["http://c:1/v1"])._asked(Task()).endpoints == ("http://c:1/v1",)


def test_the_sketch_engine_is_that_of_the_workers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG2PROMPT_ENGINE", "sketch")
    asked = OnRay(workers=1)._asked(Task())
    assert (asked.endpoints, dict(asked.settings)) == ((), {"IMG2PROMPT_ENGINE": "sketch"})


def test_a_worker_gives_rows_and_errors(album: Album, server: SeeingServer) -> None:
    album.add("a.png", "b.png").folder.joinpath("c.png").touch()
    outcomes = given(Worker(OnRay(workers=1)._asked(Task())), *find(album.folder))
    assert [type(one).__name__ for one in outcomes] == ["list", "list", "PictureError"]
    assert server.counts.requests == 2


def test_a_worker_without_an_engine_says_so_with_each_picture(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised while it is made, Ray would make another, and another."""
    album.add("a.png", "b.png")
    nobody = on_ray.Asked(Task(), (), 0, (("IMG2PROMPT_ENGINE", "endpoint"),))
    assert [type(one) for one in given(Worker(nobody), *find(album.folder))] == [NoEngine] * 2
    wrong = on_ray.Asked(Task(), (), 0, (("IMG2PROMPT_TEMPERATURE", "hot"),))
    assert [type(one) for one in given(Worker(wrong), *find(album.folder))] == [SettingsError] * 2


def test_where_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(CaptionError, match="--ray needs Ray; install it"):
        on_ray.load_ray()
