"""The node `Release Prompt Engine`: takes the engines off the GPU at one point of a workflow."""

from __future__ import annotations

from typing import Any

from . import vram
from .comfy import io, schema

SLEEP, STOP = ACTIONS = ("sleep", "stop")


class ReleasePromptEngine(io.ComfyNode):
    """Passes on what it gets, after every engine of this ComfyUI has left the GPU."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it."""
        return schema(
            node_id="Img2Prompt_ReleasePromptEngine",
            display_name="Release Prompt Engine",
            category="img2prompt",
            description="Takes the prompt engine off the GPU at this point of the workflow, and passes its input on "
            "unchanged. ComfyUI does this by itself when it needs VRAM; this is for other programs on the GPU, or for "
            "nodes that load models past ComfyUI's memory manager.",
            search_aliases=["unload", "free vram", "purge", "clear", "img2prompt"],
            inputs=[
                io.AnyType.Input(
                    "anything",
                    tooltip="What to pass on. A prompt between Image → Prompt and a text encoder is a good place: "
                    "ComfyUI runs this node again only when what it gets has changed.",
                ),
                io.Combo.Input(
                    "action",
                    options=list(ACTIONS),
                    default=SLEEP,
                    tooltip="'sleep' gives the VRAM back and wakes in seconds. 'stop' ends the server for every "
                    "program on this machine, and gives its RAM back too.",
                ),
            ],
            outputs=[io.AnyType.Output("passed", display_name="anything", tooltip="What came in.")],
        )

    @classmethod
    def validate_inputs(cls, action: str | None = None) -> bool | str:
        """Whether there is such an action: ComfyUI does not check a V3 combo's value."""
        if action is None or action in ACTIONS:
            return True
        return f"action cannot be {action!r}; choose one of {', '.join(ACTIONS)}."

    @classmethod
    def execute(cls, anything: Any, action: str) -> io.NodeOutput:
        """Blocks until the engines are off the GPU. Raises EngineError."""
        from ..engine.shared import engines

        for engine in engines():
            if action == STOP:
                vram.stop(engine)
            else:
                vram.put_to_sleep(engine)
        return io.NodeOutput(anything)
