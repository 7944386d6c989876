"""Tokens of small label maps, counted by hand."""

import numpy as np
import pytest
import torch

from limner.colorization.tokens import (
    PAIR,
    SHAPE,
    Tokens,
    describe,
    largest,
    median_colors,
    stack,
)

MAP = np.array(
    [
        [1, 1, 1, 2, 2, 2],
        [1, 1, 1, 2, 2, 2],
        [3, 3, 3, 3, 2, 2],
        [3, 3, 3, 3, 2, 2],
    ],
    np.int32,
)
INK = np.zeros((4, 6), np.float32)
INK[0, 0], INK[1, 2], INK[3, 4] = 1, 0.5, 0.25


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return describe(torch.from_numpy(MAP), torch.from_numpy(INK), (2, 3), 3)


def test_every_part_has_its_shape(tokens: Tokens) -> None:
    assert tokens.pool.shape == (1, 3, 6) and tokens.area.shape == (1, 3)
    assert tokens.shape.shape == (1, 3, SHAPE) and tokens.pair.shape == (1, 3, 3, PAIR)
    for part in (tokens.pool, tokens.shape, tokens.pair, tokens.area):
        assert part.dtype == torch.float32
    assert tokens.valid.all()


def test_the_area_is_a_share_of_the_drawing(tokens: Tokens) -> None:
    np.testing.assert_allclose(tokens.area[0], [6 / 24, 10 / 24, 8 / 24], rtol=1e-6)


def test_the_pool_tells_in_which_cells_a_region_lies(tokens: Tokens) -> None:
    """Cells of 2 × 2 pixels, row by row."""
    wanted = [
        [4 / 6, 2 / 6, 0, 0, 0, 0],
        [0, 0.2, 0.4, 0, 0, 0.4],
        [0, 0, 0, 0.5, 0.5, 0],
    ]
    np.testing.assert_allclose(tokens.pool[0], wanted, rtol=1e-6)


def test_center_and_spread_are_those_of_the_pixels(tokens: Tokens) -> None:
    """From −1 to 1 on the longer side."""
    for label in (1, 2, 3):
        y, x = np.nonzero(label == MAP)
        y, x = (y - 1.5) / 3, (x - 2.5) / 3
        wanted = [y.mean(), x.mean(), y.std(), x.std()]
        np.testing.assert_allclose(tokens.shape[0, label - 1, 2:6], wanted, rtol=1e-5)
        slant = ((y - y.mean()) * (x - x.mean())).mean() / (y.std() * x.std())
        assert tokens.shape[0, label - 1, 6] == pytest.approx(slant, abs=1e-6)
    np.testing.assert_allclose(tokens.shape[0, 0, 2:4], [-1 / 3, -1.5 / 3], rtol=1e-6)
    np.testing.assert_allclose(tokens.shape[0, 0, 6], 0, atol=1e-6)
    assert tokens.shape[0, 1, 6] > 0.2  # it leans from the top left to the bottom right


def test_the_other_numbers_of_a_shape(tokens: Tokens) -> None:
    share = np.array([6, 10, 8]) / 24
    np.testing.assert_allclose(tokens.shape[0, :, 0], np.log(share) / 4 + 1, rtol=1e-6)
    np.testing.assert_allclose(tokens.shape[0, :, 1], np.sqrt(share), rtol=1e-6)
    borders = [[3 / 6, 0, 2 / 4, 0], [3 / 6, 2 / 6, 0, 1], [0, 4 / 6, 2 / 4, 0]]
    np.testing.assert_allclose(tokens.shape[0, :, 8:12], borders, rtol=1e-6)
    np.testing.assert_allclose(tokens.shape[0, :, 12], np.log(3) / 2, rtol=1e-6)
    np.testing.assert_allclose(tokens.shape[0, :, 13], [1.5 / 6, 0.25 / 10, 0], rtol=1e-6)
    np.testing.assert_allclose(tokens.shape[0, :, 14], np.log(6 / 4), rtol=1e-6)


@pytest.mark.parametrize("size", [(60, 40), (66, 60)])
def test_compactness_is_0_for_a_rectangle_and_high_for_a_ring(size: tuple[int, int]) -> None:
    labels = torch.full((80, 80), 2)
    labels[5 : 5 + size[0], 8 : 8 + size[1]] = 1
    found = describe(labels, torch.zeros(80, 80), (4, 4), 2).shape[0, :, 7]
    assert abs(found[0]) < 0.01
    # the second moments of the frame are those of the square less those of the rectangle
    area, inside = 80**2, size[0] * size[1]
    center = np.array([4.5 + size[0] / 2, 7.5 + size[1] / 2]) - 39.5  # of the rectangle
    mean = -center * inside / (area - inside)
    squares = (area * (80**2 - 1) / 12 - inside * ((np.array(size) ** 2 - 1) / 12 + center**2)) / (
        area - inside
    ) - mean**2
    wanted = 12 * np.sqrt(squares.prod()) / (area - inside) - 1
    assert found[1] == pytest.approx(wanted, rel=1e-4) and wanted > 0.8


def test_pairs_tell_how_much_regions_touch(tokens: Tokens) -> None:
    """1 and 2 share two pixel sides, 1 and 3 three, 2 and 3 three."""
    touch = np.array([[0, 2, 3], [2, 0, 3], [3, 3, 0]])
    length = np.array([5, 5, 6])
    np.testing.assert_allclose(tokens.pair[0, ..., 0], touch / length[:, None], rtol=1e-6)
    np.testing.assert_allclose(tokens.pair[0, ..., 1], touch / length[None], rtol=1e-6)


def test_pairs_tell_where_the_other_region_lies(tokens: Tokens) -> None:
    centers = np.array(
        [[np.nonzero(label == MAP)[axis].mean() / 3 for axis in (0, 1)] for label in (1, 2, 3)]
    )
    away = centers[None] - centers[:, None]
    np.testing.assert_allclose(tokens.pair[0, ..., 2:4], away, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        tokens.pair[0, ..., 4], np.linalg.norm(away, axis=-1), rtol=1e-5, atol=1e-6
    )
    area = np.log([6, 10, 8])
    np.testing.assert_allclose(
        tokens.pair[0, ..., 5], (area[None] - area[:, None]) / 4, rtol=1e-5, atol=1e-6
    )


def test_a_region_alone_touches_nothing() -> None:
    found = describe(torch.ones(4, 4), torch.zeros(4, 4), (1, 1), 1)
    assert found.pair.abs().max() == 0 and found.area.tolist() == [[1]]
    assert found.pool.tolist() == [[[1]]] and found.shape[0, 0, 12] == 0


def test_a_region_that_is_too_small_for_the_resolution_is_still_a_region() -> None:
    found = describe(torch.from_numpy(MAP), torch.from_numpy(INK), (2, 3), 4)
    assert found.valid.all() and found.pool[0, 3].abs().max() == 0
    assert all(part.isfinite().all() for part in (found.shape, found.pair))
    assert found.area[0, 3] < found.area[0, :3].min()
    plain = describe(torch.from_numpy(MAP), torch.from_numpy(INK), (2, 3), 3)
    np.testing.assert_array_equal(found.shape[:, :3], plain.shape)
    np.testing.assert_array_equal(found.pair[:, :3, :3], plain.pair)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 700)])
def test_very_thin_drawings_give_finite_numbers(size: tuple[int, int]) -> None:
    found = describe(torch.ones(size), torch.zeros(size), (16, 16), 1)
    assert all(p.isfinite().all() for p in (found.pool, found.shape, found.pair, found.area))
    assert found.pool.sum() == pytest.approx(1) and found.shape.abs().max() <= 4


# --- stack -----------------------------------------------------------------------------------


def test_drawings_are_padded_to_the_same_number_of_regions(tokens: Tokens) -> None:
    one = describe(torch.ones(4, 6), torch.from_numpy(INK), (2, 3), 1)
    both = stack([one, tokens])
    assert both.pool.shape == (2, 3, 6) and both.area.shape == (2, 3)
    assert both.shape.shape == (2, 3, SHAPE) and both.pair.shape == (2, 3, 3, PAIR)
    assert both.valid.tolist() == [[True, False, False], [True, True, True]]
    for name in ("pool", "shape", "pair", "area"):
        whole, first, second = (getattr(given, name) for given in (both, one, tokens))
        np.testing.assert_array_equal(whole[1:], second)
        own = (whole[:1, :1, :1] if name == "pair" else whole[:1, :1]).numpy()
        np.testing.assert_array_equal(own, first)
        assert whole[0].abs().sum() == pytest.approx(float(first.abs().sum()), rel=1e-6)


def test_stacking_one_drawing_changes_nothing(tokens: Tokens) -> None:
    same = stack([tokens])
    for name in ("pool", "shape", "pair", "area"):
        np.testing.assert_array_equal(getattr(same, name), getattr(tokens, name))


# --- labels and colors -----------------------------------------------------------------------


def test_the_largest_regions_are_kept_in_their_order() -> None:
    labels = np.repeat(np.array([1, 2, 3, 4, 0], np.int32), [5, 2, 9, 6, 4])[None]
    found = largest(labels, 2)
    np.testing.assert_array_equal(found, np.repeat([0, 0, 1, 2, 0], [5, 2, 9, 6, 4])[None])
    assert found.dtype == np.int32
    np.testing.assert_array_equal(largest(labels, 4), labels)
    assert largest(np.zeros((2, 3), np.int32), 4).max() == 0


def test_of_equal_regions_the_first_are_kept() -> None:
    np.testing.assert_array_equal(largest(np.array([[1, 2, 3, 4]], np.int32), 2), [[1, 2, 0, 0]])


def test_median_colors_are_the_medians_of_the_regions() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 9, (31, 40)).astype(np.int32)
    rgb = random.integers(0, 256, (3, 31, 40), dtype=np.uint8)
    found = median_colors(labels, rgb)
    assert found.shape == (8, 3) and found.dtype == np.uint8
    for label in range(1, 9):
        inside = np.sort(rgb[:, labels == label], 1)
        odd = inside.shape[1] % 2
        # of an even number of pixels, the darker one of the two in the middle
        wanted = np.median(inside if odd else inside[:, :-1], 1)
        np.testing.assert_array_equal(found[label - 1], wanted)


def test_the_median_ignores_a_few_pixels_of_another_color() -> None:
    labels = np.ones((10, 10), np.int32)
    labels[5:] = 2
    rgb = np.full((3, 10, 10), 200, np.uint8)
    rgb[:, 5:] = 30
    rgb[:, 4:6] = 99  # a soft edge
    np.testing.assert_array_equal(median_colors(labels, rgb), [[200] * 3, [30] * 3])
