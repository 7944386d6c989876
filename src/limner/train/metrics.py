"""PSNR and SSIM, measured the way papers on super-resolution measure them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def psnr(picture: Tensor, original: Tensor, border: int) -> float:
    """Return the peak signal-to-noise ratio in decibels, at most 100.

    Parameters
    ----------
    picture, original : Tensor
        [1, 3, H, W] in 0..1; rounded to 8 bits here. Their luma (BT.601, 16..235) is compared.
    border : int
        Pixels on each side that are left out.
    """
    difference = _luma(picture, border) - _luma(original, border)
    return -10 * math.log10(max(1e-10, difference.square().mean().item() / 255**2))


def ssim(picture: Tensor, original: Tensor, border: int) -> float:
    """Return the structural similarity (Wang et al. 2004): 1 for identical pictures.

    The parameters are those of `psnr`. The Gaussian window has 11 pixels and sigma 1.5; only
    windows that lie inside the picture count.
    """
    x, y = _luma(picture, border), _luma(original, border)
    window = torch.exp(-(torch.arange(-5, 6, dtype=x.dtype) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(plane: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(plane, window.view(1, 1, 1, 11)), window.view(1, 1, 11, 1))

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * covariance + c2) / (variance_x + variance_y + c2)).mean().item()


def _luma(picture: Tensor, border: int) -> Tensor:
    """Luma [1, 1, H, W] in 16..235, in float64 on the CPU: MPS has no float64."""
    planes = picture.cpu().double().clamp(0, 1)
    red, green, blue = ((planes * 255).round() / 255).unbind(1)
    luma = (65.481 * red + 128.553 * green + 24.966 * blue + 16)[:, None]
    return luma[..., border : luma.shape[-2] - border, border : luma.shape[-1] - border]
