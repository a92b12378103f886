"""One analysis out of two pictures: the subject of one in the style, the light or the composition of the other.

Takes each aspect whole from one picture, or from neither. Knows no family; light to import.

A caption and the tags speak of everything at once, so they cannot be split and a mix has neither.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from .errors import PromptError

if TYPE_CHECKING:
    from .analysis import Confidence, ImageAnalysis, Rating, Style, Subject, Tag

Source = Literal["A", "B", "neither"]
"""Which picture an aspect is taken from."""
SOURCES = get_args(Source)
ASPECTS = {
    "subject": "Who or what is in the picture.",
    "setting": "Where it is, with the writing that can be read there.",
    "composition": "Framing, angle, lens, and where the subject is in the frame.",
    "light": "The light, where it comes from, and how hard it is.",
    "color": "The palette.",
    "style": "Medium, movement, technique, texture, mood and era.",
}
"""What can be taken from one picture apart from the rest of it, each with what it is."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where each of `ASPECTS` comes from; by default what is in A, made as B was."""

    subject: Source = "A"
    setting: Source = "A"
    composition: Source = "A"
    light: Source = "B"
    color: Source = "B"
    style: Source = "B"

    @classmethod
    def from_texts(cls, **chosen: str) -> Recipe:
        """The recipe as typed by a user, one word for each aspect, in any case. Raises PromptError."""
        known: dict[str, Source] = {source.lower(): source for source in SOURCES}
        sources: dict[str, Source] = {}
        for aspect, word in chosen.items():
            if word.strip().lower() not in known:
                raise PromptError(f"The {aspect} cannot come from {word!r}; choose one of {', '.join(SOURCES)}.")
            sources[aspect] = known[word.strip().lower()]
        return cls(**sources)

    def __post_init__(self) -> None:
        """Raises PromptError where nothing at all would be taken."""
        if set(asdict(self).values()) == {"neither"}:
            raise PromptError("Nothing is taken from either picture; choose A or B for one aspect at least.")


_NOTHING: dict[str, dict[str, Any]] = {
    "subject": {"subjects": []},
    "setting": {"setting": [], "visible_text": []},
    "composition": {
        "shot": "not applicable",
        "angle": "eye level",
        "view": "not applicable",
        "lens": "unknown",
        "focus": "unknown",
        "composition": [],
    },
    "light": {"light": "unknown", "light_direction": "unknown", "contrast": "balanced"},
    "color": {"palette": []},
    "style": {
        "medium": "other",
        "style": {
            "movement": "",
            "influences": [],
            "technique": [],
            "texture": [],
            "mood": [],
            "era": "unknown",
            "confidence": "low",
        },
    },
}
"""The fields of each aspect, each with its value that says nothing."""


def mix(a: ImageAnalysis, b: ImageAnalysis, recipe: Recipe) -> ImageAnalysis:
    """The analysis of the picture that takes each aspect from where the recipe says.

    A recipe that takes all from one picture gives its analysis unchanged. Else the new picture has no caption, no
    tags and no flaws; its rating is the stricter of those pictures that give the subject or the setting, its confidence
    the lowest of all that give anything; style and composition say nothing that names the subjects of another picture.

    A child counts wherever the picture that gives the subject tells of one, its caption and tags too: the words that
    tell of it (and no others) become the mix's tags, so that the mix is found to show a child wherever it goes from
    here, and the rating is general. No subject's age is changed: nobody knows whom the caption means, and an adult
    who was next to a child must not become one.
    """
    from .analysis import ImageAnalysis
    from .minors import shows_minor

    pictures = {"A": a, "B": b, "neither": None}
    givers = {aspect: pictures[source] for aspect, source in asdict(recipe).items()}
    used = [giver for giver in givers.values() if giver is not None]
    if len(used) == len(givers) and all(giver == used[0] for giver in used):
        return used[0]
    taken = ImageAnalysis.model_validate(
        {
            "caption": "",
            **_fields(givers),
            "flaws": {"items": []},
            "rating": _strictest(givers["subject"], givers["setting"]),
            "tags": [],
            "confidence": _lowest(used),
        }
    )
    taken = taken.model_copy(update={"tags": _signs_of_a_child(givers["subject"], taken)})
    return taken.model_copy(update={"rating": "general"}) if shows_minor(taken) else taken


def _fields(givers: dict[str, ImageAnalysis | None]) -> dict[str, Any]:
    """The fields of every aspect, from their pictures."""
    found = {
        name: nothing if (giver := givers[aspect]) is None else getattr(giver, name)
        for aspect, names in _NOTHING.items()
        for name, nothing in names.items()
    }
    found["subjects"] = _placed(found["subjects"], givers["composition"])
    shown = givers["subject"]
    if (framed := givers["composition"]) is not None and framed is not shown:
        found["composition"] = _without_subjects(framed.composition, framed)
    if (drawn := givers["style"]) is not None and drawn is not shown:
        found["style"] = _style_alone(drawn)
    return found


def _placed(subjects: list[Subject], framed: ImageAnalysis | None) -> list[Subject]:
    """The subjects where the composition has as many, one by one; in the middle, where it has not."""
    places = [] if framed is None else [subject.position for subject in framed.subjects]
    if len(places) != len(subjects):
        places = ["center"] * len(subjects)
    return [subject.model_copy(update={"position": place}) for subject, place in zip(subjects, places, strict=True)]


def _style_alone(drawn: ImageAnalysis) -> Style:
    """The style of a picture whose subjects are not in the mix."""
    style = drawn.style
    movement = "".join(_without_subjects([style.movement], drawn))
    lists = {name: _without_subjects(getattr(style, name), drawn) for name in ("technique", "texture", "mood")}
    return style.model_copy(update={"movement": movement, **lists})


def _without_subjects(texts: list[Tag], seen: ImageAnalysis) -> list[Tag]:
    """The texts that do not name who or what is in their picture."""
    from .phrases import phrases_in
    from .slots import names_subject

    return [text for text in texts if not any(names_subject(phrase, seen) for phrase in phrases_in(text))]


def _strictest(*givers: ImageAnalysis | None) -> Rating:
    """The strictest rating of those that are there; general where none is."""
    from .analysis import Rating

    ratings: list[Rating] = ["general", *(giver.rating for giver in givers if giver is not None)]
    return max(ratings, key=get_args(Rating).index)


def _lowest(givers: list[ImageAnalysis]) -> Confidence:
    from .analysis import Confidence

    found: list[Confidence] = [giver.confidence for giver in givers]
    return min(found, key=get_args(Confidence).index)


def _signs_of_a_child(shown: ImageAnalysis | None, taken: ImageAnalysis) -> list[Tag]:
    """The words by which the picture that gives the subject tells of a child, unless what was taken tells of it."""
    from .minors import minor_words, shows_minor

    if shown is None or not shows_minor(shown) or shows_minor(taken):
        return []
    return minor_words(shown)[:45]  # as many tags as an analysis may have
