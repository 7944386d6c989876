"""`--tileable`: a texture that repeats has no seam after it was enlarged."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from limner.errors import OptionError
from limner.upscaling.pixels import crop, resize_tile, wrap
from limner.upscaling.upscale import upscale


def texture(height: int = 24, width: int = 36, channels: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(2).integers(0, 255, (height, width, channels), dtype=np.uint8)
    return coarse.repeat(2, 0).repeat(2, 1)


def test_a_wrapped_picture_repeats() -> None:
    picture = torch.arange(6).reshape(1, 1, 2, 3)
    wrapped = wrap(picture, (5, 1))
    assert wrapped.shape == (1, 1, 12, 5)
    assert wrapped[0, 0, 0].tolist() == [5, 3, 4, 5, 3] and wrapped[0, 0, 5].tolist()[1:4] == [
        0,
        1,
        2,
    ]
    assert torch.equal(crop(wrapped, (5, 1)), picture)
    assert torch.equal(crop(picture, (0, 0)), picture)


@pytest.mark.parametrize("size", [(20, 50), (96, 108), (30, 17)])
def test_a_resized_tile_has_no_place_where_it_begins(size: tuple[int, int]) -> None:
    tile = torch.from_numpy(texture()).permute(2, 0, 1)[None]
    height, width = tile.shape[-2:]
    down, across = height // 4, width // 2  # become a whole number of pixels
    moved = resize_tile(tile.roll((down, across), (2, 3)), size).float()
    steps = down * size[0] / height, across * size[1] / width
    if all(step == int(step) for step in steps):
        expected = resize_tile(tile, size).roll((int(steps[0]), int(steps[1])), (2, 3)).float()
        assert (moved - expected).abs().max() <= 1
    assert moved.shape[-2:] == size


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"quality": "best"}, {"scale": 1.5}, {"scale": 3}])
@pytest.mark.parametrize("channels", [3, 4])
def test_the_picture_may_begin_anywhere(options: dict[str, Any], channels: int) -> None:
    values = texture(channels=channels)
    values[..., 3:] |= 128
    moved = np.roll(values, (10, 20), (0, 1))
    made, other = (
        np.asarray(upscale(Image.fromarray(one), tileable=True, **options), np.int64)
        for one in (values, moved)
    )
    scale = options.get("scale", 4)
    expected = np.roll(made, (int(10 * scale), int(20 * scale)), (0, 1))
    assert np.abs(other - expected).max() <= 1
    plain = np.asarray(upscale(Image.fromarray(values), **options), np.int64)
    assert plain.shape == made.shape and np.abs(plain - made).max() > 3  # at the edges


def test_not_on_paper() -> None:
    with pytest.raises(OptionError, match=r"^--tileable: has no effect with --print"):
        upscale(Image.fromarray(texture()), tileable=True, print_="3x2cm")
