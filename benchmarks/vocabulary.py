"""What Danbooru's vocabulary costs: loading it, and the grammar of an analysis that is limited to it.

Run as a program it measures in its own fresh process and prints JSON: `python benchmarks/vocabulary.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

VLLM_PYTHON = Path(__file__).resolve().parent.parent / ".environments" / "vllm" / "bin" / "python"
COMPILE = """
import json, sys, time, llguidance
schema = sys.stdin.read()
taken = []
for _ in range(5):
    began = time.perf_counter()
    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
    llguidance.LLMatcher.validate_grammar(grammar)
    taken.append(time.perf_counter() - began)
print(sorted(taken)[2])
"""


def measure() -> dict[str, float]:
    """Milliseconds and bytes, each once: loading happens once in a process."""
    from img2prompt.prompts.vocabulary import vocabulary

    began = time.perf_counter()
    words = vocabulary()
    loaded = time.perf_counter()
    from img2prompt.prompts.closed import closed_analysis

    imported = time.perf_counter()
    answer = closed_analysis()
    made = time.perf_counter()
    schema = json.dumps(answer.model_json_schema())
    written = time.perf_counter()
    found: dict[str, float] = {
        "tags": len(words.tags),
        "load_ms": round((loaded - began) * 1000, 1),
        "closed_analysis_ms": round((made - imported) * 1000, 1),
        "schema_ms": round((written - made) * 1000, 1),
        "schema_bytes": len(schema),
    }
    if VLLM_PYTHON.exists():
        command = [VLLM_PYTHON, "-c", COMPILE]
        compiled = subprocess.run(command, input=schema, capture_output=True, text=True, check=True)
        found["llguidance_compile_ms"] = round(float(compiled.stdout) * 1000, 1)
    return found


def in_fresh_processes(count: int = 5) -> dict[str, float]:
    """The median of each figure over several fresh processes."""
    command = [sys.executable, "-P", __file__]
    runs = [json.loads(subprocess.check_output(command, text=True)) for _ in range(count)]
    return {name: sorted(run[name] for run in runs)[count // 2] for name in runs[0]}


if __name__ == "__main__":
    print(json.dumps(measure()))
