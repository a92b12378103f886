"""How sure the model is of each tag of an analysis: what it is asked, and the analysis with what it answered.

Each phrase that may end up as a tag is put to the model once more as a question of yes or no, and how likely its "yes"
is beside its "no" is the phrase's confidence, from 0 to 1. How that is read from a model is the engine's affair
(`engine/reads.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from .analysis import ImageAnalysis
from .errors import PromptError
from .minors import says_minor
from .phrases import key_of, phrases_in
from .presets import load_preset
from .request import Request, Sampling
from .syntax import clean

if TYPE_CHECKING:
    from PIL import Image

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
SUBJECT_LISTS = ("appearance", "clothing", "action")
LISTS = ("tags", "setting")
ONE_WORD = Sampling(temperature=0.0, max_tokens=1)
"""Nothing is drawn by chance, so another seed would change nothing."""


class Probabilities(BaseModel):
    """How likely "yes" is to each question of a request, in their order. The questions are the lines of the
    instruction, and each is put to the model by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    yes: list[Probability]


class RatedAnalysis(ImageAnalysis):
    """An analysis whose tags were checked: those under the threshold are gone from its lists."""

    tag_confidence: dict[str, Probability]
    """Of each phrase that was asked about, as it stood in the analysis, those that are gone included."""


def check_threshold(threshold: float) -> float:
    """The same number. Raises PromptError for one that is no probability."""
    if not 0 <= threshold <= 1:
        raise PromptError(f"The least confidence must be from 0 to 1, not {threshold:g}; 0 turns it off.")
    return threshold


def confidence_request(picture: Image.Image, analysis: ImageAnalysis) -> Request[Probabilities]:
    """The request for how sure the model is of each phrase of an analysis of that picture; `rated` takes the answer."""
    question = load_preset("tag_question")
    lines = [question.fill(phrase=_asked(phrases[0])) for phrases in _phrases(analysis).values()]
    return Request((picture,), "\n".join(lines), Probabilities, ONE_WORD)


def rated(analysis: ImageAnalysis, answer: Probabilities, threshold: float = 0.0) -> RatedAnalysis:
    """The analysis with the answer to its `confidence_request`, without the phrases that are less likely than
    `threshold`; its caption stays as it is.

    A phrase that tells of a child stays, however unsure: it decides what else may be said.
    """
    asked = _phrases(analysis)
    likely = dict(zip(asked, answer.yes, strict=True))

    def kept(texts: list[str]) -> list[str]:
        return [text for text in texts if likely.get(_key(text), 1.0) >= threshold or says_minor([text])]

    found = analysis.model_dump()
    for part, names in ((found, LISTS), *((subject, SUBJECT_LISTS) for subject in found["subjects"])):
        part.update({name: kept(part[name]) for name in names})
    found["tag_confidence"] = {text: likely[key] for key, texts in asked.items() for text in texts}
    return RatedAnalysis.model_validate(found)


def _phrases(analysis: ImageAnalysis) -> dict[str, list[str]]:
    """What is asked about: each phrase that says something, in all its spellings, by what they have in common."""
    found: dict[str, list[str]] = {}
    for text in _texts(analysis):
        if phrases_in(text) and text not in (spellings := found.setdefault(_key(text), [])):
            spellings.append(text)
    return found


def _texts(analysis: ImageAnalysis) -> Iterator[str]:
    for part, names in ((analysis, LISTS), *((subject, SUBJECT_LISTS) for subject in analysis.subjects)):
        for name in names:
            yield from getattr(part, name)


def _key(text: str) -> str:
    return key_of(clean(text))


def _asked(text: str) -> str:
    """A phrase as a question names it: plain words on one line, in which nothing ends the quotation."""
    return clean(text).replace("_", " ").replace('"', "'").strip()
