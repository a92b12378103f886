"""The node `Prompt Engine`: which engine the nodes after it ask, and when it leaves the GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.choice import MODELS, PRECISIONS
from .asking import ChosenEngine
from .comfy import io, schema
from .inputs import ENGINE
from .vram import RELEASES

if TYPE_CHECKING:
    from ..engine.choice import EngineChoice

FROM_SETTINGS = "from settings"
MODEL_CHOICES = [FROM_SETTINGS, *MODELS]
PRECISION_CHOICES = [FROM_SETTINGS, *PRECISIONS]
RELEASE_CHOICES = [FROM_SETTINGS, *RELEASES]


class PromptEngine(io.ComfyNode):
    """Starts nothing: it says what to start when a node asks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it."""
        return schema(
            node_id="Img2Prompt_PromptEngine",
            display_name="Prompt Engine",
            category="img2prompt",
            description="Chooses the model that looks at the pictures, and when it leaves the GPU. Nodes without it "
            "ask the engine of your settings.",
            search_aliases=["vllm", "Qwen3-VL", "unload", "vram", "endpoint", "img2prompt"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=MODEL_CHOICES,
                    default=FROM_SETTINGS,
                    tooltip="The model to ask. Others, such as a checkpoint of your own, are chosen in the settings.",
                ),
                io.Combo.Input(
                    "precision",
                    options=PRECISION_CHOICES,
                    default=FROM_SETTINGS,
                    tooltip="How its weights are stored: less precise takes less VRAM. 'auto' takes the best that fits "
                    "the GPU. Of no account to an endpoint.",
                ),
                io.Combo.Input(
                    "release",
                    options=RELEASE_CHOICES,
                    default=FROM_SETTINGS,
                    tooltip="When the engine leaves the GPU: when ComfyUI needs the memory, after each run, or never "
                    "('keep'); 'stop' ends its server too, so the next run starts it anew.",
                ),
                io.String.Input(
                    "endpoint",
                    default="",
                    tooltip="Base URL of a server to ask instead, such as http://127.0.0.1:8000/v1. One on another "
                    "machine must be allowed by your settings. Keys and passwords belong in the settings, never here: "
                    "workflows and pictures carry what stands here. Empty: the engine of your settings.",
                ),
            ],
            outputs=[ENGINE.Output("engine", display_name="engine", tooltip="For every node that asks the model.")],
        )

    @classmethod
    def validate_inputs(cls, endpoint: str | None = None) -> bool | str:
        """Whether such an endpoint may be asked. A linked one arrives as None: it is checked when it is there.

        The only one that is typed, so the only one here: ComfyUI tells what this returns once for each input it names.
        """
        from ..engine import EngineError, Settings

        try:
            _choice(FROM_SETTINGS, FROM_SETTINGS, endpoint or "").applied_to(Settings.load())
        except EngineError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, model: str, precision: str, release: str, endpoint: str) -> io.NodeOutput:
        """The choice. It is checked again by whoever asks: the settings decide what a workflow may choose. Raises
        SettingsError."""
        from ..engine import Settings
        from ..engine.errors import SettingsError

        if release not in RELEASE_CHOICES:  # ComfyUI does not check a V3 combo's value
            raise SettingsError(f"release cannot be {release!r}; choose one of {', '.join(RELEASE_CHOICES)}.")
        choice = _choice(model, precision, endpoint)
        choice.applied_to(Settings.load())
        return io.NodeOutput(ChosenEngine(choice, "" if release == FROM_SETTINGS else release))


def _choice(model: str, precision: str, endpoint: str) -> EngineChoice:
    from ..engine.choice import EngineChoice

    return EngineChoice(
        "" if model == FROM_SETTINGS else model, "" if precision == FROM_SETTINGS else precision, endpoint.strip()
    )
