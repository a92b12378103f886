"""Which processes run, read from Linux's /proc."""

from __future__ import annotations

from pathlib import Path


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    return _session(pid) is not None


def session(leader: int) -> set[int]:
    """The processes that run in the session that `leader` began."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {pid for pid in pids if _session(pid) == leader}


def _session(pid: int) -> int | None:
    """The session of a process that runs."""
    try:
        state, _, _, number = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in ("Z", "X") else int(number)
