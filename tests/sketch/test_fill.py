"""Colour that flows within lines: how far, how evenly, and how little across."""

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.sketch.fill import flow, spread


def noise(channels: int, height: int, width: int) -> Tensor:
    return torch.rand((1, channels, height, width), generator=torch.Generator().manual_seed(0))


def boxes() -> Tensor:
    """Two rooms side by side with walls of one pixel: columns 6..39 and 41..73, rows 6..34."""
    ink = torch.zeros((1, 1, 41, 80))
    ink[..., [5, 35], 5:75] = 1
    ink[..., 5:36, [5, 40, 74]] = 1
    return ink


LEFT, RIGHT = (..., slice(6, 35), slice(6, 40)), (..., slice(6, 35), slice(41, 74))


@pytest.mark.parametrize("reach", [1.0, 8.0, 100.0])
def test_what_is_flat_stays_flat(reach: float) -> None:
    found = flow(torch.full((1, 2, 30, 41), 0.37), noise(1, 30, 41), reach)
    np.testing.assert_allclose(found, 0.37, atol=1e-6)


@pytest.mark.parametrize(("reach", "wrong"), [(2, 0.06), (5, 0.015), (12, 0.005)])
def test_on_bare_paper_it_is_a_blur_of_that_deviation(reach: int, wrong: float) -> None:
    side = 12 * reach + 1
    spot = torch.zeros((1, 1, side, side))
    spot[..., side // 2, side // 2] = 1
    found = flow(spot, torch.zeros_like(spot), reach)[0, 0].double().numpy()
    assert found.sum() == pytest.approx(1, abs=1e-3) and found.min() >= 0
    places = np.arange(side) - side // 2
    for axis in (0, 1):
        shares = found.sum(axis)
        assert (shares * places).sum() == pytest.approx(0, abs=0.003)
        assert (shares * places**2).sum() ** 0.5 == pytest.approx(reach, rel=wrong)


@pytest.mark.parametrize("reach", [2, 16, 64])
def test_a_black_line_stops_it(reach: int) -> None:
    """A millionth goes through one pixel of black, whether upright or slanted."""
    ink = torch.zeros((1, 1, 80, 80))
    ink[..., 40] = 1
    found = flow((torch.arange(80) < 40).float().expand(1, 1, 80, 80), ink, reach)
    assert found[..., 41:].max() < 2e-6 and found[..., 40].max() < 0.05
    assert found[..., :40].min() > 0.999
    below = torch.ones((80, 80)).tril(-1)
    slanted = flow(below[None, None], torch.eye(80)[None, None], reach)
    assert slanted[0, 0][below.T > 0].max() < 1e-5


@pytest.mark.parametrize("reach", [2, 16, 64])
def test_grey_lines_let_little_through(reach: int) -> None:
    ink = torch.zeros((1, 1, 30, 80))
    ink[..., 40] = 0.5
    found = flow((torch.arange(80) < 40).float().expand(1, 1, 30, 80), ink, reach)
    assert 1e-5 < found[..., 41:].max() < 1e-3


def test_on_bare_paper_rows_and_columns_are_alike() -> None:
    values = noise(3, 40, 33)
    found, turned = (flow(one, torch.zeros_like(one[:, :1]), 7) for one in (values, values.mT))
    np.testing.assert_allclose(found, turned.mT, atol=1e-6)


def test_far_from_borders_and_lines_it_does_not_know_left_from_right() -> None:
    values = noise(1, 97, 97)
    found = flow(values, torch.zeros_like(values), 5)
    for axis in (-1, -2):
        mirrored = flow(values.flip(axis), torch.zeros_like(values), 5).flip(axis)
        off = (found - mirrored).abs()
        assert off[..., 30:-30, 30:-30].max() < 1e-4


@pytest.mark.parametrize("lines", [0, 0.15])
@pytest.mark.parametrize("axis", [-1, -2])
def test_mirrored_it_is_the_same(lines: float, axis: int) -> None:
    values = noise(4, 50, 60)
    ink = (values[:, 3:] < lines).float()
    found, mirrored = (
        flow(v[:, :3], i, 15) for v, i in ((values, ink), (values.flip(axis), ink.flip(axis)))
    )
    np.testing.assert_allclose(found, mirrored.flip(axis), atol=0.02)


@pytest.mark.parametrize("reach", [16, 64])
def test_a_narrow_region_becomes_its_mean(reach: int) -> None:
    """Eight pixels between two lines, from 0 to 1."""
    ink, values = torch.zeros((2, 1, 1, 40, 40))
    ink[..., [15, 24]] = 1
    values[..., 16:24] = torch.linspace(0, 1, 8)
    assert flow(values, ink, reach)[..., 20, 16:24].mean() == pytest.approx(0.5, abs=0.05)


def test_a_known_place_fills_its_region_and_no_other() -> None:
    colour = torch.tensor([0.9, 0.2, 0.1]).view(1, 3, 1, 1).expand(-1, -1, 41, 80)
    where = torch.zeros((1, 1, 41, 80))
    where[..., 20:22, 20:22] = 1
    values, known = spread(colour, where, boxes(), 20)
    np.testing.assert_allclose(values[LEFT], colour[LEFT], atol=1e-5)
    assert known.max() <= 1 and known[LEFT].min() > 1e-3
    assert known[RIGHT].max() < 1e-7 and known[..., :5, :].max() < 1e-7


def test_each_region_has_the_colour_of_its_own() -> None:
    red_and_blue = torch.zeros((1, 3, 41, 80))
    red_and_blue[:, 0, :, :40] = red_and_blue[:, 2, :, 40:] = 1
    where = torch.zeros((1, 1, 41, 80))
    where[..., 30, 8] = where[..., 7, 70] = 1  # in opposite corners
    values, _ = spread(red_and_blue, where, boxes(), 20)
    np.testing.assert_allclose(values[LEFT], red_and_blue[LEFT], atol=1e-4)
    np.testing.assert_allclose(values[RIGHT], red_and_blue[RIGHT], atol=1e-4)


def test_between_two_colours_lies_a_mixture() -> None:
    """In the middle of a region about half of each (0.59), whichever way they lie."""
    ink = torch.zeros((1, 1, 65, 65))
    ink[..., [10, 54], 10:55] = ink[..., 10:55, [10, 54]] = 1
    where, values = torch.zeros((2, 1, 1, 65, 65))
    where[..., 30:35, [14, 15, 49, 50]] = 1
    values[..., 33:] = 1
    for turned in (False, True):
        given = (one.mT if turned else one for one in (values, where, ink))
        middle = spread(*given, 16)[0][0, 0]
        middle = middle[:, 32] if turned else middle[32]
        assert middle[32] == pytest.approx(0.5, abs=0.12)
        assert middle[14] < 0.12 and middle[50] > 0.88 and middle[11:54].diff().min() > -1e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_slivers_go_through(size: tuple[int, int]) -> None:
    values = noise(3, *size)
    assert flow(values, noise(1, *size), 5).shape == values.shape
