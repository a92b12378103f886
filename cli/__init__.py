"""The command line: `img2prompt prompt`, `read`, `render`, `mix`, `text`, `story`, `look`, `doctor`.

Results go to stdout, everything else to stderr. Exit code 0: done; 1: failed; 2: wrong use.
"""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run the command that the arguments name, and end the process with its exit code."""
    from .app import run

    run()
