"""The node `Start Prompt Engine`: has the engine ready before anything asks it. The engine panel's Start runs it.

A node, because room for the engine on the GPU is made on ComfyUI's own thread alone, in its turn.
"""

from __future__ import annotations

from . import inputs
from .asking import OF_THE_SETTINGS, ChosenEngine
from .comfy import Progress, WorkStopped, io, schema, wait
from .inputs import ENGINE
from .vram import KEEP, WHEN_NEEDED, using


class StartPromptEngine(io.ComfyNode):
    """Starts or wakes the engine; one that is not ours it only asks who is there."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it."""
        return schema(
            node_id="Img2Prompt_StartPromptEngine",
            display_name="Start Prompt Engine",
            category="img2prompt",
            description="Starts or wakes the prompt engine now, so that the nodes after it need not wait for it, and "
            "shows who answers. It stays until ComfyUI needs the VRAM, whatever 'release' says. Not needed: nodes that "
            "ask start it, too.",
            search_aliases=["wake", "warm up", "load", "vllm", "img2prompt"],
            inputs=[inputs.engine()],
            outputs=[
                ENGINE.Output("ready", display_name="engine", tooltip="What came in, once it is ready to answer.")
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
            not_idempotent=True,  # two of them, before different nodes, both run
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: object) -> float:
        """It runs each time: the engine may have been stopped since."""
        return float("nan")

    @classmethod
    async def execute(cls, engine: ChosenEngine = OF_THE_SETTINGS) -> io.NodeOutput:
        """Wait until it is awake. Raises EngineError, or ComfyUI's InterruptProcessingException."""
        from ..engine import NoEngine

        opened, progress = engine.open(), Progress(1, cls.hidden.unique_id)
        # who starts it wants it there afterwards
        release = KEEP if (engine.release or opened.settings.release) == KEEP else WHEN_NEEDED
        with using(opened, release) as tend:
            try:
                await wait(opened.submit_wake(progress.say), progress, tend)
            except WorkStopped as error:
                raise NoEngine("The engine was stopped before it was ready; start it again.") from error
        detail = opened.status().detail
        return io.NodeOutput(engine, ui={"text": [detail], "shown": [{"title": "engine", "text": detail}]})
