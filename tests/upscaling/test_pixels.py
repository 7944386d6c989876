"""Conversions between floats and integers of 8 and 16 bits."""

import numpy as np
import pytest
import torch

from limner.upscaling.pixels import is_gray, resize_integer, to_float, to_integer

DEPTHS = [torch.uint8, torch.uint16]


@pytest.mark.parametrize("depth", DEPTHS)
def test_all_integers_survive_the_way_to_floats_and_back(depth: torch.dtype) -> None:
    values = torch.arange(torch.iinfo(depth).max + 1).to(depth)
    floats = to_float(values)
    assert floats.dtype == torch.float32 and (floats.min(), floats.max()) == (0, 1)
    back = to_integer(floats, depth)
    assert back.dtype == depth
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize("depth", DEPTHS)
def test_values_outside_0_to_1_are_clipped(depth: torch.dtype) -> None:
    assert to_integer(torch.tensor([-0.5, 1.5]), depth).tolist() == [0, torch.iinfo(depth).max]


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (6, 4), (30, 50)])
def test_both_depths_are_resized_alike(size: tuple[int, int]) -> None:
    """Without overshoot beyond 0 and 255, which torch clips after each axis of 8 bits."""
    random = torch.Generator().manual_seed(0)
    picture = torch.randint(80, 176, (1, 3, 12, 20), generator=random)
    small = resize_integer(picture.to(torch.uint8), size)
    deep = resize_integer((picture * 257).to(torch.uint16), size)
    assert small.dtype == torch.uint8 and deep.dtype == torch.uint16
    assert small.shape == deep.shape == (1, 3, *size)
    off = (small.float() - deep.float() / 257).abs().max()
    assert off <= 1.5  # torch rounds 8 bits after each of the two axes


def test_one_different_value_makes_a_picture_colored() -> None:
    gray = torch.rand((1, 1, 4, 5)).repeat(1, 3, 1, 1)
    assert is_gray(gray)
    for channel in range(3):
        colored = gray.clone()
        colored[0, channel, 2, 3] += 0.1
        assert not is_gray(colored)
