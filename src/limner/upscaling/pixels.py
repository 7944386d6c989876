"""Convert pictures between floats and integers, and resize integers without a float copy."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from limner.nn import images

_BAND = 256  # rows
_TRACE = 6 / 255  # how much the channels of an almost gray picture differ from its luma
_TILE_MARGIN = 16  # pixels that reach over the edge of a tile when it is resized


def to_float(picture: Tensor) -> Tensor:
    """Convert uint8 or uint16 to float32 in 0..1. Floats are returned as they are."""
    if picture.is_floating_point():
        return picture
    return picture.float() / torch.iinfo(picture.dtype).max


def to_integer(picture: Tensor, depth: torch.dtype) -> Tensor:
    """Convert floats in 0..1 to uint8 or uint16, rounded."""
    return picture.clamp(0, 1).mul(torch.iinfo(depth).max).round().to(depth)


def resize_integer(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a uint8 or uint16 picture [1, C, H, W] to a height and width, bicubic."""
    # torch resizes uint8 directly, in a quarter of the memory, but not to a single pixel
    if picture.dtype == torch.uint8 and size != (1, 1):
        return functional.interpolate(picture, size, mode="bicubic", antialias=True)
    return to_integer(images.resize(to_float(picture), size), picture.dtype)


def by_bands(picture: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change a picture [1, C, H, W] a band of rows at a time: floats of a whole one take much."""
    rows = range(0, picture.shape[2], _BAND)
    return torch.cat([change(picture[:, :, top : top + _BAND]) for top in rows], 2)


def wrap(picture: Tensor, margin: tuple[int, int]) -> Tensor:
    """Continue a picture [1, C, H, W] that is a tile by so many rows and columns on every side."""
    rows, columns = (
        torch.arange(-more, side + more) % side
        for more, side in zip(margin, images.size_of(picture), strict=True)
    )
    return picture[..., rows[:, None], columns]


def crop(picture: Tensor, margin: tuple[int, int]) -> Tensor:
    """Cut so many rows and columns off on every side of a picture [1, C, H, W]."""
    height, width = images.size_of(picture)
    down, across = margin
    return picture[..., down : height - down, across : width - across]


def resize_tile(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a tile as `resize_integer` does, without a seam between its copies."""
    before, after = [], []
    for old, new in zip(images.size_of(picture), size, strict=True):
        unit = old // math.gcd(old, new)  # so many pixels become a whole number of them
        before.append(min(old, unit * math.ceil(_TILE_MARGIN / unit)))
        after.append(before[-1] * new // old)
    larger = size[0] + 2 * after[0], size[1] + 2 * after[1]
    resized = resize_integer(wrap(picture, (before[0], before[1])), larger)
    return crop(resized, (after[0], after[1]))


def is_gray(rgb: Tensor) -> bool:
    """Whether the three channels of a picture [1, 3, H, W] are equal."""
    return bool(torch.equal(rgb[:, :1], rgb[:, 1:2]) and torch.equal(rgb[:, :1], rgb[:, 2:]))


def tint_of(rgb: Tensor) -> Tensor | None:
    """Return what is not gray in a picture [1, 3, H, W] that is almost gray; None if it has colors.

    Scans and JPEG files of black-and-white photos have traces of color, and networks make colored
    fringes of them.
    """
    for top in range(0, rgb.shape[2], _BAND):  # of most pictures, the first band has colors
        band = rgb[:, :, top : top + _BAND]
        if float((band - images.luma(band)).abs().max()) > _TRACE:
            return None
    return rgb - images.luma(rgb)
