"""A run that is killed: `python -m img2prompt.tests.unit.captions.killed FOLDER OUT`, steered by lines on stdin.

Each line is how many file operations a run begins before it is killed (-9), after how many calls more of the thread
that began the last one, and after how many seconds more; "0 0 0" lets it end. The answer is a line with how it ended:
-9, or 0. All that is slow to start is started once: a run is a fork.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from img2prompt.captions.find import find
from img2prompt.captions.outputs import Sidecars
from img2prompt.captions.parquet import Parquet
from img2prompt.captions.run import run
from img2prompt.captions.tables import Csv, JsonLines
from img2prompt.captions.task import Carried, Task

FAMILIES = ("sdxl", "flux1")
PART_ROWS = 20
OPERATIONS = {"open", "os.rename", "os.remove", "os.truncate", "os.mkdir", "os.scandir"}
"""Python's audit events about files; the first of their arguments is the path."""


def caption(folder: Path, out: Path) -> None:
    """All outputs at once."""
    outputs = [
        JsonLines(out / "all.jsonl", FAMILIES),
        Csv(out / "all.csv", FAMILIES),
        Parquet(out / "all", FAMILIES, part_rows=PART_ROWS),
        Sidecars(FAMILIES),
    ]
    summary = run(find(folder), Task(FAMILIES), outputs)
    assert not summary.failed, summary.failures


def count_operations(places: tuple[str, ...], most: int, calls: int, reached: int) -> None:
    """Tell the pipe when so many operations on files in these places have begun, and so many calls of C were made after
    the last. With calls the thread that writes counts, and waits there: between making a file and filling it, say."""
    done, writes = 0, threading.main_thread()

    def call(_frame: object, event: str, _function: object) -> None:
        nonlocal calls
        calls -= event == "c_call"
        if not calls:
            sys.setprofile(None)
            os.write(reached, b"!")
            time.sleep(60)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal done
        if event not in OPERATIONS or not str(arguments[0]).startswith(places):
            return
        if calls and threading.current_thread() is not writes:
            return
        done += 1
        if done == most and calls:
            sys.setprofile(call)
        elif done == most:
            os.write(reached, b"!")

    sys.addaudithook(hear)


def killed_run(folder: Path, out: Path, most: int, calls: int, after_s: float) -> int:
    """How it ended."""
    hears, reached = os.pipe()
    pid = os.fork()
    if not pid:
        ended = 1  # what it raises is lost: see it with caption() alone
        try:
            os.close(hears)
            if most:
                count_operations((str(folder), str(out)), most, calls, reached)
            caption(folder, out)
            ended = 0
        finally:
            sys.stderr.flush()
            os._exit(ended)
    os.close(reached)
    if os.read(hears, 1):
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
    os.close(hears)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    import openai  # noqa: F401 - most of what a start takes
    from img2prompt.engine import shared  # noqa: F401
    from pyarrow import parquet  # noqa: F401

    folder, out = map(Path, sys.argv[1:])
    first = next(find(folder))
    Task(FAMILIES).request(first)
    Task(FAMILIES).rows(first, Carried(positive="a fox", negative=""))
    for line in sys.stdin:
        most, calls, after_s = line.split()
        print(killed_run(folder, out, int(most), int(calls), float(after_s)), flush=True)


if __name__ == "__main__":
    main()
