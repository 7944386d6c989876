"""Make a picture from a patch field: overlapping patches vote for the color of each pixel.

Search and vote in turns are from Wexler et al. 2004 and Kwatra et al. 2005.
"""

import math

import torch
from torch import Tensor

from limner.patches.field import PATCH_SIZE

_BAND = 128  # rows computed at once: a band fits into the processor's cache


def vote(source: Tensor, field: Tensor, sigma: float, patch_size: int = PATCH_SIZE) -> Tensor:
    """Copy the source's patches to the places that the field gives, and average where they overlap.

    Parameters
    ----------
    source : Tensor
        [1, 3, H, W].
    field : Tensor
        [2, h, w].
    sigma : float
        Pixels of a patch are weighted by a Gaussian around its center, with this standard deviation
        in pixels.
    patch_size : int
        Pixels per side of a patch, P.

    Returns
    -------
    Tensor
        [1, 3, h + P − 1, w + P − 1].
    """
    pixels = source[0].permute(1, 2, 0).reshape(-1, 3).contiguous()
    corners = field[0] * source.shape[-1] + field[1]
    rows, bands = len(corners) + patch_size - 1, []
    for start in range(0, rows, _BAND):
        first = max(0, start - patch_size + 1)  # the topmost patch that reaches into the band
        part = corners[first : start + _BAND]
        band = _average(pixels, part, source.shape[-1], sigma, patch_size)
        bands.append(band[start - first : start - first + _BAND])
    return torch.cat(bands).permute(2, 0, 1)[None]


def _average(pixels: Tensor, corners: Tensor, width: int, sigma: float, patch_size: int) -> Tensor:
    """Average overlapping patches.

    `corners` [h, w] are indices into `pixels` [H · width, 3]; the result is
    [h + P − 1, w + P − 1, 3].
    """
    h, w = corners.shape
    total = pixels.new_zeros(h + patch_size - 1, w + patch_size - 1, 3)
    weights = pixels.new_zeros(h + patch_size - 1, w + patch_size - 1, 1)
    center = patch_size // 2
    for y in range(patch_size):
        for x in range(patch_size):
            weight = math.exp(-((y - center) ** 2 + (x - center) ** 2) / (2 * sigma**2))
            taken = pixels.index_select(0, (corners + (y * width + x)).flatten()).view(h, w, 3)
            total[y : y + h, x : x + w].add_(taken, alpha=weight)
            weights[y : y + h, x : x + w] += weight
    return total.div_(weights)
