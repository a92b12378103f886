"""Captions for whole folders of pictures: found, looked at, written, resumed. No ComfyUI, no terminal.

from img2prompt.captions import caption

print(caption("pictures", families=["sdxl"]))
"""

from .errors import CaptionError
from .find import Found
from .run import caption
from .summary import Failure, Progress, Summary
from .task import Row, Task

__all__ = ["CaptionError", "Failure", "Found", "Progress", "Row", "Summary", "Task", "caption"]
