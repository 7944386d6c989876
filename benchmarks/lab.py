"""Perceived color differences."""

import torch
from torch import Tensor


def lab(rgb: Tensor) -> Tensor:
    """Convert sRGB [N, 3, H, W] to CIELAB with the D65 white point."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    rows = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = torch.einsum("ij,njhw->nihw", torch.tensor(rows), linear)
    xyz = xyz / torch.tensor([0.9505, 1.0, 1.089]).view(3, 1, 1)
    x, y, z = torch.where(xyz > 0.008856, xyz ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)


def apart(one: Tensor, other: Tensor) -> Tensor:
    """Return the color difference ΔE (CIE 1976) of two pictures at each pixel, [N, H, W]."""
    return (lab(one) - lab(other)).square().sum(1).sqrt()
