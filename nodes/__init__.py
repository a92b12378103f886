"""ComfyUI's nodes. This folder alone knows ComfyUI, and knows it through comfy.py."""

from .comfy import ComfyExtension, io


class Img2PromptExtension(ComfyExtension):
    """The list of our nodes, as ComfyUI asks for it."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Our node classes. Importing them loads no engine and no model."""
        from .image_to_prompt import ImageToPrompt
        from .image_to_text import ImageToText
        from .mix_prompt import MixPrompt
        from .render_prompt import RenderPrompt

        return [ImageToPrompt, ImageToText, RenderPrompt, MixPrompt]
