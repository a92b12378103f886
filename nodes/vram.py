"""One GPU for ComfyUI's models and the engine: ComfyUI's memory manager sees the engine as one more model.

Needing the engine evicts other models; needing memory for others puts the engine to sleep. Requests that the engine was
answering then go on when there is room again. The manager runs on ComfyUI's own thread, where nodes wait for answers:
there room is made (`using`), while the engine's thread starts or wakes the server in it.

It knows engines and what `patcher.py` tells the manager; how a server sleeps it does not know.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from . import comfy
from .patcher import EnginePatcher

if TYPE_CHECKING:
    from ..engine import Engine
    from ..engine.room import Room

WHEN_NEEDED, AFTER_EACH_RUN, KEEP, STOP = RELEASES = (
    "when VRAM is needed",
    "after each run",
    "keep",
    "stop after each run",
)
"""When an engine lets go of the GPU: those of engine/settings.py (a test holds it), whose import takes ComfyUI's start
a quarter of a second."""
POLL_S = 0.05
GIB = 2**30
SLACK = 1.1
"""Room for this much more than the engine takes, as the manager itself leaves."""

_log = logging.getLogger(__name__)
_sharing: dict[Room, EnginePatcher] = {}
"""The servers that share ComfyUI's GPU, by the room that all engines of one server have in common. The manager refers
to them weakly: here they are kept."""
_asking: Counter[Room] = Counter()
"""How many nodes ask a server now."""
_said: set[str] = set()


class SharedEngine:
    """An engine that shares the GPU, to the manager "the model". Room is given on ComfyUI's thread alone."""

    def __init__(self, engine: Engine, device: Any) -> None:
        self.engine = engine
        self.device = device
        self.kept = False
        """It is not evicted: the user said "keep"."""
        self.listed = False
        """The manager has it in its list of what may be evicted."""
        self.alone = False
        """The manager does not take it: nobody will evict it."""
        self._claiming = False
        self._thread = 0
        self._sleeping = threading.Lock()
        engine.room.shared = True

    @property
    def bytes_on_gpu(self) -> int:
        """What the engine takes, or has been given to take, of the GPU now."""
        return self.engine.gpu_bytes if self.engine.room.given else 0

    def meet(self) -> None:
        """Before a run: agree with how the engine stands, since others (the command line) wake it and end it too."""
        room, phase = self.engine.room, self.engine.status().phase
        if phase == "awake":
            room.give()
        elif phase in ("asleep", "stopped", "failed"):
            room.take()

    def tend(self, patcher: EnginePatcher) -> None:
        """Make room where requests want it. On ComfyUI's thread."""
        room = self.engine.room
        if (room.wanted or (room.given and not (self.listed or self.alone))) and not self._others_turn():
            self._claim(patcher)

    def _others_turn(self) -> bool:
        """Whether another engine of ours is answering: evicted now, it would want to come back at once, for ever."""
        others = [other.model for other in _sharing.values() if other.model is not self]
        return any(other.engine.room.given and other.engine.room.users and not other.kept for other in others)

    def _claim(self, patcher: EnginePatcher) -> None:
        self._claiming, self._thread = True, threading.get_ident()
        try:
            if not self.alone:
                comfy.load_models_gpu(patcher)
                self.listed = True
        except (TypeError, AttributeError) as error:
            if EnginePatcher.__name__ not in str(error):  # another pack's model
                raise
            self.alone = True
            _say_once(
                "This ComfyUI's memory manager cannot take the prompt engine (%s: %s); it makes room for the engine "
                "once per run, and the engine sleeps after each run. Please report it with ComfyUI's version.",
                type(error).__name__,
                error,
            )
        finally:
            self._claiming = False
        if self.alone and self.engine.room.wanted:
            comfy.free_memory(int(self.engine.gpu_bytes * SLACK), self.device)
            self.engine.room.give()

    def settle(self) -> None:
        """Return when the engine has taken the room it was given: what still looks free would be given out twice.

        Only where the manager asks, on ComfyUI's thread, and Cancel ends it. What nobody waits for any more (a Cancel
        does not end a start) gives the room back instead.
        """
        if self._claiming or threading.get_ident() != self._thread:
            return
        room = self.engine.room
        while room.given and (phase := self.engine.status().phase) != "awake":
            if not room.users and not self.kept:
                self.sleep()
                return
            if not room.users and phase != "starting":
                return
            comfy.stop_if_interrupted()
            time.sleep(POLL_S)

    def evict(self) -> int:
        """Leave the GPU because the manager says so; the bytes that this gave back."""
        held = self.bytes_on_gpu
        if self.kept or not held:
            return 0
        self.sleep()
        return held

    def sleep(self) -> None:
        """Leave the GPU; blocks. Where sleep fails or frees nothing, the server is stopped: the GPU comes first."""
        from ..engine import EngineError

        with self._sleeping:
            self.engine.room.take()
            was_awake = self.engine.status().phase == "awake"
            size, before = self.engine.gpu_bytes, comfy.free_vram(self.device)
            try:
                self.engine.sleep()
            except EngineError as error:
                self._stop(f"it could not be put to sleep: {error}")
                return
            freed = comfy.free_vram(self.device) - before
            # asleep it keeps its CUDA context; and others use the GPU meanwhile
            if was_awake and freed < size / 2:
                self._stop(f"sleeping freed {freed / GIB:.1f} GiB of {size / GIB:.1f}")

    def _stop(self, why: str) -> None:
        from ..engine import EngineError

        _say_once("The prompt engine was stopped to free the GPU (%s); the next request starts it again.", why)
        try:
            self.engine.stop()
        except EngineError:
            _log.exception("The prompt engine could not be stopped; it still holds VRAM.")


@contextlib.contextmanager
def using(engine: Engine, release: str) -> Iterator[Callable[[], None]]:
    """While a node asks the engine. Yields what must be called on ComfyUI's thread, again and again, while it waits.

    At its end the last of the nodes that ask lets go of the GPU as `release`, one of RELEASES, says; "" leaves that to
    the settings.
    """
    release = release or engine.settings.release
    patcher = _share(engine)
    room = engine.room
    if patcher is not None:
        patcher.model.kept = release == KEEP
        if not _asking[room]:
            patcher.model.meet()
    _asking[room] += 1
    uses = room.uses
    try:
        yield _nothing if patcher is None else lambda: patcher.model.tend(patcher)
    finally:
        _asking[room] -= 1
        if not _asking[room]:
            del _asking[room]
            if room.uses != uses:  # else all answers came from the disk
                _let_go(engine, release)


def put_to_sleep(engine: Engine) -> None:
    """Take an engine of our own off the GPU now, whatever its release says; blocks. Raises EngineError."""
    if not _is_ours(engine):
        return
    if (patcher := _sharing.get(engine.room)) is not None:
        patcher.model.sleep()
    else:
        engine.sleep()


def stop(engine: Engine) -> None:
    """End an engine of our own; blocks. What it was answering fails. Raises EngineError."""
    if not _is_ours(engine):
        return
    engine.room.take()
    engine.stop()


def _share(engine: Engine) -> EnginePatcher | None:
    """What the manager knows the engine by; None where they share no GPU."""
    from ..engine.shared import engines

    device = comfy.gpu() if engine.gpu_bytes else None
    if device is None:
        return None
    if (known := _sharing.get(engine.room)) is not None:
        known.model.engine = engine  # the other may have been closed, and it is the same server
        return known
    live = {other.room for other in engines()}
    for closed in [room for room in _sharing if room not in live and not _asking[room]]:
        del _sharing[closed]
    _sharing[engine.room] = EnginePatcher(SharedEngine(engine, device))
    return _sharing[engine.room]


def _let_go(engine: Engine, release: str) -> None:
    """What `release` says of the end of a run. It fails no run: the answers are there."""
    from ..engine import EngineError

    alone = engine.room in _sharing and _sharing[engine.room].model.alone
    try:
        if release == STOP:
            stop(engine)
        elif release == AFTER_EACH_RUN or (alone and release == WHEN_NEEDED):
            put_to_sleep(engine)
    except EngineError:
        _log.exception("The prompt engine did not let go of the GPU.")


def _is_ours(engine: Engine) -> bool:
    return engine.status().engine == "managed"


def _say_once(text: str, *details: object) -> None:
    if text not in _said:
        _said.add(text)
        _log.warning(text, *details)


def _nothing() -> None:
    """No GPU is shared: there is always room."""
