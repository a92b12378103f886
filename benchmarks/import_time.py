"""How much later ComfyUI is ready because of this package: its import, entry point and node schemas.

Prints milliseconds for one fresh process that has loaded what ComfyUI has loaded before custom nodes. Run by run.py.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMFYUI = ROOT / ".environments" / "comfyui" / "ComfyUI"


def load_like_comfyui() -> list[type]:
    """ComfyUI's own steps (nodes.py, load_custom_node): import the folder by path, ask for the nodes, read schemas."""
    name = str(ROOT).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)

    async def nodes() -> list[type]:
        return await (await module.comfy_entrypoint()).get_node_list()

    found = asyncio.run(nodes())
    for node in found:
        node.GET_SCHEMA()
    return found


if __name__ == "__main__":
    sys.path.insert(0, str(COMFYUI))
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import nodes  # ComfyUI's own: it brings torch, comfy_api and the rest  # noqa: F401

    began = time.perf_counter()
    assert load_like_comfyui()
    print(f"{(time.perf_counter() - began) * 1000:.1f}")
