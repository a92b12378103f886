"""The root of the one error tree, and the errors that need no engine.

Each message is one sentence that names the cause and the next step. It is shown to the user as it is, and never becomes
a prompt.

    Img2PromptError
    ├── PictureError        a picture that cannot be looked at (empty, unreadable, NaN, too long and thin)
    ├── RecoverError        a file whose own prompt cannot be read
    ├── PromptError         what was asked of the renderer cannot be done
    │   ├── NothingToSay    the picture shows nothing of what was asked for
    │   ├── AnalysisError   a text that is to be an analysis is none, or is one of another version
    │   ├── UnknownFamily   no model family of that name
    │   ├── FamilyFileError a family's TOML file is broken
    │   ├── VocabularyFileError  a vocabulary file of the user's is broken
    │   └── PresetError     a preset is missing, or was filled with the wrong names
    ├── EvaluationError     see evaluation/errors.py
    └── EngineError         see engine/errors.py
"""


class Img2PromptError(Exception):
    """Everything that this package raises on purpose."""


class PictureError(Img2PromptError):
    """A picture that cannot be looked at."""


class RecoverError(Img2PromptError):
    """A file whose own prompt cannot be read: it cannot be opened, is no picture that can carry one, or is damaged."""


class PromptError(Img2PromptError):
    """What was asked of the renderer cannot be done."""


class NothingToSay(PromptError):
    """The picture shows nothing of what was asked for, so there is no prompt."""


class AnalysisError(PromptError):
    """A text that is to be an analysis is none, or is one of another version."""


class UnknownFamily(PromptError):
    """No model family of that name."""


class FamilyFileError(PromptError):
    """A family's TOML file is broken."""


class VocabularyFileError(PromptError):
    """A vocabulary file of the user's is broken."""


class PresetError(PromptError):
    """A preset is missing, or was filled with the wrong names."""
