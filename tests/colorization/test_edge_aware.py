"""Edge-aware filters: how far and how evenly color spreads, and that it stops at lines."""

from heapq import heapify, heappop, heappush

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.colorization.edge_aware import flood_fill, propagate, smooth


def noise(channels: int, height: int, width: int) -> Tensor:
    return torch.rand((1, channels, height, width), generator=torch.Generator().manual_seed(0))


def boxes() -> Tensor:
    """Two boxes side by side, lines one pixel wide: columns 6..39 and 41..73, rows 6..34."""
    ink = torch.zeros((1, 1, 41, 80))
    ink[..., [5, 35], 5:75] = 1
    ink[..., 5:36, [5, 40, 74]] = 1
    return ink


LEFT, RIGHT = (..., slice(6, 35), slice(6, 40)), (..., slice(6, 35), slice(41, 74))


@pytest.mark.parametrize("sigma", [1.0, 8.0, 100.0])
def test_constant_values_stay_constant(sigma: float) -> None:
    found = smooth(torch.full((1, 2, 30, 41), 0.37), noise(1, 30, 41), sigma)
    np.testing.assert_allclose(found, 0.37, atol=1e-6)


@pytest.mark.parametrize(("sigma", "wrong"), [(2, 0.06), (5, 0.015), (12, 0.005)])
def test_on_bare_paper_it_is_a_blur_with_that_deviation(sigma: int, wrong: float) -> None:
    side = 12 * sigma + 1
    spot = torch.zeros((1, 1, side, side))
    spot[..., side // 2, side // 2] = 1
    found = smooth(spot, torch.zeros_like(spot), sigma)[0, 0].double().numpy()
    assert found.sum() == pytest.approx(1, abs=1e-3) and found.min() >= 0
    places = np.arange(side) - side // 2
    for axis in (0, 1):
        shares = found.sum(axis)
        assert (shares * places).sum() == pytest.approx(0, abs=0.003)
        assert (shares * places**2).sum() ** 0.5 == pytest.approx(sigma, rel=wrong)


@pytest.mark.parametrize("sigma", [2, 16, 64])
def test_a_black_line_stops_the_blur(sigma: int) -> None:
    """One pixel of black lets about a millionth through, upright or slanted."""
    ink = torch.zeros((1, 1, 80, 80))
    ink[..., 40] = 1
    found = smooth((torch.arange(80) < 40).float().expand(1, 1, 80, 80), ink, sigma)
    assert found[..., 41:].max() < 2e-6 and found[..., 40].max() < 0.05
    assert found[..., :40].min() > 0.999
    below = torch.ones((80, 80)).tril(-1)
    slanted = smooth(below[None, None], torch.eye(80)[None, None], sigma)
    assert slanted[0, 0][below.T > 0].max() < 1e-5


@pytest.mark.parametrize("sigma", [2, 16, 64])
def test_gray_lines_let_little_through(sigma: int) -> None:
    ink = torch.zeros((1, 1, 30, 80))
    ink[..., 40] = 0.5
    found = smooth((torch.arange(80) < 40).float().expand(1, 1, 30, 80), ink, sigma)
    assert 1e-5 < found[..., 41:].max() < 1e-3


def test_on_bare_paper_rows_and_columns_count_the_same() -> None:
    values = noise(3, 40, 33)
    found, turned = (smooth(one, torch.zeros_like(one[:, :1]), 7) for one in (values, values.mT))
    np.testing.assert_allclose(found, turned.mT, atol=1e-6)


def test_far_from_borders_and_lines_left_and_right_count_the_same() -> None:
    values = noise(1, 97, 97)
    found = smooth(values, torch.zeros_like(values), 5)
    for axis in (-1, -2):
        mirrored = smooth(values.flip(axis), torch.zeros_like(values), 5).flip(axis)
        off = (found - mirrored).abs()
        assert off[..., 30:-30, 30:-30].max() < 1e-4


@pytest.mark.parametrize("lines", [0, 0.15])
@pytest.mark.parametrize("axis", [-1, -2])
def test_a_mirrored_picture_gives_the_mirrored_result(lines: float, axis: int) -> None:
    values = noise(4, 50, 60)
    ink = (values[:, 3:] < lines).float()
    found, mirrored = (
        smooth(v[:, :3], i, 15) for v, i in ((values, ink), (values.flip(axis), ink.flip(axis)))
    )
    np.testing.assert_allclose(found, mirrored.flip(axis), atol=0.02)


@pytest.mark.parametrize("sigma", [16, 64])
def test_a_narrow_region_becomes_its_mean(sigma: int) -> None:
    """Eight pixels between two lines, from 0 to 1."""
    ink, values = torch.zeros((2, 1, 1, 40, 40))
    ink[..., [15, 24]] = 1
    values[..., 16:24] = torch.linspace(0, 1, 8)
    assert smooth(values, ink, sigma)[..., 20, 16:24].mean() == pytest.approx(0.5, abs=0.05)


def test_a_known_pixel_fills_its_region_and_no_other() -> None:
    color = torch.tensor([0.9, 0.2, 0.1]).view(1, 3, 1, 1).expand(-1, -1, 41, 80)
    where = torch.zeros((1, 1, 41, 80))
    where[..., 20:22, 20:22] = 1
    values, known = propagate(color, where, boxes(), 20)
    np.testing.assert_allclose(values[LEFT], color[LEFT], atol=1e-5)
    assert known.max() <= 1 and known[LEFT].min() > 1e-3
    assert known[RIGHT].max() < 1e-7 and known[..., :5, :].max() < 1e-7


def test_each_region_gets_its_own_color() -> None:
    red_and_blue = torch.zeros((1, 3, 41, 80))
    red_and_blue[:, 0, :, :40] = red_and_blue[:, 2, :, 40:] = 1
    where = torch.zeros((1, 1, 41, 80))
    where[..., 30, 8] = where[..., 7, 70] = 1  # in opposite corners
    values, _ = propagate(red_and_blue, where, boxes(), 20)
    np.testing.assert_allclose(values[LEFT], red_and_blue[LEFT], atol=1e-4)
    np.testing.assert_allclose(values[RIGHT], red_and_blue[RIGHT], atol=1e-4)


def test_between_two_colors_there_is_a_mixture() -> None:
    """In the middle of a region: about half of each, in both directions."""
    ink = torch.zeros((1, 1, 65, 65))
    ink[..., [10, 54], 10:55] = ink[..., 10:55, [10, 54]] = 1
    where, values = torch.zeros((2, 1, 1, 65, 65))
    where[..., 30:35, [14, 15, 49, 50]] = 1
    values[..., 33:] = 1
    for turned in (False, True):
        given = (one.mT if turned else one for one in (values, where, ink))
        middle = propagate(*given, 16)[0][0, 0]
        middle = middle[:, 32] if turned else middle[32]
        assert middle[32] == pytest.approx(0.5, abs=0.12)
        assert middle[14] < 0.12 and middle[50] > 0.88 and middle[11:54].diff().min() > -1e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_very_thin_pictures_work(size: tuple[int, int]) -> None:
    values = noise(3, *size)
    assert smooth(values, noise(1, *size), 5).shape == values.shape


# --- floods ----------------------------------------------------------------------------------

ONE_LINE = np.exp(-8 * 0.9)  # behind a black line: the first tenth of the ink is ignored


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 3), (40, 55)])
def test_a_flood_covers_blank_paper(size: tuple[int, int]) -> None:
    paper = torch.zeros((1, 1, *size))
    found = flood_fill(paper, rounds=1)
    assert found.shape == paper.shape and (found == 1).all()
    assert (paper == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_in_very_thin_pictures_a_flood_stops_only_at_ink(size: tuple[int, int]) -> None:
    """Every pixel is at the border."""
    ink = noise(1, *size)
    wanted = np.exp(-8 * np.maximum(0, ink.numpy() - 0.1))
    np.testing.assert_allclose(flood_fill(ink), wanted, rtol=1e-5)


def test_a_flood_stops_at_closed_lines() -> None:
    found = flood_fill(boxes())
    np.testing.assert_allclose(found[LEFT], ONE_LINE, rtol=1e-5)
    np.testing.assert_allclose(found[RIGHT], ONE_LINE, rtol=1e-5)
    np.testing.assert_allclose(found[..., [5, 35], 5:75], ONE_LINE, rtol=1e-5)
    np.testing.assert_allclose(found[..., 6:35, 40], ONE_LINE**2, rtol=1e-5)
    outside = torch.ones_like(found)
    outside[..., 5:36, 5:75] = 0
    assert (found[outside == 1] == 1).all() and outside.sum() > 1000
    within = boxes()
    within[..., [15, 25], 15:26] = within[..., 15:26, [15, 25]] = 1
    found = flood_fill(within)
    np.testing.assert_allclose(found[..., 16:25, 16:25], ONE_LINE**2, rtol=1e-5)
    np.testing.assert_allclose(found[..., 6:15, 6:40], ONE_LINE, rtol=1e-5)


@pytest.mark.parametrize("place", [(5, 20), (20, 5)], ids=["above", "beside"])
def test_a_gap_lets_a_flood_in(place: tuple[int, int]) -> None:
    """The ink in the gap slows it; the other box stays closed."""
    for ink, wanted in ((0.0, 1.0), (0.6, np.exp(-8 * 0.5))):
        open_ = boxes()
        open_[0, 0][place] = ink
        found = flood_fill(open_)
        np.testing.assert_allclose(found[LEFT], wanted, rtol=1e-5)
        np.testing.assert_allclose(found[RIGHT], max(ONE_LINE, wanted * ONE_LINE), rtol=1e-5)


def spiral(side: int) -> tuple[Tensor, list[tuple[int, int]]]:
    """A path one pixel wide through black, inward from the left, and its corners."""
    ink, corners = torch.ones((1, 1, side, side)), []
    y, x, low, high = 1, 0, 1, side - 2
    while high - low > 1:
        for to in ((low, high), (high, high), (high, low), (low + 2, low)):
            rows, columns = (slice(min(a, b), max(a, b) + 1) for a, b in ((y, to[0]), (x, to[1])))
            ink[..., rows, columns] = 0
            y, x = to
            corners.append(to)
        low, high = low + 2, high - 2
    return ink, corners


def test_every_round_follows_a_path_around_two_more_corners() -> None:
    ink, corners = spiral(23)
    # the path never touches itself: there is a line between its turns
    assert len(corners) == 20 and ink.mean() > 0.45
    for rounds in range(1, 8):
        found = flood_fill(ink, rounds)[0, 0]
        assert all(found[place] == 1 for place in corners[: 2 * rounds])
        assert all(found[place] < 1e-3 for place in corners[2 * rounds :])


def test_a_flood_ignores_paper_grain() -> None:
    grain = noise(1, 50, 60)
    assert (flood_fill(0.1 * grain) == 1).all()
    np.testing.assert_allclose(flood_fill(boxes() * 0.2)[LEFT], np.exp(-8 * 0.1), rtol=1e-5)
    seen = flood_fill(0.9 * boxes() + 0.1 * noise(1, 41, 80))
    assert (seen[LEFT] < 2 * np.exp(-8 * 0.8)).all() and (seen[..., 36:, :] == 1).all()


def test_pictures_and_channels_of_a_batch_are_independent() -> None:
    ink = torch.rand((2, 3, 21, 34), generator=torch.Generator().manual_seed(0)) ** 3
    found = flood_fill(ink)
    assert found.shape == ink.shape
    for picture in range(2):
        for channel in range(3):
            alone = flood_fill(ink[picture, channel][None, None])
            # exp() of a vector may differ from that of another by a last bit
            np.testing.assert_allclose(found[picture, channel], alone[0, 0], rtol=1e-6)


def freest_paths(ink: np.ndarray) -> np.ndarray:
    """Dijkstra: the largest product of passages over all paths from the border."""
    walls: np.ndarray = np.exp(-8 * np.maximum(0, ink - 0.1))
    height, width = walls.shape
    best: np.ndarray = np.zeros((height, width))
    queue = [
        (-walls[y, x], y, x)
        for y, x in np.ndindex(height, width)
        if y in (0, height - 1) or x in (0, width - 1)
    ]
    heapify(queue)
    while queue:
        value, y, x = heappop(queue)
        if best[y, x] > 0:
            continue
        best[y, x] = -value
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width and best[v, u] == 0:
                heappush(queue, (value * walls[v, u], v, u))
    return best


@pytest.mark.parametrize("power", [1, 3])
def test_a_flood_finds_the_freest_paths(power: int) -> None:
    random = np.random.default_rng(power)
    ink = random.random((15, 19)) ** power
    wanted = freest_paths(ink)
    given = torch.from_numpy(ink)[None, None]
    np.testing.assert_allclose(flood_fill(given, rounds=20)[0, 0], wanted, rtol=1e-9)
    before = torch.zeros_like(given)
    for rounds in (1, 2, 3):  # few rounds miss some paths, but never overestimate one
        found = flood_fill(given, rounds)
        assert (found >= before).all()
        assert (found[0, 0].numpy() <= wanted * (1 + 1e-9)).all()
        before = found
    assert np.median(flood_fill(given)[0, 0].numpy() / wanted) == pytest.approx(1, rel=1e-9)
