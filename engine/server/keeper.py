"""Runs one program and sees to it that none of its processes outlives their owner. A script, not a module to import.

    python -I -S keeper.py OWNER PROGRAM [ARGUMENT…]

OWNER is the process that starts this one, as the leader of a session of its own. When the owner ends, however it does,
the kernel sends SIGTERM here (PDEATHSIG). It goes on to the program, once; what is left after the grace is killed.
The signal alone is not enough: a vLLM that is loading may lose it, go on to serve, and hold the GPU for ever.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

GRACE_S = 8.0
"""vLLM ends by itself in 2 to 6 s."""
SWEEP_AFTER_S = 2.0
"""So long its processes may take to clean up (shared memory, say) when the program has ended."""
PR_SET_PDEATHSIG = 1
HEEDED = {signal.SIGTERM, signal.SIGCHLD}


def end_with_parent() -> None:
    """SIGTERM for this process when its parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def begin_program() -> None:
    """In the program's process, before it runs: it ends with this one, and hears every signal."""
    end_with_parent()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)


def kill_all() -> None:
    """SIGKILL to the whole process group, this process in it."""
    os.killpg(0, signal.SIGKILL)


def keep(program: subprocess.Popen[bytes]) -> int:
    """Wait for the program's end; its exit code."""
    deadline = None
    while program.poll() is None:
        left_s = None if deadline is None else deadline - time.monotonic()
        if left_s is not None and left_s <= 0:
            kill_all()
        heard = signal.sigwait(HEEDED) if left_s is None else signal.sigtimedwait(HEEDED, left_s)
        if heard == signal.SIGTERM and deadline is None:
            program.terminate()
            deadline = time.monotonic() + GRACE_S
    code = program.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    """The program's exit code; a text on stderr and 1 when it cannot be run."""
    owner, command = int(sys.argv[1]), sys.argv[2:]
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
    end_with_parent()
    if os.getppid() != owner:
        sys.exit("the process that wanted vLLM has ended")
    try:
        # preexec_fn: this process is small and has no threads
        program = subprocess.Popen(command, preexec_fn=begin_program)  # noqa: PLW1509
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")
    code = keep(program)
    if os.getppid() != owner:  # else the owner sweeps up
        time.sleep(SWEEP_AFTER_S)
        kill_all()
    return code


if __name__ == "__main__":
    sys.exit(main())
