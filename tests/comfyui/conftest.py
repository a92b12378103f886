"""Makes ComfyUI's code importable here, on the CPU; its servers are fixtures of tests/conftest.py."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

import pytest
from img2prompt.scripts.comfyui import COMFYUI

TokenWeights = Callable[[str, float], list[tuple[str, float]]]

if not COMFYUI.is_dir():
    raise pytest.UsageError(f"{COMFYUI} is missing; `make test` (or scripts/environments.py comfyui) makes it.")

sys.path.append(str(COMFYUI))

with warnings.catch_warnings():
    # Other people's import-time warnings are not ours to fail on; after this, tests import with warnings as errors.
    warnings.simplefilter("ignore")
    import comfy.cli_args

    comfy.cli_args.args.cpu = True  # before comfy.model_management looks for a GPU
    import comfy_api.latest  # noqa: F401


@pytest.fixture(scope="session")
def token_weights() -> TokenWeights:
    """ComfyUI's own reading of a prompt: (text, weight) to [(text, weight), …], as its text encoders use it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from comfy.sd1_clip import token_weights as parse
    return parse
