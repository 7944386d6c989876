"""Where a photo has detail that strokes keep: edges, and round parts such as eyes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.style import detail as module
from limner.style.detail import find_detail, find_edges, find_round_parts

SIDE = 256  # no other size is used inside, so radii are in these pixels
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def disk(row: int, column: int, radius: float) -> np.ndarray:
    """Coverage of a disk with a border as soft as a lens makes it, [SIDE, SIDE]."""
    distance = np.hypot(ROWS - row, COLUMNS - column)
    return np.clip(radius + 0.5 - distance, 0, 1)


def tensor(gray: np.ndarray) -> Tensor:
    return torch.from_numpy(gray.astype(np.float32))[None, None].clamp(0, 1)


# --- edges -----------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_edges_are_found_in_a_busy_square(noise: float) -> None:
    random = np.random.default_rng(0)
    gray = np.full((160, 200), 0.5) + random.normal(0, noise, (160, 200))
    gray[60:100, 80:120] += np.kron(random.choice([-0.3, 0.3], (10, 10)), np.ones((4, 4)))
    edges = find_edges(tensor(gray))
    assert edges.shape == (1, 1, 160, 200) and edges.min() >= 0 and edges.max() <= 1
    found = edges[0, 0].numpy()
    away = np.ones((160, 200), bool)
    away[50:110, 70:130] = False
    assert found[65:95, 85:115].mean() > 0.9 and found[away].mean() < 0.1


# --- round parts -----------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("ground", [0.2, 0.8])
def test_a_disk_is_roundest_at_its_center_and_about_its_radius(radius: int, ground: float) -> None:
    gray = ground - 0.6 * ground * disk(120, 90, radius)
    scores = [module._roundness((tensor(gray) + 0.1).log(), r) for r in module._RADII]
    best = int(np.argmax([float(score.max()) for score in scores]))
    assert abs(best - module._RADII.index(radius)) <= 1
    row, column = np.unravel_index(int(scores[best].argmax()), (SIDE, SIDE))
    assert max(abs(row - 120), abs(column - 90)) <= 1


def test_dark_disks_are_marked_but_not_bright_ones_bars_or_steps() -> None:
    gray = np.full((SIDE, SIDE), 0.6)
    gray[:, 200:] = 0.3  # a step
    gray[30:34, 20:180] = 0.2  # a bar
    for row, column, radius in ((90, 60, 3), (90, 110, 6), (170, 80, 8)):
        gray -= 0.4 * disk(row, column, radius)
    gray += 0.3 * disk(190, 150, 6)
    marks = find_round_parts(tensor(gray))[0, 0].numpy()
    for row, column, radius in ((90, 60, 3), (90, 110, 6), (170, 80, 8)):
        inside = np.hypot(ROWS - row, COLUMNS - column) < 1.2 * radius
        assert marks[inside].min() > 0.8, radius
    for row, column in ((32, 100), (190, 150), (100, 200), (220, 200), (230, 60)):
        assert marks[row - 8 : row + 9, column - 8 : column + 9].max() < 0.05, (row, column)


@pytest.mark.parametrize("scale", [0.5, 2, 3])
def test_marks_are_relative_to_the_size_of_the_picture(scale: float) -> None:
    gray = tensor(0.6 - 0.4 * disk(100, 80, 5) - 0.4 * disk(100, 150, 7))
    marks = find_round_parts(gray)
    other = torch.nn.functional.interpolate(gray, scale_factor=scale, mode="area")
    resized = torch.nn.functional.interpolate(find_round_parts(other), (SIDE, SIDE), mode="area")
    assert (marks - resized).abs().mean() < 0.01 < 0.04 < marks.mean() * 3


@pytest.mark.parametrize("seed", range(3))
def test_eyes_are_marked_beside_foliage(seed: int) -> None:
    """In foliage, where everything is busy, few places are."""
    random = np.random.default_rng(seed)
    gray = np.full((SIDE, SIDE), 0.5)
    leaves = np.kron(random.uniform(0.1, 0.8, (64, 32)), np.ones((4, 4)))
    gray[:, :128] = leaves
    for column in (170, 210):
        gray -= 0.35 * disk(120, column, 6)
    marks = find_round_parts(tensor(gray))[0, 0].numpy()
    for column in (170, 210):
        assert marks[114:127, column - 6 : column + 7].min() > 0.8
    assert marks[:, :110].mean() < 0.25
    assert marks[:90, 152:].max() < 0.05


def test_nothing_is_round_in_skies_and_dunes() -> None:
    ramp = 0.3 + 0.5 * ROWS / SIDE
    crest = np.where(120 + 30 * np.sin(COLUMNS / 40) < ROWS, 0.35, 0.7)
    noise = np.random.default_rng(0).normal(0, 0.004, (SIDE, SIDE))
    for gray in (np.full((SIDE, SIDE), 0.5), ramp, crest + noise):
        assert find_round_parts(tensor(gray)).max() < 0.05


@pytest.mark.parametrize("shape", [(1, 300), (16, 4096), (5, 5)])
def test_any_shape_has_marks(shape: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    marks = find_round_parts(torch.rand((1, 1, *shape), generator=random))
    assert marks.shape == (1, 1, *shape) and bool(((marks >= 0) & (marks <= 1)).all())


# --- both ------------------------------------------------------------------------------------


def test_round_parts_count_more_than_other_edges() -> None:
    gray = np.full((SIDE, SIDE), 0.6)
    gray[:, 200:] = 0.1
    gray -= 0.5 * disk(120, 80, 5)
    detail = find_detail(tensor(gray).expand(1, 3, -1, -1))[0, 0]
    edges = find_edges(tensor(gray))[0, 0]
    assert edges[120, 80] > 0.99 and edges[120, 200] > 0.99
    assert detail[120, 80] > 0.95
    assert detail[60:180, 195:205].numpy() == pytest.approx(0.7 * edges[60:180, 195:205].numpy())
    assert detail[20:80, 20:180].max() < 0.01


def test_detail_of_a_flat_picture_is_nothing() -> None:
    assert find_detail(torch.full((1, 3, 60, 80), 0.5)).max() < 0.01
