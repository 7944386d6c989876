"""Describe the regions of a drawing for the network: one token per region."""

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


def describe(
    labels: NDArray[np.int32], ink: NDArray[np.float32], cells: tuple[int, int], count: int
) -> Tokens:
    """Describe the regions of one drawing, with N = 1 and T = `count`.

    Parameters
    ----------
    labels : NDArray
        [H, W], 1..T, without lines. A region may be missing: too small for this resolution.
    ink : NDArray
        [H, W], 0..1.
    cells : tuple of int
        Rows and columns of the network's features.
    count : int
        The number of regions T.
    """
    height, width = labels.shape
    rows, columns = cells
    flat = (labels - 1).ravel()
    y, x = np.arange(height), np.arange(width)
    cell = ((y * rows // height)[:, None] * columns + x * columns // width).ravel()
    area = np.bincount(flat, minlength=count).astype(np.float32).clip(0.5)
    inside = np.bincount(flat * (rows * columns) + cell, minlength=count * rows * columns)
    pool = inside.reshape(count, -1).astype(np.float32) / area[:, None]
    # coordinates from −1 to 1 on the longer side
    scale = max(height, width) / 2
    down = np.repeat((y - height / 2 + 0.5) / scale, width)
    across = np.tile((x - width / 2 + 0.5) / scale, height)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = (np.bincount(flat, values, count) / area).astype(np.float32)
        return found

    cy, cx = mean(down), mean(across)
    vy, vx = mean(down**2) - cy**2, mean(across**2) - cx**2
    vxy = mean(down * across) - cy * cx
    spread_y, spread_x = np.sqrt(vy.clip(1e-6)), np.sqrt(vx.clip(1e-6))
    sides = [labels[0], labels[-1], labels[:, 0], labels[:, -1]]
    borders = [np.bincount(side - 1, minlength=count) / len(side) for side in sides]
    touch = _contacts(labels, count)
    length = touch.sum(1)
    share = area / (height * width)
    shape = (
        np.log(share) / 4 + 1,
        np.sqrt(share),
        cy,
        cx,
        spread_y,
        spread_x,
        vxy / (spread_y * spread_x),
        12 * spread_y * spread_x * scale**2 / area - 1,  # 0 for a filled rectangle
        *borders,
        np.log1p((touch > 0).sum(1)) / 2,
        mean(ink.ravel().astype(np.float64)),
        np.full(count, np.log(width / height)),
    )
    pair = (
        touch / np.maximum(length, 1)[:, None],
        touch.T / np.maximum(length, 1)[None, :],
        cy[None] - cy[:, None],
        cx[None] - cx[:, None],
        np.hypot(cy[None] - cy[:, None], cx[None] - cx[:, None]),
        (np.log(area)[None] - np.log(area)[:, None]) / 4,
    )
    return Tokens(
        torch.from_numpy(pool)[None],
        torch.from_numpy(np.stack(shape, -1).astype(np.float32).clip(-4, 4))[None],
        torch.from_numpy(np.stack(pair, -1).astype(np.float32))[None],
        torch.from_numpy(share.astype(np.float32))[None],
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


def _contacts(labels: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    """Count the pixel sides at which regions touch each other: [T, T], symmetric."""
    touch = np.zeros(count * count, np.int64)
    for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        meet = a != b
        touch += np.bincount((a[meet] - 1) * count + b[meet] - 1, minlength=count * count)
    square = touch.reshape(count, count).astype(np.float32)
    return square + square.T
