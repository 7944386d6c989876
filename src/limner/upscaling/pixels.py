"""Convert pictures between floats and integers, and resize integers without a float copy."""

import torch
from torch import Tensor
from torch.nn import functional

from limner.nn import images


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


def is_gray(rgb: Tensor) -> bool:
    """Whether the three channels of a picture [1, 3, H, W] are equal."""
    return bool(torch.equal(rgb[:, :1], rgb[:, 1:2]) and torch.equal(rgb[:, :1], rgb[:, 2:]))
