"""kill -9 of ComfyUI's part, the supervisor, the API server and EngineCore, in any order, of a real vLLM.

Each case kills while it serves, and again while what the next request has started is loading; each time nothing is left
after 10 s, and the request after that is answered. `make test-faults` goes through all cases five times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from img2prompt.tests.vllm.faults import Engine

CASES = (
    (("client",), ("client",)),
    (("supervisor",), ("API server",)),
    (("API server",), ("EngineCore",)),
    (("EngineCore",), ("supervisor",)),
    (("API server", "supervisor"), ("EngineCore", "API server")),
    (("supervisor", "client", "EngineCore"), ("API server", "client", "supervisor")),
)
"""Who is killed while it serves, and who while it loads."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The engine that all cases kill. What was measured goes to --faults=FILE."""
    engine = Engine(tmp_path_factory.mktemp("faults"))
    yield engine
    engine.end()


@pytest.fixture(scope="module")
def record(request: pytest.FixtureRequest) -> Iterator[list[dict[str, object]]]:
    """What happened, a line for each kill; written to the file of --faults."""
    rows: list[dict[str, object]] = []
    yield rows
    if file := request.config.getoption("--faults"):
        with open(file, "a", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(("serving", "loading"), CASES, ids=" + ".join)
def test_nothing_is_left_and_the_next_request_works(
    engine: Engine, record: list[dict[str, object]], serving: tuple[str, ...], loading: tuple[str, ...]
) -> None:
    engine.ask()
    assert "red circle" in engine.answer()
    engine.reach("ready")
    for phase, victims in (("serving", serving), ("loading", loading)):
        if phase == "loading":
            engine.ask()  # nobody may answer it: its asker may be killed
            engine.reach("loading")
        engine.kill(*victims)
        record.append({"while": phase, "killed": victims, "all gone after s": round(engine.seconds[-1], 2)})
    began = time.monotonic()
    if "client" in loading:
        engine.ask()
    assert "red circle" in engine.answer()
    record.append({"next request answered after s": round(time.monotonic() - began, 1)})
