"""What can go wrong between a request and its answer.

Each message is one sentence that names the cause and the next step. `retryable` says whether the same request may
succeed a little later without the user changing anything.

    Img2PromptError (prompts/errors.py)
    └── EngineError
        ├── NoEngine        nothing is configured that could answer
        ├── InstallFailed   vLLM's environment could not be made
        ├── StartFailed     the managed vLLM did not become ready
        ├── Unreachable     nobody answers at the endpoint, or the connection broke
        ├── WrongKey        the endpoint refused the API key
        ├── UnknownModel    the endpoint does not serve that model
        ├── NoVision        the model takes no pictures
        ├── Refused         the endpoint refused this request (too long, too many pictures, …)
        ├── Busy            the endpoint has no room now
        ├── Asleep          the managed vLLM has given the GPU back and must be woken first
        ├── AnswerCutOff    the answer did not end, twice: cut off, looping, or aborted
        ├── BadAnswer       the answer is not the JSON that was asked for
        │   └── Contradiction   it is that JSON, and contradicts itself, twice
        ├── OcrFailed       writing in a picture could not be read
        ├── CacheError      the answers kept on disk cannot be read or written
        └── SettingsError   a setting has a value that cannot be used
"""

from ..prompts.errors import Img2PromptError


class EngineError(Img2PromptError):
    """Something between a request and its answer went wrong."""

    retryable = False
    status: int | None = None
    """The HTTP status that it came with, if one did."""


class NoEngine(EngineError):
    """Nothing is configured that could answer."""


class InstallFailed(EngineError):
    """vLLM's environment could not be made; the message carries the end of the installer's log."""


class StartFailed(EngineError):
    """The managed vLLM did not become ready; the message carries the end of its log."""


class Unreachable(EngineError):
    """Nobody answers at the endpoint, or the connection broke."""

    retryable = True


class WrongKey(EngineError):
    """The endpoint refused the API key."""


class UnknownModel(EngineError):
    """The endpoint does not serve that model."""


class NoVision(EngineError):
    """The model takes no pictures."""


class Refused(EngineError):
    """The endpoint refused this request."""


class Busy(EngineError):
    """The endpoint has no room now."""

    retryable = True


class Asleep(EngineError):
    """The managed vLLM has given the GPU back and must be woken first."""

    retryable = True


class AnswerCutOff(EngineError):
    """The answer did not end, twice."""

    retryable = True


class BadAnswer(EngineError):
    """The answer is not the JSON that was asked for."""


class Contradiction(BadAnswer):
    """The answer keeps to the schema and contradicts itself, twice."""


class OcrFailed(EngineError):
    """rapidocr is installed, and does not load or work."""


class CacheError(EngineError):
    """The answers kept on disk cannot be read or written."""


class SettingsError(EngineError):
    """A setting has a value that cannot be used."""
