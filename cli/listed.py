"""Lists of files on stdin, as `find` writes them. Who reads one can always be stopped, although the list goes on."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator

BLOCK_BYTES = 65536
BLOCKS_AHEAD = 8
LOOK_S = 0.1
"""Between two looks whether it is stopped."""


class Listed:
    """The file names on stdin, one a line, or with NUL between them (`find -print0`). Begin it once."""

    def __init__(self) -> None:
        self._blocks: queue.Queue[bytes] = queue.Queue(BLOCKS_AHEAD)
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[str]:
        # a thread that Python does not wait for at its end: it may hang in stdin for as long as others write there
        threading.Thread(target=self._read, args=(_stdin(),), name="img2prompt-stdin", daemon=True).start()
        rest = separator = b""
        while block := self._next():
            rest += block
            separator = separator or (b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b"")
            if separator:
                *names, rest = rest.split(separator)
                line_end = b"" if separator == b"\0" else b"\r"  # Windows' lines end so, and a name may
                yield from (os.fsdecode(name.removesuffix(line_end)) for name in names if name.strip())
        if rest.strip():
            yield os.fsdecode(rest)

    def close(self) -> None:
        """No more names."""
        self._stopped.set()

    def _next(self) -> bytes:
        """What comes next, b"" at the end."""
        while not self._stopped.is_set():
            try:
                return self._blocks.get(timeout=LOOK_S)
            except queue.Empty:
                continue
        return b""

    def _read(self, stdin: int) -> None:
        block = b"."
        try:
            while block and not self._stopped.is_set():
                # sys.stdin has a lock that the process could not end with
                block = os.read(stdin, BLOCK_BYTES)
                self._blocks.put(block)
        finally:
            self._blocks.put(b"")


def _stdin() -> int:
    """Its descriptor. Raises CaptionError where there is none."""
    from ..captions.errors import CaptionError

    try:
        descriptor = sys.stdin.fileno()
        os.fstat(descriptor)
    except (AttributeError, OSError, ValueError):
        why = "Nothing can be read on stdin; pipe the list into it, as in find … -print0 | img2prompt caption -"
        raise CaptionError(why) from None
    return descriptor
