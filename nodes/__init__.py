"""ComfyUI's nodes. This folder alone knows ComfyUI, and knows it through comfy.py."""

from .comfy import ComfyExtension, io


class Img2PromptExtension(ComfyExtension):
    """The list of our nodes, as ComfyUI asks for it."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Our node classes. Importing them loads no engine and no model. ComfyUI asks before its server starts, so the
        routes are added here."""
        from . import routes
        from .image_to_prompt import ImageToPrompt
        from .image_to_text import ImageToText
        from .mix_prompt import MixPrompt
        from .multi_image_story import MultiImageStory
        from .prompt_engine import PromptEngine
        from .read_prompt import ReadPrompt
        from .release_prompt_engine import ReleasePromptEngine
        from .render_prompt import RenderPrompt
        from .save_prompt import SavePrompt
        from .start_prompt_engine import StartPromptEngine

        routes.add()
        return [
            *(ImageToPrompt, ImageToText, RenderPrompt, MixPrompt, MultiImageStory),
            *(ReadPrompt, SavePrompt, PromptEngine, StartPromptEngine, ReleasePromptEngine),
        ]
