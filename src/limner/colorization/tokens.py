"""Describe the regions of a drawing for the network: one token per region."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHAPE = 15  # numbers that describe the shape of a region
PAIR = 6  # numbers that describe how two regions lie to each other
CELL = 4  # pixels: side of the network's feature cells

Features = tuple[Tensor, Tensor]  # what the network sees: [N, C, h, w] and [N, D, h/2, w/2]


@dataclass(frozen=True, eq=False)
class Tokens:
    """Regions of one or more drawings, padded to the same number of regions T.

    Attributes
    ----------
    pool : Tensor
        [N, T, cells]: share of a region's area that lies in each feature cell.
    shape : Tensor
        [N, T, SHAPE].
    pair : Tensor
        [N, T, T, PAIR].
    area : Tensor
        [N, T], share of the drawing, 0 for padding.
    """

    pool: Tensor
    shape: Tensor
    pair: Tensor
    area: Tensor

    @property
    def valid(self) -> Tensor:
        """[N, T], true for regions and false for padding."""
        return self.area > 0

    def to(self, device: torch.device) -> "Tokens":
        """Return the tokens on a device."""
        parts = (self.pool, self.shape, self.pair, self.area)
        return Tokens(*(part.to(device) for part in parts))


def describe(labels: Tensor, ink: Tensor, cells: tuple[int, int], count: int) -> Tokens:
    """Describe the regions of one drawing, with N = 1 and T = `count`.

    Parameters
    ----------
    labels : Tensor
        Whole numbers [H, W], 1..T, without lines. A region may be missing: too small for this
        resolution.
    ink : Tensor
        [H, W], 0..1.
    cells : tuple of int
        Rows and columns of the network's features.
    count : int
        The number of regions T.
    """
    height, width = labels.shape
    rows, columns = cells
    labels = labels.long()  # as indices
    flat = labels.flatten() - 1
    y, x = torch.arange(height), torch.arange(width)
    cell = ((y * rows // height)[:, None] * columns + x * columns // width).flatten()
    one = torch.ones(flat.shape, dtype=torch.float64)
    area = _sums(flat, one, count).clamp(min=0.5)
    pool = _sums(flat * (rows * columns) + cell, one, count * rows * columns)
    # coordinates from −1 to 1 on the longer side
    scale = max(height, width) / 2
    down = ((y - height / 2 + 0.5) / scale)[:, None].expand(height, width).flatten().double()
    across = ((x - width / 2 + 0.5) / scale).expand(height, width).flatten().double()

    def mean(values: Tensor) -> Tensor:
        return (_sums(flat, values, count) / area).float()

    cy, cx = mean(down), mean(across)
    vy, vx = mean(down**2) - cy**2, mean(across**2) - cx**2
    vxy = mean(down * across) - cy * cx
    spread_y, spread_x = vy.clamp(min=1e-6).sqrt(), vx.clamp(min=1e-6).sqrt()
    sides = [labels[0], labels[-1], labels[:, 0], labels[:, -1]]
    borders = [_sums(side - 1, one[: len(side)], count) / len(side) for side in sides]
    touch = _contacts(labels, count)
    length = touch.sum(1)
    area = area.float()
    share = area / (height * width)
    shape = (
        share.log() / 4 + 1,
        share.sqrt(),
        cy,
        cx,
        spread_y,
        spread_x,
        vxy / (spread_y * spread_x),
        12 * spread_y * spread_x * scale**2 / area - 1,  # 0 for a filled rectangle
        *(border.float() for border in borders),
        (touch > 0).sum(1).float().log1p() / 2,
        mean(ink.flatten().double()),
        torch.full((count,), math.log(width / height)),
    )
    pair = (
        touch / length.clamp(min=1)[:, None],
        touch.T / length.clamp(min=1)[None, :],
        cy[None] - cy[:, None],
        cx[None] - cx[:, None],
        ((cy[None] - cy[:, None]).square() + (cx[None] - cx[:, None]).square()).sqrt(),
        (area.log()[None] - area.log()[:, None]) / 4,
    )
    return Tokens(
        (pool.view(count, -1) / area[:, None]).float()[None],
        torch.stack(shape, -1).clamp(-4, 4)[None],
        torch.stack(pair, -1)[None],
        share[None],
    )


def stack(drawings: Sequence[Tokens]) -> Tokens:
    """Pad the tokens of several drawings to the same number of regions, and stack them."""
    most = max(one.area.shape[1] for one in drawings)

    def padded(part: Tensor, *axes: int) -> Tensor:
        size = [most if axis in axes else length for axis, length in enumerate(part.shape)]
        result = part.new_zeros(size)
        result[tuple(slice(0, length) for length in part.shape)] = part
        return result

    return Tokens(
        torch.cat([padded(one.pool, 1) for one in drawings]),
        torch.cat([padded(one.shape, 1) for one in drawings]),
        torch.cat([padded(one.pair, 1, 2) for one in drawings]),
        torch.cat([padded(one.area, 1) for one in drawings]),
    )


def largest(labels: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Keep the `count` largest regions, numbered anew; the others become lines."""
    area = np.bincount(labels.ravel())[1:]
    if len(area) <= count:
        return labels
    kept = np.sort(np.argsort(-area, kind="stable")[:count])
    number = np.zeros(len(area) + 1, np.int32)
    number[kept + 1] = np.arange(1, count + 1)
    return number[labels]


def median_colors(labels: NDArray[np.int32], rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the median color of each region.

    Parameters
    ----------
    labels : NDArray
        [H, W], 0 on lines, 1..T.
    rgb : NDArray
        [3, H, W].

    Returns
    -------
    NDArray
        [T, 3].
    """
    inside = labels > 0
    flat = labels[inside].astype(np.uint32)
    ends = np.bincount(flat)[1:].cumsum()
    middle = (np.concatenate(([0], ends[:-1])) + ends - 1) // 2
    # sorted by region and then by value, the median is in the middle of the region's stretch
    medians = [np.sort(flat << 8 | channel[inside])[middle] & 255 for channel in rgb]
    return np.stack(medians, -1).astype(np.uint8)


def _sums(index: Tensor, values: Tensor, count: int) -> Tensor:
    """Add up values by their index: [count]."""
    return values.new_zeros(count).scatter_add(0, index, values)


def _contacts(labels: Tensor, count: int) -> Tensor:
    """Count the pixel sides at which regions touch each other: [T, T], symmetric."""
    touch = torch.zeros(count * count)
    for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        where = ((a - 1) * count + b - 1).flatten()
        touch = touch.scatter_add(0, where, (a != b).float().flatten())
    square = touch.view(count, count)
    return square + square.T
