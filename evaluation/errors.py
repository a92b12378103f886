"""What can go wrong in an evaluation, besides what can go wrong with an answer.

Img2PromptError (prompts/errors.py)
└── EvaluationError     the references cannot be read, or no answer came that could be measured
    └── BadComparison   what is to be compared cannot be asked for
"""

from ..prompts.errors import Img2PromptError


class EvaluationError(Img2PromptError):
    """The references cannot be read, or no answer came that could be measured."""


class BadComparison(EvaluationError):
    """What is to be compared cannot be asked for."""
