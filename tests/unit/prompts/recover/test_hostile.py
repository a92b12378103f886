"""Whatever a file does to its reader: within memory, without a hang, and RecoverError is all that is ever raised."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import img2prompt
import pytest
from img2prompt.tests.unit.prompts.recover.containers import png
from img2prompt.tests.unit.prompts.recover.hostile import FILES, KEYS, MISSHAPEN
from img2prompt.tests.unit.prompts.recover.mutations import outcome

MOST_MB = 300
"""Of the whole process, with Python, numpy and Pillow in it."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the guard forks")
Outcome = tuple[str, int]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What came of each file and its peak of memory in MB, by name."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = {str(folder / f"{number}"): name for number, name in enumerate(FILES)}
    for path, name in paths.items():
        FILES[name][0](Path(path))
    judged = under_guard("hostile.judge()", *paths)
    return {paths[path]: (came.replace(f"{path}: ", ""), peak) for path, (came, peak) in judged.items()}


def under_guard(code: str, *names: str) -> dict[str, Outcome]:
    """What `judge` prints of these, in a fresh Python."""
    place = str(Path(img2prompt.__file__).parent.parent)
    before = f"import sys; sys.path.insert(0, {place!r}); from img2prompt.tests.unit.prompts.recover import hostile"
    command = [sys.executable, "-c", f"{before}\n{code}", *names]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: (came, peak) for name, came, peak, _ in map(json.loads, lines)}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_harms_nobody(name: str, outcomes: dict[str, Outcome]) -> None:
    came, peak = outcomes[name]
    assert came.startswith(("None", "Recovered(", "RecoverError: "))
    # Nothing is left for the edge of `recover`, which turns every exception into RecoverError.
    assert "of a version that is not known here" not in came
    assert re.search(FILES[name][1], came)
    assert peak < MOST_MB


@pytest.mark.parametrize("key", KEYS)
def test_a_text_that_is_not_what_its_key_says_is_read_or_refused(key: str) -> None:
    for text in MISSHAPEN:
        assert outcome(png({key: text})) in {"read", "nothing", "refused"}


MISDEEDS = """
import os, time
hostile.HANG_S = 1
deeds = {
    "hang": lambda: time.sleep(60),
    "crash": os.abort,
    "memory": lambda: (bytearray(320 << 20), time.sleep(0.1)),  # some kernels look at the peak now and then only
    "addresses": lambda: len(bytearray(4 << 30)),
    "error": lambda: {}["fox"],
    "nothing": lambda: None,
}
hostile.judge(lambda name: deeds[name]())
"""


def test_the_guard_sees_a_hang_a_crash_memory_and_errors() -> None:
    judged = under_guard(MISDEEDS, "hang", "crash", "memory", "addresses", "error", "nothing")
    assert judged["hang"][0] == "no answer: it ended with -14"
    assert judged["crash"][0] == "no answer: it ended with -6"
    assert judged["memory"][1] > MOST_MB
    assert judged["addresses"][0] == "MemoryError: "
    assert judged["error"][0] == "KeyError: 'fox'"
    assert judged["nothing"][0] == "None"
    assert judged["nothing"][1] < 120
