"""Damaged files by the ten thousand through `recover`, pixels and all: what came of them, how slow, how much memory.

python -P benchmarks/fuzz_recover.py [--files 20000] [--first 0]

Ends with an error where any file is neither read nor refused, and names it: `mutations.damaged(number)` makes it again.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import resource
import sys
import time
import traceback
from collections import Counter

from img2prompt.tests.unit.prompts.recover.mutations import damaged, outcome

HANG_S = 60
MOST_ADDRESSES = 4 << 30
"""Bytes that this process may ask for; a forged length asks for more."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=20_000)
    options.add_argument("--first", type=int, default=0)
    given = options.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    outcomes: Counter[str] = Counter()
    times: list[tuple[float, int]] = []
    for number in range(given.first, given.first + given.files):
        file = damaged(number)
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        began = time.perf_counter()
        try:
            outcomes[outcome(file)] += 1
        except Exception:  # noqa: BLE001 (each is a bug, and all are wanted)
            outcomes["neither"] += 1
            print(f"damaged({number})", file=sys.stderr)
            traceback.print_exc()
        times.append(((time.perf_counter() - began) * 1000, number))
    faulthandler.cancel_dump_traceback_later()
    times.sort()
    slowest = {f"damaged({number})": round(ms, 1) for ms, number in times[:-4:-1]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << 20 if sys.platform == "darwin" else 1 << 10)
    found = {"median_ms": round(times[len(times) // 2][0], 2), "slowest_ms": slowest, "peak_mib": peak}
    print(json.dumps({"files": given.files, **outcomes, **found}, indent=2))
    return 1 if outcomes["neither"] else 0


if __name__ == "__main__":
    sys.exit(main())
