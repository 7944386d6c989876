"""Gaussian filters in the frequency domain, by the discrete cosine transform (DCT-II).

The DCT mirrors the picture at its borders, so a filter is exact up to the border.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

# The gain of a filter at each frequency, 0 to 1, as a function of the gain of a Gaussian there.
Response = Callable[[Tensor], Tensor]

_CUTOFF = 5.0  # frequency (radians per pixel) times sigma, above which a Gaussian is below 4e-6


@lru_cache(maxsize=4)  # a solver needs the same ones at every step
def dct_basis(length: int, count: int) -> Tensor:
    """Return the first `count` cosines of the orthonormal DCT-II of a length: [count, length]."""
    place = torch.arange(length, dtype=torch.float64) + 0.5
    order = torch.arange(count, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi / length * order * place) * math.sqrt(2 / length)
    basis[0] = math.sqrt(1 / length)
    return basis.float()


def low_pass(picture: Tensor, sigma: float, response: Response) -> Tensor:
    """Filter a picture, mirrored at its borders.

    Only the frequencies that the filter lets through are computed, so a wide blur of a large
    picture costs little more than reading it.

    Parameters
    ----------
    picture : Tensor
        Float32 [N, C, H, W].
    sigma : float
        Standard deviation of the Gaussian in pixels, above 0.
    response : callable
        From the gain of the Gaussian, 0 to 1, to the gain of the filter. It must map 0 to 0.

    Returns
    -------
    Tensor
        [N, C, H, W].
    """
    bases, squares = [], []
    for length in picture.shape[-2:]:
        count = min(length, math.ceil(_CUTOFF / sigma * length / math.pi) + 1)
        bases.append(dct_basis(length, count).to(picture))
        squares.append((torch.arange(count).to(picture) * math.pi * sigma / length).square())
    rows, columns = bases
    gaussian = torch.exp(-(squares[0][:, None] + squares[1]) / 2)
    spectrum = rows @ (picture @ columns.T)
    filtered: Tensor = (rows.T @ (response(gaussian) * spectrum)) @ columns
    return filtered


def gaussian_blur(picture: Tensor, sigma: float) -> Tensor:
    """Blur a picture [N, C, H, W] with a Gaussian of `sigma` pixels."""
    return low_pass(picture, sigma, lambda gaussian: gaussian)
