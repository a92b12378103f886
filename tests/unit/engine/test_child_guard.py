"""The child guard (engine/server/inside/sitecustomize.py) in real Python processes; tests/vllm has it in vLLM's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from img2prompt.engine import server
from img2prompt.tests.processes import alive, session
from img2prompt.tests.waiting import until

INSIDE = Path(str(server.__file__)).parent / "inside"
SPAWN_CHILD = ["-c", "from multiprocessing.spawn import spawn_main; spawn_main({})", "--multiprocessing-fork"]

PARENT = """\
import multiprocessing, subprocess, sys, time

def child(pipe):
    import os
    grandchild = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    grandchild.start()
    pipe.send((os.getpid(), grandchild.pid))
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=child, args=(there,))
    process.start()
    there.close()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL)
    print(*here.recv(), other.pid, flush=True)
    sys.stdin.read()
"""


def environment(*folders: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}


@contextmanager
def parent(folder: Path, *on_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A Python with a spawned child, a grandchild, and a child of another kind: its process, and their numbers."""
    script = folder / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, str(script)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=environment(*on_path), start_new_session=True, **pipes)
    try:
        assert process.stdout is not None
        yield process, [int(word) for word in process.stdout.readline().split()]
    finally:
        process.kill()
        process.wait()
        for pid in session(process.pid):
            os.kill(pid, 9)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def test_spawned_processes_end_with_their_parent_and_others_do_not(tmp_path: Path) -> None:
    with parent(tmp_path, INSIDE) as (process, (child, grandchild, other)):
        assert all(map(alive, (child, grandchild, other)))
        process.kill()
        until(lambda: not alive(child) and not alive(grandchild))
        until(lambda: session(process.pid) == {other})  # the resource tracker has ended by itself


def test_without_it_they_live_on(tmp_path: Path) -> None:
    """What it is good for: nothing else ends them."""
    with parent(tmp_path) as (process, pids):
        process.kill()
        process.wait()
        with pytest.raises(TimeoutError):
            until(lambda: not all(map(alive, pids)), timeout_s=1)


def test_a_child_whose_parent_has_just_ended_ends_too(tmp_path: Path) -> None:
    """All it has to do is there to be read, but nobody holds the pipe's other end any more."""
    read, write = os.pipe()
    os.write(write, b"x" * 1000)
    os.close(write)
    command = [sys.executable, *SPAWN_CHILD]
    command[2] = command[2].format(f"tracker_fd={read}, pipe_handle={read}")
    done = subprocess.run(command, env=environment(INSIDE), pass_fds=[read], capture_output=True, check=False)
    os.close(read)
    assert (done.returncode, done.stderr) == (-9, b"")


def test_the_environments_own_sitecustomize_runs_too(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.times = getattr(sys, 'times', 0) + 1")
    command = [sys.executable, "-c", "import sys; print(sys.times)"]
    folders = environment(INSIDE, tmp_path)
    done = subprocess.run(command, env=folders, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.parametrize("code", ["import sys; print(sys.argv)", "print('pipe_handle=99')"])
def test_a_python_that_is_no_child_notices_nothing(code: str) -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, "a"], env=environment(*folders), capture_output=True, text=True, check=True
        )
        for folders in ((), (INSIDE,))
    ]
    assert outputs[0].stdout == outputs[1].stdout
    assert outputs[1].stderr == ""
