"""One Ray of this machine with two workers, for all tests here: it takes half a minute to start. And one S3 server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from img2prompt.captions.on_ray import OnRay
from img2prompt.tests.ray.store import Store, serving
from img2prompt.tests.seeing_server import Control, Counts, SeeingServer
from img2prompt.tests.unit.captions.album import Album

API_KEY = "sk-never-told-to-ray"
WORKERS = 2


@dataclass
class Cluster:
    """Ray is this process's, and joined by every OnRay; its workers have the settings of when it was started."""

    on_ray: OnRay
    server: SeeingServer
    folder: Path
    """Where Ray keeps its files and logs."""


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    with serving() as store:
        yield store


@pytest.fixture(scope="session")
def session_cluster(store: Store) -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # Ray's sockets want a short path
    with pytest.MonkeyPatch.context() as patch, SeeingServer(api_key=API_KEY) as server:
        patch.setenv("RAY_TMPDIR", str(folder))
        patch.setenv("IMG2PROMPT_SETTINGS", str(folder / "settings.toml"))
        patch.setenv("IMG2PROMPT_CACHE", "false")
        patch.setenv("IMG2PROMPT_API_KEY", API_KEY)
        patch.setenv("IMG2PROMPT_ENDPOINT", server.url)
        with closing(OnRay(workers=WORKERS)) as on_ray:
            yield Cluster(on_ray, server, folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(session_cluster: Cluster) -> Cluster:
    """Nothing set at its server, nothing counted yet."""
    session_cluster.server.control = Control(api_key=API_KEY)
    session_cluster.server.counts = Counts()
    return session_cluster


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path / "my pictures")
