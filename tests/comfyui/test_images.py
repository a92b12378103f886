"""IMAGE tensors to pictures: by what can be seen in them, and what cannot be looked at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from img2prompt.nodes import images
from img2prompt.nodes.images import OVERSHOOT, Pictures, check_batch, to_picture
from img2prompt.prompts.errors import PictureError

MANY = 10**9
"""More pixels than any picture has: none is averaged down."""


def flat(*channels: float, size: tuple[int, int] = (2, 3)) -> torch.Tensor:
    return torch.tensor(channels).expand(*size, len(channels))


@pytest.mark.parametrize(
    ("channels", "mode", "pixel"),
    [
        ((1.0, 0.0, 0.0), "RGB", (255, 0, 0)),
        ((0.0, 0.0, 1.0), "RGB", (0, 0, 255)),
        ((0.5, 0.25, 0.75), "RGB", (128, 64, 191)),
        ((1.0 + OVERSHOOT, -OVERSHOOT, 0.5), "RGB", (255, 0, 128)),
        ((1.0, 0.0, 0.0, 0.5), "RGBA", (255, 0, 0, 128)),
        ((0.2,), "L", 51),
    ],
)
def test_a_pixel_keeps_its_meaning(channels: tuple[float, ...], mode: str, pixel: object) -> None:
    picture = to_picture(flat(*channels), MANY)
    assert (picture.mode, picture.size, picture.getpixel((0, 0))) == (mode, (3, 2), pixel)


def test_rows_and_columns_stay_where_they_are() -> None:
    tall = torch.arange(70 * 2, dtype=torch.float32).reshape(70, 2, 1).expand(-1, -1, 3) / 255
    assert np.array_equal(np.asarray(to_picture(tall, MANY))[:, :, 1], np.arange(140).reshape(70, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float_type_is_read(dtype: torch.dtype) -> None:
    assert to_picture(flat(1.0, 0.0, 0.5).to(dtype), MANY).getpixel((0, 0)) == (255, 0, 128)


def test_the_tensor_is_left_as_it_was() -> None:
    image = flat(1.1, 0.0, 0.5).clone()
    before = image.clone()
    to_picture(image, MANY)
    assert torch.equal(image, before)


@pytest.mark.parametrize(
    ("channels", "cause"),
    [
        ((float("nan"), 0.0, 0.0), "not numbers"),
        ((float("inf"), 0.0, 0.0), "not numbers"),
        ((255.0, 0.0, 0.0), "from 0 to 255"),
        ((-1.0, 0.0, 1.0), "from -1 to 1"),
    ],
)
def test_values_that_are_no_picture(channels: tuple[float, ...], cause: str) -> None:
    with pytest.raises(PictureError, match=cause):
        to_picture(flat(*channels), MANY)


def test_one_bad_pixel_among_good_ones_is_found() -> None:
    image = torch.rand(64, 64, 3)
    image[63, 63, 2] = float("nan")
    with pytest.raises(PictureError, match="NaN"):
        to_picture(image, MANY)


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (1, 0, 8, 3), (8, 8, 3), (1, 8, 8, 2), (1, 8, 8, 5)])
def test_what_is_no_batch(shape: tuple[int, ...]) -> None:
    with pytest.raises(PictureError, match="connect"):
        check_batch(torch.zeros(shape))


def test_a_batch_is_converted_one_at_a_time_in_order() -> None:
    batch = torch.stack([flat(i / 255, 0.0, 0.0) for i in range(5)])
    shown = Pictures(batch, MANY)
    pictures = iter(shown)
    batch[4] = 1.0  # not yet converted, so the change is seen
    first = next(pictures)
    rest = list(pictures)
    assert [first.getpixel((0, 0)), rest[0].getpixel((0, 0))] == [(0, 0, 0), (1, 0, 0)]
    assert rest[3].getpixel((0, 0)) == shown.picture(4).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("size", "max_pixels", "expected"),
    [
        ((100, 80), 8_000, (80, 100)),  # nothing to do
        ((100, 80), 2_000, (80, 100)),  # twice what is sent is left to the engine
        ((100, 80), 500, (40, 50)),
        ((101, 83), 500, (42, 50)),  # a row that is left over is not seen
        ((100, 80), 200, (27, 33)),
        ((1, 4000), 100, (4000, 1)),  # nothing is left of a row that is halved
    ],
)
def test_what_is_far_larger_than_what_is_sent_is_averaged_down(
    size: tuple[int, int], max_pixels: int, expected: tuple[int, int]
) -> None:
    assert to_picture(flat(0.2, 0.4, 0.6, size=size), max_pixels).size == expected


@pytest.mark.parametrize("by", [2, 3, 4])
def test_averages_are_those_of_their_blocks(by: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "ROWS", 3)
    image = torch.rand(8 * by, 5 * by, 3, generator=torch.Generator().manual_seed(by))
    expected = image.reshape(8, by, 5, by, 3).mean(dim=(1, 3)).mul(255).round().numpy()
    picture = to_picture(image, 10 * by * by * 4 // (2 * by) ** 2)
    assert picture.size == (5, 8)
    assert np.abs(np.asarray(picture) - expected).max() <= 1


def test_a_hundred_megapixels() -> None:
    picture = to_picture(torch.full((1, 1, 1), 0.5).expand(10_000, 10_000, 3), MANY)
    assert picture.size == (10_000, 10_000)


def test_one_pixel() -> None:
    assert to_picture(flat(0.0, 1.0, 0.0, size=(1, 1)), MANY).getpixel((0, 0)) == (0, 255, 0)
