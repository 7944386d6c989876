"""Where a predictor looks: frames, windows, phases, and the fill of a soap film."""

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
    """The upper left corners of all centres of a frame, row by row."""
    height, width = frame.shape[-2:]
    return list(product(range(48, height - 79, 32), range(48, width - 79, 32)))


# --- cutting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_frame_is_the_middle_of_a_picture(height: int, width: int) -> None:
    picture = noise(height, width)
    frame, (rows, columns) = masks.framed(picture)
    for part, side, cut in ((rows, height, frame.shape[2]), (columns, width, frame.shape[3])):
        covered = part.stop - part.start
        assert covered % 32 == 0 and cut == covered + 96
        margins = part.start, side - part.stop
        assert min(margins) >= 48 and sum(margins) < 96 + 32 and margins[1] - margins[0] in (0, 1)
    np.testing.assert_array_equal(masks.inner(frame), picture[..., rows, columns])
    around = picture[..., rows.start - 48 : rows.stop + 48, columns.start - 48 : columns.stop + 48]
    np.testing.assert_array_equal(frame, around)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_windows_lie_around_centres_and_centres_make_the_frame(height: int, width: int) -> None:
    frame, _ = masks.framed(noise(height, width))
    cut = masks.windows(frame)
    wanted = [one[:, y - 48 : y + 80, x - 48 : x + 80] for one in frame for y, x in places(frame)]
    np.testing.assert_array_equal(cut, torch.stack(wanted))
    np.testing.assert_array_equal(
        masks.assembled(masks.inner(cut), frame),
        masks.inner(frame),
    )


def test_what_holds_no_window_has_no_frame() -> None:
    with pytest.raises(AssertionError, match="no window fits"):
        masks.framed(noise(127, 200))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (5, 4)])
def test_each_centre_is_hidden_once_and_no_two_neighbours_at_once(rows: int, columns: int) -> None:
    frame = torch.zeros((1, 3, 32 * rows + 96, 32 * columns + 96))
    phases = masks.phase_of(frame)
    assert phases.shape == (1, 1, *frame.shape[2:])
    margin = torch.ones_like(phases, dtype=torch.bool)
    margin[..., 48:-48, 48:-48] = False
    assert (phases[margin] == -1).all() and phases[~margin].min() >= 0 and phases.max() <= 3
    cells = phases[0, 0, 48:-48, 48:-48].view(rows, 32, columns, 32)
    assert (cells == cells[:, :1, :, :1]).all()  # each centre as a whole
    grid = cells[:, 0, :, 0].numpy()
    for (y, x), (down, across) in product(
        np.ndindex(grid.shape), ((0, 1), (1, -1), (1, 0), (1, 1))
    ):
        if y + down < rows and 0 <= x + across < columns:
            assert grid[y, x] != grid[y + down, x + across]
    assert len(np.unique(grid)) == min(2, rows) * min(2, columns)


# --- the soap film ---------------------------------------------------------------------------


def test_the_fill_is_what_relaxation_ends_at() -> None:
    """Jacobi's: each pixel becomes the mean of its four neighbours, again and again."""
    frame = noise(128, 192)
    filled = masks.harmonic(frame)
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


def test_ramps_are_filled_exactly() -> None:
    y, x = torch.meshgrid(torch.arange(160.0), torch.arange(192.0), indexing="ij")
    ramps = torch.stack((x / 200, y / 170, 0.9 - x / 300 - y / 500))[None]
    np.testing.assert_allclose(masks.harmonic(ramps), masks.inner(ramps), atol=2e-6)


def test_the_fill_keeps_within_its_border() -> None:
    frame = (noise(160, 160) > 0.9).float() * noise(160, 160, 1)
    filled = masks.harmonic(frame)
    for y, x in places(frame):
        edges = [(y - 1, slice(x, x + 32)), (y + 32, slice(x, x + 32))]
        sides = [frame[..., row, part] for row, part in edges]
        sides += [frame[..., y : y + 32, column] for column in (x - 1, x + 32)]
        border = torch.cat(sides, -1)
        found = filled[..., y - 48 : y - 16, x - 48 : x - 16].flatten(2)
        assert (found.amin(-1) >= border.amin(-1) - 1e-6).all()
        assert (found.amax(-1) <= border.amax(-1) + 1e-6).all()
        assert (found.std(-1) > 1e-3).all()
