"""What ends a captioning run, besides an engine that cannot answer."""

from ..prompts.errors import Img2PromptError


class CaptionError(Img2PromptError):
    """The pictures cannot be found, or the captions cannot be written."""


class StoreError(CaptionError):
    """A store refuses, or is not there: one picture's failure, or, again and again, that of all."""
