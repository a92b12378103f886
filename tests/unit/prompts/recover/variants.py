"""Every form in which a generator writes its text into a picture, and what must be read of it.

The texts are as the generators write them (each reader's module names the source); prompts and numbers are made up.
Graphs of ComfyUI are tested by themselves.
"""

from __future__ import annotations

from img2prompt.tests.unit.prompts.recover.variant import Variant
from img2prompt.tests.unit.prompts.recover.variants_of_invokeai import invokeai, novelai
from img2prompt.tests.unit.prompts.recover.variants_of_json import draw_things, easy_diffusion, fooocus, swarmui
from img2prompt.tests.unit.prompts.recover.variants_of_text import a1111, a1111_texts, midjourney

__all__ = ["SEEDS", "VARIANTS", "Variant"]

MAKERS = (a1111, a1111_texts, novelai, invokeai, fooocus, swarmui, easy_diffusion, draw_things, midjourney)
VARIANTS: list[Variant] = [variant for maker in MAKERS for variant in maker()]
SEEDS: list[bytes] = [variant.file for variant in VARIANTS]
"""Their files, for whoever changes them at random."""
