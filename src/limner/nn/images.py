"""Resize, blur and measure pictures: float tensors [N, C, H, W] in 0..1."""

import math

import torch
from torch import Tensor
from torch.nn import functional

_ASPECT_TOLERANCE = 0.02  # of the logarithm of an aspect ratio
_PAGE = 3  # the longest side of a page in short sides; what is longer is a strip of pages


def size_of(tensor: Tensor) -> tuple[int, int]:
    """Return height and width of a tensor [..., H, W]."""
    return tensor.shape[-2], tensor.shape[-1]


def is_same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have the same aspect ratio, to within 2%: sizes are whole pixels."""
    (height, width), (other_height, other_width) = size, other
    return abs(math.log(width / height * other_height / other_width)) <= _ASPECT_TOLERANCE


def fit(height: int, width: int, longest: int) -> tuple[int, int]:
    """Return a height and width of the same aspect ratio whose longer side is `longest`."""
    assert min(height, width, longest) >= 1, (height, width, longest)
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def page_side(height: int, width: int) -> int:
    """Return the longest side of a picture, or of one page of a long strip such as a webtoon.

    Lengths that grow with the picture are measured by it: the lines of a strip are as wide as
    those of one of its pages.
    """
    return min(max(height, width), _PAGE * min(height, width))


def reduction(longest: int, height: int, width: int) -> int:
    """Return the whole number by which a picture is divided so that it has this longest side.

    A long strip is as large as a page with its area.
    """
    return math.ceil(max(page_side(height, width), math.isqrt(height * width)) / longest)


def resize(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize pictures: bicubic, with a wider kernel when shrinking; differentiable.

    Parameters
    ----------
    rgb : Tensor
        Float [N, C, H, W] in 0..1.
    size : tuple of int
        The new height and width, each at least 1.

    Returns
    -------
    Tensor
        [N, C, height, width], clipped to 0..1: bicubic overshoots at edges.
    """
    assert min(size) >= 1, size
    return functional.interpolate(rgb, size, mode="bicubic", antialias=True).clamp(0, 1)


def gaussian_blur(picture: Tensor, sigma: float, radius: int | None = None) -> Tensor:
    """Blur pictures [N, C, H, W] with a Gaussian. The border pixels are repeated outward.

    Parameters
    ----------
    picture : Tensor
        Float [N, C, H, W].
    sigma : float
        Standard deviation in pixels.
    radius : int or None
        Where the kernel is cut off, in pixels; None for three sigma.
    """
    radius = max(1, math.ceil(3 * sigma)) if radius is None else radius
    offsets = torch.arange(-radius, radius + 1, dtype=picture.dtype, device=picture.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    channels = picture.shape[1]
    kernel = (kernel / kernel.sum()).expand(channels, 1, -1)
    padded = functional.pad(picture, (radius,) * 4, mode="replicate")
    padded = functional.conv2d(padded, kernel[..., None], groups=channels)
    return functional.conv2d(padded, kernel[..., None, :], groups=channels)


def luma(rgb: Tensor) -> Tensor:
    """Return the luma [N, 1, H, W] of sRGB pictures [N, 3, H, W] (ITU-R BT.601)."""
    return 0.299 * rgb[:, :1] + 0.587 * rgb[:, 1:2] + 0.114 * rgb[:, 2:]
