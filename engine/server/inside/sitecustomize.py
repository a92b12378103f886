"""The child guard: the processes that a managed vLLM starts do not outlive it. Python runs this file at its start.

vLLM 0.32 is a tree: API server, engine core, and (with several GPUs, or on a CPU) workers. When the API server is
killed the others live on and hold the GPU, for nothing in vLLM watches a parent. With this folder on PYTHONPATH the
kernel kills each with its parent (PR_SET_PDEATHSIG), so all are gone within seconds.

Only `multiprocessing`'s spawned children are bound so. vLLM's are such while VLLM_WORKER_MULTIPROC_METHOD is "spawn"
(`vllm serve` sets that where the environment says nothing). Other Python processes are left alone: the resource
tracker outlives the rest to clean up their shared memory, and then ends by itself.

The kernel's signal comes when the *thread* that started the child ends. vLLM starts them from threads that live as long
as their process: the engine core from the API server's main thread (AsyncLLM is built in its event loop,
v1/engine/utils.py, CoreEngineProcManager), a worker from the engine core's main thread (EngineCore.__init__,
v1/executor/multiproc_executor.py, make_worker_process). A ProcessPoolExecutor (utils/platform_utils.py) is waited for
where it was started.

Linux only; does nothing elsewhere. An environment's own `sitecustomize` runs too, after this.
"""

from __future__ import annotations

import os
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(pipe: int) -> None:
    """SIGKILL for this process when its parent ends, and now if it has ended already.

    `pipe` is where the child reads what to do. The parent keeps the other end open as long as it lives.
    """
    import ctypes
    import select
    import signal

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    poll = select.poll()
    poll.register(pipe, 0)  # a hang-up is always told
    if poll.poll(0):
        os.kill(os.getpid(), signal.SIGKILL)


def spawned_by() -> int | None:
    """The pipe to the parent in a child that `multiprocessing` spawned, as its command line tells; else None."""
    import re

    if "--multiprocessing-fork" not in sys.orig_argv:
        return None
    found = re.search(r"\bpipe_handle=(\d+)", " ".join(sys.orig_argv))
    return int(found[1]) if found else None


def run_next() -> None:
    """Run the `sitecustomize` that this one hides."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    here = os.path.dirname(os.path.realpath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if os.path.realpath(path) != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


if sys.platform == "linux" and (parent := spawned_by()) is not None:
    end_with_parent(parent)
run_next()
