"""Low-pass filters, exact up to the border: a mirrored picture's blur is a product of cosines."""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

# From the Gaussian's response at each frequency to a filter's: what of the far picture, and not of
# the near one, the hybrid holds there.
Response = Callable[[Tensor], Tensor]

_REACH = 5.0  # of the highest frequency kept, times sigma: the Gaussian is 4e-6 there


@lru_cache(maxsize=4)  # a solver asks for the same at every step
def cosines(length: int, count: int) -> Tensor:
    """Return the first cosines of a length, orthonormal (the DCT-II): [count, length]."""
    place = torch.arange(length, dtype=torch.float64) + 0.5
    order = torch.arange(count, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi / length * order * place) * math.sqrt(2 / length)
    basis[0] = math.sqrt(1 / length)
    return basis.float()


def low_pass(picture: Tensor, sigma: float, response: Response) -> Tensor:
    """Filter a picture, mirrored beyond its borders.

    Of all cosines only those are looked at which the filter lets through, so the blur of a large
    picture by a wide Gaussian costs little more than reading it.

    Parameters
    ----------
    picture : Tensor
        Float32 [N, C, H, W].
    sigma : float
        Standard deviation of a Gaussian, in pixels, above 0.
    response : callable
        What the filter makes of the Gaussian's response, 0 to 1; it must map 0 to 0.

    Returns
    -------
    Tensor
        [N, C, H, W].
    """
    bases, squares = [], []
    for length in picture.shape[-2:]:
        count = min(length, math.ceil(_REACH / sigma * length / math.pi) + 1)
        bases.append(cosines(length, count).to(picture))
        squares.append((torch.arange(count).to(picture) * math.pi * sigma / length).square())
    rows, columns = bases
    gaussian = torch.exp(-(squares[0][:, None] + squares[1]) / 2)
    seen = rows @ (picture @ columns.T)
    filtered: Tensor = (rows.T @ (response(gaussian) * seen)) @ columns
    return filtered


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """Blur a picture [N, C, H, W] by a Gaussian of this many pixels."""
    return low_pass(picture, sigma, lambda gaussian: gaussian)
