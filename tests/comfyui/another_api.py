"""Asks in_another_api.py, in a process of its own: two releases of one module do not live in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "in_another_api.py"


def ask(api: Path, question: dict[str, Any], **environment: str) -> Any:
    """The program's answer, with the `comfy_api` of the folder `api`."""
    path = os.pathsep.join(filter(None, [str(api), os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(
        [sys.executable, str(PROGRAM)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        env={**os.environ, "IMG2PROMPT_CACHE": "false", **environment, "PYTHONPATH": path},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return json.loads(ran.stdout)
