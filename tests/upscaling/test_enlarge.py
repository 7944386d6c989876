"""Networks applied tile by tile: blending, color lock, and too little memory."""

import weakref
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from limner.nn import images
from limner.upscaling.compact import Compact
from limner.upscaling.enlarge import MIN_TILE, enlarge, lock_colors
from limner.upscaling.rrdb import RRDB

# --- colors ----------------------------------------------------------------------------------


def test_color_lock_matches_uniform_colors_and_keeps_detail() -> None:
    """A uniform picture gets the color of its original."""
    small, large = torch.full((1, 3, 8, 8), 0.6), torch.full((1, 3, 32, 32), 0.5)
    assert lock_colors(large, small).sub(0.6).abs().max() < 1e-6
    detail = torch.tensor([0.1, -0.1]).repeat(16)  # which must stay
    found = lock_colors(large + detail, small)
    np.testing.assert_allclose(found, 0.6 + detail.expand(1, 3, 32, 32), atol=1e-6)


# --- blending --------------------------------------------------------------------------------


class GlobalMean:
    """Depends on its whole input: half of every color is the mean of the input."""

    scale, radius, feather = 2, 3, 4

    def parameters(self) -> Iterator[Tensor]:
        return iter(())

    def __call__(self, part: Tensor) -> Tensor:
        large = part.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)
        return (large + part.mean((2, 3), keepdim=True)) / 2


class Uniform(GlobalMean):
    """Makes each tile uniform, with the next of the given grays."""

    scale, radius, feather = 2, 0, 8

    def __init__(self, *grays: float) -> None:
        self.grays = list(grays)

    def __call__(self, part: Tensor) -> Tensor:
        height, width = (2 * side for side in images.size_of(part))
        return torch.full((1, 3, height, width), self.grays.pop(0))


def in_tiles(network: Any, height: int, width: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A random picture [H, W, 3], and its enlargement in tiles at 16 bits; both in 0..1."""
    rgb = torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(0))
    large = enlarge(
        network, rgb, color_lock=False, tile=side, on_tile=lambda *_: None, depth=torch.uint16
    )
    both = (rgb.numpy(), large.numpy() / 65535)
    return tuple(one[0].transpose(1, 2, 0).astype(float) for one in both)  # type: ignore[return-value]


def ramp(length: int, cut: int | None, scale: int, feather: int) -> np.ndarray:
    """Weight of the tile after a cut for each pixel: from 0 to 1 across the overlap."""
    if cut is None:
        return np.zeros(length * scale)
    place = (np.arange(length * scale) + 0.5) / scale
    return ((place - (cut - feather)) / (2 * feather)).clip(0, 1)


def by_ramps(rgb: np.ndarray, cuts: tuple[int | None, int | None]) -> np.ndarray:
    """The expected result for `GlobalMean` with tiles that end at these cuts."""
    large, margin = rgb.repeat(2, 0).repeat(2, 1), GlobalMean.radius + GlobalMean.feather
    ranges, shares = [], []
    for length, cut in zip(rgb.shape, cuts, strict=False):
        later = ramp(length, cut, GlobalMean.scale, GlobalMean.feather)
        ends = (0, length) if cut is None else (0, cut, length)
        ranges.append([slice(max(0, a - margin), b + margin) for a, b in pairwise(ends)])
        shares.append((1 - later, later)[: len(ends) - 1])
    return sum(
        np.outer(down, across)[..., None] * (large + rgb[rows, columns].mean((0, 1))) / 2
        for rows, down in zip(ranges[0], shares[0], strict=True)
        for columns, across in zip(ranges[1], shares[1], strict=True)
    )


@pytest.mark.parametrize(
    ("height", "width", "cuts"), [(40, 30, (20, None)), (30, 51, (None, 26)), (40, 51, (20, 26))]
)
def test_overlapping_tiles_are_blended_linearly(
    height: int, width: int, cuts: tuple[int | None, int | None]
) -> None:
    rgb, large = in_tiles(GlobalMean(), height, width, 32)
    off = np.abs(large - by_ramps(rgb, cuts))
    if None not in cuts:  # the corner of four tiles has its own test
        rows, columns = (slice(2 * (cut - 4), 2 * (cut + 4)) for cut in cuts if cut)
        off[rows, columns] = 0
    assert off.max() < 2 / 65535
    unblended = (rgb.repeat(2, 0).repeat(2, 1) + rgb.mean((0, 1))) / 2
    assert np.abs(large - unblended).max() > 0.002  # otherwise this test could not fail


def test_the_corner_of_four_tiles_is_blended_in_both_directions() -> None:
    rgb, large = in_tiles(GlobalMean(), 40, 51, 32)
    assert np.abs(large - by_ramps(rgb, (20, 26))).max() < 3 / 65535


@pytest.mark.parametrize(
    "grays",
    [
        pytest.param((0.2, 0.8, 0.2, 0.8)),
        pytest.param((0.2, 0.2, 0.8, 0.8)),
        pytest.param((0.2, 0.8, 0.2, 0.2)),
        pytest.param((0.2, 0.2, 0.8, 0.2)),
        (0.2, 0.2, 0.2, 0.8),
        (0.8, 0.2, 0.2, 0.2),
    ],
)
def test_neighboring_pixels_differ_by_at_most_one_step_of_the_ramp(
    grays: tuple[float, ...],
) -> None:
    _, large = in_tiles(Uniform(*grays), 64, 64, 32)
    step = 0.6 / (2 * Uniform.feather * Uniform.scale)
    jumps = [np.abs(np.diff(large, axis=axis)).max() for axis in (0, 1)]
    assert 0.9 * step < max(jumps) < step + 3 / 65535  # three roundings
    corners = large[[0, 0, -1, -1], [0, -1, 0, -1], 0]
    np.testing.assert_allclose(corners, grays, atol=1e-4)


def test_a_last_tile_narrower_than_the_overlap() -> None:
    network = Uniform(*[0.5] * 18)
    network.feather = 16
    _, large = in_tiles(network, 8, 559, 32)
    assert np.abs(large - 0.5).max() < 1e-4


@pytest.mark.parametrize("side", [16, 23, 64])
def test_without_a_feather_each_tile_ends_at_its_cut(side: int) -> None:
    network = GlobalMean()
    network.feather, network.radius = 0, 200  # so that the input of every tile is the whole picture
    rgb, large = in_tiles(network, 40, 51, side)
    whole = (rgb.repeat(2, 0).repeat(2, 1) + rgb.mean((0, 1))) / 2
    assert np.abs(large - whole).max() < 1 / 65535


# --- memory and devices ----------------------------------------------------------------------


class Hungry(GlobalMean):
    """Runs out of memory for parts wider than ``limit``, after it has made a tensor."""

    feather = 0

    def __init__(self, limit: int, error: type[Exception] = RuntimeError) -> None:
        self.limit, self.error = limit, error
        self.failed: list[weakref.ref[Tensor]] = []
        self.alive: list[bool] = []

    def __call__(self, part: Tensor) -> Tensor:
        self.alive += [one() is not None for one in self.failed]
        large = super().__call__(part)
        if part.shape[-1] > self.limit:
            self.failed += [weakref.ref(part), weakref.ref(large)]
            raise self.error("DefaultCPUAllocator: can't allocate memory: 1 bytes")
        return large


@pytest.mark.parametrize("color_lock", [False, True])
@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_tensors_of_a_failed_attempt_are_freed_before_the_retry(
    error: type[Exception], color_lock: bool
) -> None:
    """Otherwise the retry has less memory than the attempt that failed."""
    network, notes = Hungry(60, error), []
    large = enlarge(
        network,  # type: ignore[arg-type]
        torch.rand((1, 3, 40, 250)),
        color_lock=color_lock,
        tile=128,
        on_tile=lambda done, tiles, note, blender: notes.append(note),
    )
    assert large.shape == (1, 3, 80, 500)
    assert len(network.failed) >= 4  # two failed attempts, with two tensors each
    assert network.alive and not any(network.alive)
    assert "not enough memory for tiles of 128 px; trying tiles half as large" in notes


def test_no_memory_for_the_smallest_tiles_is_an_error() -> None:
    for network, says in ((Hungry(0), "allocate memory"), (Broken(), "another error")):
        with pytest.raises(RuntimeError, match=says):
            enlarge(
                network,  # type: ignore[arg-type]
                torch.rand((1, 3, 40, 130)),
                color_lock=False,
                tile=4 * MIN_TILE,
                on_tile=lambda *_: None,
            )


class Broken(GlobalMean):
    """Fails, but not for lack of memory."""

    def __call__(self, part: Tensor) -> Tensor:
        raise RuntimeError("another error")


class NoFloat64(TorchDispatchMode):
    """Refuses float64 tensors, as Apple's GPUs do."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            assert result.dtype != torch.float64, func
        return result


@pytest.mark.parametrize("network", [Compact(4, 1, 2), RRDB(4, 2, 1, 1, 1)])
def test_no_float64_is_used(network: Any) -> None:
    rgb = torch.rand((1, 3, 40, 50))
    with NoFloat64():
        enlarge(network, rgb, color_lock=True, tile=32, on_tile=lambda *_: None)
    with pytest.raises(AssertionError), NoFloat64():
        rgb.double()
