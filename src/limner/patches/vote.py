"""Make a picture of patches that overlap."""

import math

import torch
from torch import Tensor

from limner.patches.search import SIDE

_BAND = 128  # rows that are put together at once


def vote(source: Tensor, field: Tensor, sigma: float) -> Tensor:
    """Lay patches of the source where a field says, and average where they overlap.

    Parameters
    ----------
    source : Tensor
        [1, 3, H, W].
    field : Tensor
        [2, h, w].
    sigma : float
        A patch counts most in its middle, by a Gaussian of so many pixels.

    Returns
    -------
    Tensor
        [1, 3, h + 6, w + 6].
    """
    pixels = source[0].permute(1, 2, 0).reshape(-1, 3).contiguous()
    corners = field[0] * source.shape[-1] + field[1]
    rows, bands = len(corners) + SIDE - 1, []
    for start in range(0, rows, _BAND):  # a band fits into the processor's cache
        first = max(0, start - SIDE + 1)  # the topmost patch that reaches into it
        band = _voted(pixels, corners[first : start + _BAND], source.shape[-1], sigma)
        bands.append(band[start - first : start - first + _BAND])
    return torch.cat(bands).permute(2, 0, 1)[None]


def _voted(pixels: Tensor, corners: Tensor, width: int, sigma: float) -> Tensor:
    """Average patches, by where their corners are in a source [H · width, 3]: [h + 6, w + 6, 3]."""
    h, w = corners.shape
    total = pixels.new_zeros(h + SIDE - 1, w + SIDE - 1, 3)
    weights = pixels.new_zeros(h + SIDE - 1, w + SIDE - 1, 1)
    for y in range(SIDE):
        for x in range(SIDE):
            weight = math.exp(-((y - SIDE // 2) ** 2 + (x - SIDE // 2) ** 2) / (2 * sigma**2))
            taken = pixels.index_select(0, (corners + (y * width + x)).flatten()).view(h, w, 3)
            total[y : y + h, x : x + w].add_(taken, alpha=weight)
            weights[y : y + h, x : x + w] += weight
    return total.div_(weights)
