"""Holes of a picture: frames, windows, phases and the harmonic fill."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.beauty import inpainting_masks as masks

SIZES = [(128, 128), (131, 517), (160, 191), (223, 224)]


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(seed))


def places(frame: Tensor) -> list[tuple[int, int]]:
    """Return the upper left corners of all holes of a frame, row by row."""
    height, width = frame.shape[-2:]
    return list(product(range(48, height - 79, 32), range(48, width - 79, 32)))


# --- cutting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_frame_is_the_center_of_a_picture(height: int, width: int) -> None:
    picture = noise(height, width)
    frame, (rows, columns) = masks.crop_frame(picture)
    for part, side, cut in ((rows, height, frame.shape[2]), (columns, width, frame.shape[3])):
        covered = part.stop - part.start
        assert covered % 32 == 0 and cut == covered + 96
        margins = part.start, side - part.stop
        assert min(margins) >= 48 and sum(margins) < 96 + 32 and margins[1] - margins[0] in (0, 1)
    np.testing.assert_array_equal(masks.crop_holes(frame), picture[..., rows, columns])
    around = picture[..., rows.start - 48 : rows.stop + 48, columns.start - 48 : columns.stop + 48]
    np.testing.assert_array_equal(frame, around)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_windows_surround_holes_and_holes_can_be_joined(height: int, width: int) -> None:
    frame, _ = masks.crop_frame(noise(height, width))
    cut = masks.cut_windows(frame)
    wanted = [one[:, y - 48 : y + 80, x - 48 : x + 80] for one in frame for y, x in places(frame)]
    np.testing.assert_array_equal(cut, torch.stack(wanted))
    np.testing.assert_array_equal(
        masks.join_holes(masks.crop_holes(cut), frame),
        masks.crop_holes(frame),
    )


def test_a_picture_smaller_than_a_window_has_no_frame() -> None:
    with pytest.raises(AssertionError, match="too small for a window"):
        masks.crop_frame(noise(127, 200))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (5, 4)])
def test_each_hole_has_one_phase_and_neighbors_have_others(rows: int, columns: int) -> None:
    frame = torch.zeros((1, 3, 32 * rows + 96, 32 * columns + 96))
    phases = masks.phase_map(frame)
    assert phases.shape == (1, 1, *frame.shape[2:])
    margin = torch.ones_like(phases, dtype=torch.bool)
    margin[..., 48:-48, 48:-48] = False
    assert (phases[margin] == -1).all() and phases[~margin].min() >= 0 and phases.max() <= 3
    cells = phases[0, 0, 48:-48, 48:-48].view(rows, 32, columns, 32)
    assert (cells == cells[:, :1, :, :1]).all()  # each hole as a whole
    grid = cells[:, 0, :, 0].numpy()
    for (y, x), (down, across) in product(
        np.ndindex(grid.shape), ((0, 1), (1, -1), (1, 0), (1, 1))
    ):
        if y + down < rows and 0 <= x + across < columns:
            assert grid[y, x] != grid[y + down, x + across]
    assert len(np.unique(grid)) == min(2, rows) * min(2, columns)


# --- the harmonic fill -----------------------------------------------------------------------


def test_the_fill_is_the_limit_of_relaxation() -> None:
    """Jacobi's method: each pixel becomes the mean of its four neighbors, again and again."""
    frame = noise(128, 192)
    filled = masks.harmonic_fill(frame)
    assert filled.shape == (2, 3, 32, 96)
    corners = places(frame)
    relaxed = torch.stack([frame[..., y - 1 : y + 33, x - 1 : x + 33] for y, x in corners])
    film = relaxed.numpy().astype(float)
    for _ in range(3000):
        across = film[..., 1:-1, :-2] + film[..., 1:-1, 2:]
        film[..., 1:-1, 1:-1] = (across + film[..., :-2, 1:-1] + film[..., 2:, 1:-1]) / 4
    for (y, x), one in zip(corners, film, strict=True):
        found = filled[..., y - 48 : y - 16, x - 48 : x - 16]
        np.testing.assert_allclose(found, one[..., 1:-1, 1:-1], atol=1e-5)


def test_the_fill_needs_no_float64_on_the_device(
    without_float64: Callable[[Tensor], Tensor],
) -> None:
    masks._laplace_solution.cache_clear()
    frame = noise(128, 192)
    found = masks.harmonic_fill(without_float64(frame))
    np.testing.assert_allclose(found, masks.harmonic_fill(frame), atol=1e-6)


def test_ramps_are_filled_exactly() -> None:
    y, x = torch.meshgrid(torch.arange(160.0), torch.arange(192.0), indexing="ij")
    ramps = torch.stack((x / 200, y / 170, 0.9 - x / 300 - y / 500))[None]
    np.testing.assert_allclose(masks.harmonic_fill(ramps), masks.crop_holes(ramps), atol=2e-6)


def test_the_fill_stays_in_the_range_of_its_border() -> None:
    frame = (noise(160, 160) > 0.9).float() * noise(160, 160, 1)
    filled = masks.harmonic_fill(frame)
    for y, x in places(frame):
        edges = [(y - 1, slice(x, x + 32)), (y + 32, slice(x, x + 32))]
        sides = [frame[..., row, part] for row, part in edges]
        sides += [frame[..., y : y + 32, column] for column in (x - 1, x + 32)]
        border = torch.cat(sides, -1)
        found = filled[..., y - 48 : y - 16, x - 48 : x - 16].flatten(2)
        assert (found.amin(-1) >= border.amin(-1) - 1e-6).all()
        assert (found.amax(-1) <= border.amax(-1) + 1e-6).all()
        assert (found.std(-1) > 1e-3).all()
