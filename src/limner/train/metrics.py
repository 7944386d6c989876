"""How alike a picture and its original are, as papers on super-resolution measure it."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def psnr(picture: Tensor, original: Tensor, border: int) -> float:
    """Peak signal-to-noise ratio, in decibels, at most 100.

    Of luma (BT.601, 16..235) of pictures [1, 3, H, W] in 0..1, rounded to 8 bits, less a border.
    """
    difference = _luma(picture, border) - _luma(original, border)
    return -10 * math.log10(max(1e-10, difference.square().mean().item() / 255**2))


def ssim(picture: Tensor, original: Tensor, border: int) -> float:
    """Structural similarity (Wang et al. 2004), 1 for the same picture.

    Of luma as `psnr` has it; in Gaussian windows of 11 pixels, sigma 1.5, that lie wholly inside.
    """
    x, y = _luma(picture, border), _luma(original, border)
    line = torch.exp(-(torch.arange(-5, 6, dtype=x.dtype) ** 2) / (2 * 1.5**2))
    line /= line.sum()

    def mean(plane: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(plane, line.view(1, 1, 1, 11)), line.view(1, 1, 11, 1))

    bright_x, bright_y = mean(x), mean(y)
    of_x, of_y = mean(x * x) - bright_x**2, mean(y * y) - bright_y**2
    of_both = mean(x * y) - bright_x * bright_y
    first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    brightness = (2 * bright_x * bright_y + first) / (bright_x**2 + bright_y**2 + first)
    return (brightness * (2 * of_both + second) / (of_x + of_y + second)).mean().item()


def _luma(picture: Tensor, border: int) -> Tensor:
    """Luma [1, 1, H, W] in 16..235, in double precision."""
    red, green, blue = ((picture.double().clamp(0, 1) * 255).round() / 255).unbind(1)
    luma = (65.481 * red + 128.553 * green + 24.966 * blue + 16)[:, None]
    return luma[..., border : luma.shape[-2] - border, border : luma.shape[-1] - border]
