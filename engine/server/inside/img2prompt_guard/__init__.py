"""The guard in front of a managed vLLM: ASGI middleware that runs inside vLLM's own process.

    vllm serve … --middleware=img2prompt_guard.Guard        with the folder above on PYTHONPATH

vLLM 0.32's own key covers /v1 alone, and the development routes that sleep needs are open to every web page. So every
request, whatever its path, must carry the token, come from no web page, and ask for one of a few routes (checks.py).
The guard also knows whether the engine sleeps (sleep.py): vLLM would let a request that comes then hang without a word,
and would resume on empty weights after a deep sleep. It tells the supervisor through two files in the engine's folder:
`asleep`, there while the engine sleeps (its text is the level), and `activity`, whose mtime is that of the last use.

Imports nothing of ours, and the standard library alone. Reads no inference body: pictures pass untouched.
"""

from .guard import Guard

__all__ = ["Guard"]
