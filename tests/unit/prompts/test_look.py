"""What measure() says of drawn pictures whose truth is known, and of the example photographs."""

from pathlib import Path

import numpy as np
import pytest
from img2prompt.prompts.errors import PictureError
from img2prompt.prompts.look import Look, aspect_name, ciede2000, color_name, measure
from PIL import Image, ImageDraw

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def bands(*parts: tuple[str, int], size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Vertical bands of colour, each as wide as its share in percent."""
    picture = Image.new("RGB", size)
    draw, left = ImageDraw.Draw(picture), 0.0
    for color, percent in parts:
        right = left + size[0] * percent / 100
        draw.rectangle((round(left), 0, round(right), size[1]), fill=color)
        left = right
    return picture


def names(look: Look) -> list[str]:
    return [color.name for color in look.palette]


@pytest.mark.parametrize(
    ("parts", "palette"),
    [
        ([("#14244f", 60), ("#d8a323", 40)], {"navy": 0.6, "gold": 0.4}),
        ([("#fafafa", 70), ("#de1c1c", 30)], {"white": 0.7, "red": 0.3}),
        ([("#27983a", 50), ("#2a9a3d", 20), ("#fb8b1a", 30)], {"green": 0.7, "orange": 0.3}),
        ([("#808080", 100)], {"gray": 1.0}),
    ],
    ids=["navy and gold", "white and red", "two greens are one", "one"],
)
def test_palette_names_the_colors_and_their_shares(parts: list[tuple[str, int]], palette: dict[str, float]) -> None:
    look = measure(bands(*parts))
    assert names(look) == list(palette)
    assert [color.share for color in look.palette] == pytest.approx(list(palette.values()), abs=0.02)


@pytest.mark.parametrize(
    ("spot", "accent"),
    [("#fde01b", "yellow"), ("#fc4296", "hot pink"), ("#4b79a9", ""), ("#15264f", "")],
    ids=["vivid", "vivid pink", "dull", "as the rest"],
)
def test_accent_is_a_small_vivid_color_that_the_palette_lacks(spot: str, accent: str) -> None:
    picture = bands(("#14244f", 60), ("#36393d", 40))
    ImageDraw.Draw(picture).rectangle((100, 80, 120, 110), fill=spot)  # 1 % of the picture
    look = measure(picture)
    assert look.accent == accent
    assert "navy" in names(look)


@pytest.mark.parametrize(
    ("parts", "temperature", "monochrome"),
    [
        ([("#fb8b1a", 60), ("#7a4a24", 40)], "warm", False),
        ([("#14244f", 60), ("#74bff0", 40)], "cool", False),
        ([("#fb8b1a", 50), ("#1f55de", 50)], "mixed", False),
        ([("#101010", 50), ("#c0c0c0", 50)], "neutral", True),
        ([("#808080", 96), ("#de1c1c", 4)], "neutral", False),
    ],
)
def test_temperature_and_monochrome(parts: list[tuple[str, int]], temperature: str, monochrome: bool) -> None:
    look = measure(bands(*parts))
    assert (look.temperature, look.monochrome) == (temperature, monochrome)


@pytest.mark.parametrize(
    ("parts", "low_key"),
    [
        ([("#050505", 85), ("#e0c080", 15)], True),
        ([("#050505", 50), ("#e0c080", 50)], False),
        ([("#101010", 100)], False),
        ([("#e0e0e0", 85), ("#050505", 15)], False),
    ],
    ids=["spotlit", "half lit", "evenly dark", "light"],
)
def test_low_key_is_a_light_in_the_dark(parts: list[tuple[str, int]], low_key: bool) -> None:
    assert measure(bands(*parts)).low_key is low_key


def portal(offset: int) -> Image.Image:
    picture = Image.new("RGB", (300, 300), "#303030")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((100 + offset, 60, 200 + offset, 300), fill="#e0d0a0")
    draw.ellipse((100 + offset, 10, 200 + offset, 110), fill="#e0d0a0")
    return picture


def sky_over_field() -> Image.Image:
    picture = Image.new("RGB", (300, 200), "#74bff0")
    ImageDraw.Draw(picture).rectangle((0, 100, 300, 200), fill="#27983a")
    return picture


@pytest.mark.parametrize(
    ("picture", "symmetrical"),
    [(portal(0), True), (portal(75), False), (sky_over_field(), False), (Image.new("RGB", (64, 64), "red"), False)],
    ids=["portal", "portal to the side", "horizon", "plain"],
)
def test_symmetry_is_of_left_and_right(picture: Image.Image, symmetrical: bool) -> None:
    assert measure(picture).symmetrical is symmetrical


@pytest.mark.parametrize(
    ("size", "aspect"),
    [
        ((512, 512), "square"),
        ((1024, 1000), "square"),
        ((600, 400), "landscape 3:2"),
        ((451, 300), "landscape 3:2"),
        ((832, 1216), "portrait 2:3"),
        ((1920, 1080), "landscape 16:9"),
        ((1080, 1920), "portrait 9:16"),
        ((1024, 768), "landscape 4:3"),
        ((2560, 1080), "landscape 21:9"),
        ((1, 200), "portrait 1:200"),
    ],
)
def test_aspect_is_the_nearest_common_format(size: tuple[int, int], aspect: str) -> None:
    assert aspect_name(*size) == aspect


def translucent() -> Image.Image:
    """Black that cannot be seen, beside an opaque red."""
    picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    picture.paste((222, 28, 28, 255), (0, 0, 50, 100))
    return picture


def with_transparent_index() -> Image.Image:
    picture = Image.new("P", (100, 100), 0)
    picture.putpalette([0, 0, 0, 222, 28, 28])
    picture.paste(1, (0, 0, 50, 100))
    picture.info["transparency"] = 0
    return picture


def sixteen_bits(dtype: type[np.generic]) -> Image.Image:
    gray = np.full((100, 100), 65_535, dtype=dtype)
    gray[:, :40] = 0
    return Image.fromarray(gray)


@pytest.mark.parametrize(
    ("picture", "palette"),
    [
        (translucent(), ["red", "white"]),
        (with_transparent_index(), ["red", "white"]),
        (bands(("#ffffff", 60), ("#000000", 40)).convert("L"), ["white", "black"]),
        (bands(("#ffffff", 60), ("#000000", 40)).convert("1"), ["white", "black"]),
        (bands(("#ffffff", 60), ("#000000", 40)).convert("LA"), ["white", "black"]),
        (bands(("#ffffff", 60), ("#000000", 40)).convert("CMYK"), ["white", "black"]),
        (sixteen_bits(np.uint16), ["white", "black"]),
        (sixteen_bits(np.int32), ["white", "black"]),
        (sixteen_bits(np.float32), ["white", "black"]),
    ],
    ids=["RGBA", "P with transparency", "L", "1", "LA", "CMYK", "I;16", "I", "F"],
)
def test_every_mode_shows_its_colors(picture: Image.Image, palette: list[str]) -> None:
    assert sorted(names(measure(picture))) == sorted(palette)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2000, 1), (3, 700)])
def test_any_size_can_be_measured(size: tuple[int, int]) -> None:
    look = measure(Image.new("RGB", size, "#de1c1c"))
    assert (look.width, look.height) == size
    assert names(look) == ["red"]


def test_a_picture_without_pixels_is_an_error() -> None:
    with pytest.raises(PictureError, match="no pixels"):
        measure(Image.new("RGB", (0, 5)))


def test_the_picture_is_left_as_it_was_and_measured_alike_twice() -> None:
    picture = Image.open(EXAMPLES / "coffee.jpg")
    before = picture.tobytes()
    assert measure(picture) == measure(picture)
    assert (picture.mode, picture.tobytes()) == ("RGB", before)


@pytest.mark.parametrize(
    ("photo", "aspect", "temperature", "some_names"),
    [
        ("astronaut.jpg", "square", "warm", {"black", "coral"}),
        ("chelsea.jpg", "landscape 3:2", "warm", {"bronze", "brown"}),
        ("coffee.jpg", "landscape 3:2", "warm", {"rust", "dark brown"}),
    ],
)
def test_example_photographs(photo: str, aspect: str, temperature: str, some_names: set[str]) -> None:
    with Image.open(EXAMPLES / photo) as picture:
        look = measure(picture)
    assert (look.aspect, look.temperature, look.monochrome, look.symmetrical) == (aspect, temperature, False, False)
    assert some_names <= set(names(look))


# Of the table in Sharma, Wu, Dalal 2005: pairs that tell a wrong hue mean, a wrong sign or a missing term.
@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_ciede2000_agrees_with_the_paper(one: tuple[float, ...], other: tuple[float, ...], difference: float) -> None:
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(difference, abs=1e-4)


def test_grays_are_named_as_grays() -> None:
    lab = np.array([[lightness, 0.0, 0.0] for lightness in range(0, 101, 5)])
    assert set(color_name(lab)) == {"black", "charcoal", "dark gray", "gray", "light gray", "white"}
