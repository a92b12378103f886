"""The sketch engine: what it says of a picture, and that it says nothing else."""

import asyncio
from pathlib import Path

import pytest
from img2prompt.engine.errors import Refused
from img2prompt.engine.sketch import SketchBackend
from img2prompt.prompts.analysis import ImageAnalysis, Subject
from img2prompt.prompts.request import Request
from PIL import Image, ImageDraw

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def analyse(picture: Image.Image) -> ImageAnalysis:
    return asyncio.run(SketchBackend().answer(Request((picture,), "Describe it.", ImageAnalysis), print))


def lit_portal() -> Image.Image:
    """A gold door in the middle of a navy night, a red lamp on either side."""
    picture = Image.new("RGB", (200, 300), "#0b1230")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((80, 120, 119, 299), fill="#d8a323")
    draw.rectangle((30, 100, 44, 114), fill="#de1c1c")
    draw.rectangle((155, 100, 169, 114), fill="#de1c1c")
    return picture


def test_all_that_pixels_tell_is_in_the_analysis() -> None:
    analysis = analyse(lit_portal())
    assert analysis.caption == (
        "Mostly navy and gold with an accent of red; low-key light; strongly symmetrical; tall format."
    )
    assert [(color.name, color.role) for color in analysis.palette] == [
        ("navy", "dominant"),
        ("gold", "secondary"),
        ("red", "accent"),
    ]
    assert analysis.contrast == "low key"
    assert analysis.composition == ["symmetrical composition"]


@pytest.mark.parametrize(
    ("color", "caption", "tags"),
    [
        ("#808080", "Monochrome, gray; square format.", ["monochrome"]),
        ("#74bff0", "Mostly sky blue; cool colors; square format.", ["cool colors"]),
        ("#fb8b1a", "Mostly orange; warm colors; square format.", ["warm colors"]),
    ],
)
def test_plain_pictures(color: str, caption: str, tags: list[str]) -> None:
    analysis = analyse(Image.new("RGB", (64, 64), color))
    assert (analysis.caption, analysis.tags) == (caption, tags)


@pytest.mark.parametrize("photo", ["astronaut.jpg", "chelsea.jpg", "coffee.jpg"])
def test_it_never_names_what_it_cannot_see(photo: str) -> None:
    with Image.open(EXAMPLES / photo) as picture:
        analysis = analyse(picture)
    seen = {"caption", "palette", "tags", "composition", "contrast"}
    rest = analysis.model_dump(exclude=seen | {"style", "flaws"})
    assert rest == {
        "medium": "other",
        "subjects": [],
        "setting": [],
        "shot": "not applicable",
        "angle": "eye level",
        "view": "not applicable",
        "lens": "unknown",
        "focus": "unknown",
        "light": "unknown",
        "light_direction": "unknown",
        "visible_text": [],
        "rating": "general",
        "confidence": "low",
    }
    style = analysis.style.model_dump(exclude={"era", "confidence"})
    assert not any(style.values())
    assert (analysis.style.era, analysis.style.confidence, analysis.flaws.items) == ("unknown", "low", [])
    assert "sketch" not in analysis.model_dump_json()  # that is for the status to say


@pytest.mark.parametrize(
    "request_",
    [
        Request((Image.new("RGB", (8, 8)),), "Who?", Subject),
        Request((Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8))), "Describe them.", ImageAnalysis),
        Request((), "Describe it.", ImageAnalysis),
    ],
    ids=["another answer", "two pictures", "no picture"],
)
def test_other_requests_are_refused_with_the_next_step(request_: Request[ImageAnalysis]) -> None:
    with pytest.raises(Refused, match=r"sketch engine measures colours and light in one picture.*set an endpoint"):
        asyncio.run(SketchBackend().answer(request_, print))


def test_status_says_that_it_is_a_sketch() -> None:
    status = SketchBackend().status()
    assert (status.engine, status.model, status.endpoint) == ("sketch", "", "")
    assert "no subjects" in status.detail
